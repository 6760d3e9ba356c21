"""Objects on their way in: from files, and with a real server's defaults; and which of them a client asks for.

Only what the clients of these tests look at is filled in, and nothing is checked.
"""

import ipaddress
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.apiserver.store import Version

JsonObject = dict[str, Any]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_objects(path: Path) -> Iterator[JsonObject]:
    """Yield the objects of a YAML or JSON file, or of all YAML files in a folder, in name order; lists are unfolded."""
    for file in sorted(path.rglob("*.yaml")) if path.is_dir() else [path]:
        for document in yaml.load_all(file.read_bytes(), Loader=_LOADER):
            if isinstance(document, dict):
                yield from document["items"] if document.get("kind") == "List" else (document,)


class Defaults:
    """Fills in what a new Service or slice leaves open; Services without an address or node port get the next one."""

    def __init__(self) -> None:
        self._addresses = (str(ipaddress.ip_address("10.111.0.1") + count) for count in itertools.count())
        self._node_ports = itertools.count(32000)

    def fill_in(self, kind: str, obj: JsonObject) -> None:
        if kind == "Service":
            self._fill_in_service(obj.setdefault("spec", {}))
        elif kind == "EndpointSlice":
            for port in obj.get("ports") or []:
                port.setdefault("protocol", "TCP")

    def _fill_in_service(self, spec: JsonObject) -> None:
        spec.setdefault("type", "ClusterIP")
        is_open = spec["type"] in ("NodePort", "LoadBalancer") and spec.get("allocateLoadBalancerNodePorts", True)
        for port in spec.get("ports") or []:
            port.setdefault("protocol", "TCP")
            if is_open and not port.get("nodePort"):
                port["nodePort"] = next(self._node_ports)
        if spec["type"] == "ExternalName":
            return
        spec.setdefault("clusterIP", (spec.get("clusterIPs") or [None])[0] or next(self._addresses))
        addresses = spec.setdefault("clusterIPs", [spec["clusterIP"]])
        if "None" not in addresses:
            spec.setdefault("ipFamilies", [f"IPv{ipaddress.ip_address(each).version}" for each in addresses])
            spec.setdefault("ipFamilyPolicy", "SingleStack" if len(addresses) == 1 else "RequireDualStack")


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a list or watch asks for: a namespace (empty: all) and selectors as in the query."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""

    def takes(self, version: Version | None) -> bool:
        if version is None or (self.namespace and version.namespace != self.namespace):
            return False
        return _all_hold(self.labels, version.labels.get) and _all_hold(self.fields, version.fields.get)


def _all_hold(selector: str, value_of: Callable[[str], str | None]) -> bool:
    """Whether each term holds: ``key``, ``!key``, ``key=value`` or ``key!=value``."""
    for term in filter(None, selector.split(",")):
        key, equals, value = term.partition("=")
        found = value_of(key.strip("!"))
        if (found == value if equals else found is not None) is ("!" in key):
            return False
    return True
