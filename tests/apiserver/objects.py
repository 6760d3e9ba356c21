"""Objects on their way in: from files, and with a real server's defaults; and which of them a client asks for.

Only what the clients of these tests look at is filled in, and nothing is checked.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

JsonObject = dict[str, Any]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUFFIXES = (".yaml", ".yml", ".json")


def read_objects(path: Path) -> Iterator[JsonObject]:
    """Yield the objects of a YAML or JSON file, or of all such files in a folder, in name order; lists are unfolded."""
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.suffix in _SUFFIXES:
                yield from read_objects(each)
        return
    for document in yaml.load_all(path.read_bytes(), Loader=_LOADER):
        if isinstance(document, dict):
            yield from document["items"] if document.get("kind") == "List" else (document,)


class Defaults:
    """Fills in what a new Service or slice leaves open; Services without an address or node port get the next one."""

    def __init__(self) -> None:
        self._addresses = (str(ipaddress.ip_address("10.111.0.1") + count) for count in itertools.count())
        self._node_ports = itertools.count(32000)

    def fill_in(self, kind: str, obj: JsonObject) -> None:
        """Change the object in place."""
        if kind == "Service":
            self._fill_in_service(obj)
        for port in obj.get("ports") or [] if kind == "EndpointSlice" else ():
            port.setdefault("protocol", "TCP")

    def _fill_in_service(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        obj.setdefault("status", {"loadBalancer": {}})
        is_open = spec["type"] in ("NodePort", "LoadBalancer")
        for port in spec.get("ports") or []:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
            if is_open and not port.get("nodePort") and spec.get("allocateLoadBalancerNodePorts", True):
                port["nodePort"] = next(self._node_ports)
        if is_open:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec["type"] == "ExternalName":
            return
        spec.setdefault("internalTrafficPolicy", "Cluster")
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

    def takes(self, namespace: str, labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
        """Whether an object is selected."""
        if self.namespace and namespace != self.namespace:
            return False
        return _all_hold(self.labels, labels.get) and _all_hold(self.fields, lambda key: fields.get(key, ""))


def _all_hold(selector: str, value_of: Callable[[str], str | None]) -> bool:
    """Whether each term holds: ``key``, ``!key``, ``key=value``, ``key==value`` or ``key!=value``."""
    for term in filter(None, selector.split(",")):
        key, equals, value = term.replace("==", "=").partition("=")
        is_wanted = not key.endswith("!") and not key.startswith("!")
        found = value_of(key.strip("!"))
        if (found == value if equals else found is not None) is not is_wanted:
            return False
    return True


def merged(target: Any, patch: Any) -> Any:
    """Return ``target`` with a JSON merge patch (RFC 7386) applied."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
