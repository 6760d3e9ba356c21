"""Makes API objects, as dicts: dual-stack Services and their EndpointSlices, as the control plane would write them.

Addresses come by rule: a Service's number is the last part of its cluster IPs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from e2e.topology import NodeSpec, PodSpec

JsonObject = dict[str, Any]

NAMESPACE = "default"
IP_FAMILIES = ("IPv4", "IPv6")


class Member(Struct, frozen=True, kw_only=True):
    """A pod as an endpoint: its conditions, and the zones and nodes whose clients it is meant for."""

    pod: PodSpec
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


def node(spec: NodeSpec, zone: str) -> JsonObject:
    """A Node in a zone."""
    labels = {"kubernetes.io/hostname": spec.name, "topology.kubernetes.io/zone": zone}
    cidrs = [str(network) for network in spec.pod_networks]
    addresses = [{"type": "InternalIP", "address": str(address)} for address in spec.addresses]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": labels},
        "spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs},
        "status": {"addresses": addresses},
    }


def port(
    number: int, target: int, *, name: str = "http", protocol: str = "TCP", node_port: int | None = None
) -> JsonObject:
    """A Service's port."""
    made = {"name": name, "protocol": protocol, "port": number, "targetPort": target}
    return made if node_port is None else made | {"nodePort": node_port}


def cluster_ips(number: int) -> list[str]:
    """The cluster IPs of the Service with this number."""
    return [f"10.96.0.{number}", f"fd00:10:96::{number}"]


def service(name: str, number: int, *ports: JsonObject, vips: Sequence[JsonObject] = (), **spec: Any) -> JsonObject:
    """A Service; `vips` is what a load balancer says of itself, `spec` adds or replaces fields."""
    addresses = cluster_ips(number)
    made: JsonObject = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "type": "ClusterIP",
            "ipFamilyPolicy": "RequireDualStack",
            "ipFamilies": list(IP_FAMILIES),
            "clusterIP": addresses[0],
            "clusterIPs": addresses,
            "ports": list(ports),
        }
        | spec,
    }
    return made | {"status": {"loadBalancer": {"ingress": list(vips)}}} if vips else made


def slices(
    service: JsonObject, members: Iterable[Member], *, name: str = "", ports: Iterable[JsonObject] | None = None
) -> Iterator[JsonObject]:
    """The EndpointSlices of a Service, one per IP family: for all its ports, or for `ports` under another `name`."""
    owner = service["metadata"]["name"]
    labels = {"kubernetes.io/service-name": owner}
    if service["spec"]["clusterIP"] == "None":
        labels["service.kubernetes.io/headless"] = ""
    served = [
        {"name": port["name"], "protocol": port["protocol"], "port": port["targetPort"]}
        for port in (service["spec"]["ports"] if ports is None else ports)
    ]
    listed = tuple(members)
    for index, family in enumerate(IP_FAMILIES):
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name or owner}-{family.lower()}", "namespace": NAMESPACE, "labels": labels},
            "addressType": family,
            "ports": served,
            "endpoints": [_endpoint(member, index) for member in listed],
        }


def _endpoint(member: Member, family: int) -> JsonObject:
    conditions = {"ready": member.ready, "serving": member.serving, "terminating": member.terminating}
    made: JsonObject = {
        "addresses": [str(member.pod.addresses[family])],
        "conditions": conditions,
        "nodeName": member.pod.node,
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": member.pod.name},
    }
    hints = {
        kind: [{"name": name} for name in names]
        for kind, names in (("forZones", member.zones), ("forNodes", member.nodes))
        if names
    }
    return made | {"hints": hints} if hints else made
