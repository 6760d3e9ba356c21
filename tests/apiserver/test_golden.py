"""The golden corpus came from a real API server: what that answered, this one answers for the same input."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.cluster import read_objects
from tests.apiserver.server import ApiServer

CORPUS = sorted((Path(__file__).parents[1] / "golden").glob("*/objects.yaml"))
CONTENT = ("spec", "status", "addressType", "endpoints", "ports")
DEFAULTS: dict[str, tuple[object, ...]] = {
    "sessionAffinity": ("None",),
    "internalTrafficPolicy": ("Cluster",),
    "externalTrafficPolicy": ("Cluster",),
    "allocateLoadBalancerNodePorts": (True,),
    "ipFamilyPolicy": ("SingleStack", "RequireDualStack"),
    "ipFamilies": (["IPv4"], ["IPv4", "IPv6"]),
}


def content(obj: dict[str, Any]) -> dict[str, Any]:
    return {name: obj.get(name) or None for name in CONTENT}


def without_defaults(service: dict[str, Any]) -> dict[str, Any]:
    bare = copy.deepcopy(service)
    for name, values in DEFAULTS.items():
        if bare["spec"].get(name) in values:
            del bare["spec"][name]
    for port in bare["spec"].get("ports", []):
        if port["protocol"] == "TCP":
            del port["protocol"]
    return bare


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 50


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.parent.name)
def test_golden_objects_are_stored_as_they_are_and_defaulted_to_what_they_were(path: Path) -> None:
    with ApiServer() as api:
        for obj in read_objects(path):
            assert content(api.apply(obj)) == content(obj)
            if obj["kind"] == "Service":
                api.delete("Service", obj["metadata"]["namespace"], obj["metadata"]["name"])
                assert api.create(without_defaults(obj))["spec"] == obj["spec"]
