"""Manifests for tests that do not care much what is in them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import Ruleset

Manifest = dict[str, Any]

_CLUSTER_IP = {Family.IPV4: "10.96.{}.{}", Family.IPV6: "fd00:10:96::{:x}:{:x}"}
_POD_IP = {Family.IPV4: "10.244.0.{}", Family.IPV6: "fd00:10:244::{}"}


def cluster_ip(family: Family, number: int) -> str:
    """The cluster IP of Service web-<number>."""
    return _CLUSTER_IP[family].format(number // 200 + 1, number % 200 + 1)


def pod_ip(family: Family, endpoint: int | str) -> str:
    """The address of an endpoint, if it is not given as such."""
    return _POD_IP[family].format(endpoint) if isinstance(endpoint, int) else endpoint


def web(family: Family, number: int = 1, endpoints: Iterable[int | str] = (1, 2), **spec: Any) -> list[Manifest]:
    """Service web-<number> with its one port 80, and its slice with these endpoints on port 8080."""
    name = f"web-{number}"
    port = {"name": "http", "protocol": "TCP", "port": 80}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": cluster_ip(family, number),
            "clusterIPs": [cluster_ip(family, number)],
            "ipFamilies": [family],
            "ports": [{**port, **spec.pop("port", {})}],
            **spec,
        },
    }
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": family,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [{"addresses": [pod_ip(family, item)], "conditions": {"ready": True}} for item in endpoints],
    }
    return [service, slice_]


def write(path: Path, *objects: Iterable[Manifest]) -> Path:
    """A manifest file with these objects, changed in one step as editors and kubelet do it."""
    items = [item for some in objects for item in some]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    return fresh.rename(path)


def entry_chain(rules: Ruleset, address: str) -> str:
    """The chain that traffic for a cluster IP is sent to."""
    for lines in rules.tables["nat"].chains.values():
        for line in lines:
            words = line.split()
            if f"-d {address}/" in line and not line.startswith("-A KUBE-SVC-") and words[-1].startswith("KUBE-SVC-"):
                return words[-1]
    raise AssertionError(f"nothing leads to {address}")
