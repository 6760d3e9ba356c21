"""Services: defaults, what an update keeps or drops, and the rules that are checked.

Source: the Service API reference; what a real server returns for the same input.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from tests.apiserver.allocator import FAMILIES
from tests.apiserver.errors import Cause

JsonObject = dict[str, Any]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_AFFINITY_SECONDS = 10800


def set_defaults(service: JsonObject, cluster_families: Sequence[str]) -> None:
    """Fill in what a new or changed Service leaves open, except what has to be allocated."""
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif not ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds"):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}
    for port in spec.get("ports") or []:
        port["protocol"] = port.get("protocol") or "TCP"
        port["targetPort"] = port.get("targetPort") or port.get("port")
    if is_external(spec):
        spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy") or "Cluster"
    if spec["type"] != "ExternalName":
        spec["internalTrafficPolicy"] = spec.get("internalTrafficPolicy") or "Cluster"
        _set_families(spec, cluster_families)
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or []:
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def is_external(spec: JsonObject) -> bool:
    """Whether anything outside the cluster can address the Service."""
    return spec["type"] in ("NodePort", "LoadBalancer") or (
        spec["type"] == "ClusterIP" and bool(spec.get("externalIPs"))
    )


def _set_families(spec: JsonObject, cluster_families: Sequence[str]) -> None:
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    addresses = [address for address in spec.get("clusterIPs") or [] if address]
    if addresses:
        spec["clusterIP"], spec["clusterIPs"] = addresses[0], addresses
    families = spec.get("ipFamilies") or [family for family in map(family_of, addresses) if family]
    selectorless = "None" in addresses and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        several = len(families) > 1 or (selectorless and not families)
        spec["ipFamilyPolicy"] = "RequireDualStack" if several else "SingleStack"
    families = families or [cluster_families[0]]
    if spec["ipFamilyPolicy"] != "SingleStack":
        others = cluster_families if not selectorless else list(FAMILIES.values())
        families = families + [family for family in others if family not in families]
    spec["ipFamilies"] = families


def family_of(address: str) -> str | None:
    """Return IPv4 or IPv6, or None for text that is no address."""
    try:
        return FAMILIES[ipaddress.ip_address(address).version]
    except ValueError:
        return None


def create(service: JsonObject, families: Sequence[str]) -> None:
    """Default a new Service, and drop what a creation cannot set: status is a subresource."""
    service["status"] = {"loadBalancer": {}}
    set_defaults(service, families)


def update(new: JsonObject, old: JsonObject, families: Sequence[str]) -> None:
    """Carry over what an update may leave out, drop what belonged to a former type, and default the rest."""
    spec = new.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    old_spec = old["spec"]
    new["status"] = old["status"] if spec["type"] == "LoadBalancer" else {"loadBalancer": {}}
    _keep_allocations(spec, old_spec)
    if spec["type"] == "ExternalName":
        _drop_unchanged(spec, old_spec, ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"))
        _drop_unchanged(spec, old_spec, ("internalTrafficPolicy",))
    if spec["type"] in ("ClusterIP", "ExternalName"):
        for port, old_port in zip(spec.get("ports") or [], old_spec.get("ports") or [], strict=False):
            _drop_unchanged(port, old_port, ("nodePort",))
    if not is_external(spec):
        _drop_unchanged(spec, old_spec, ("externalTrafficPolicy",))
    if spec["type"] != "LoadBalancer":
        _drop_unchanged(spec, old_spec, ("allocateLoadBalancerNodePorts", "loadBalancerClass"))
    if spec["type"] != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
        _drop_unchanged(spec, old_spec, ("healthCheckNodePort",))
    set_defaults(new, families)


def _keep_allocations(spec: JsonObject, old: JsonObject) -> None:
    if spec["type"] != "ExternalName" and old["type"] != "ExternalName":
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIP"], spec["clusterIPs"] = old.get("clusterIP", ""), list(old.get("clusterIPs") or [])
            if not spec.get("ipFamilies"):
                spec["ipFamilies"] = list(old.get("ipFamilies") or [])
        elif spec.get("clusterIP") == old.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = list(old.get("clusterIPs") or [])
    if spec["type"] == "NodePort" or (
        spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    ):
        known = {port.get("name", ""): port["nodePort"] for port in old.get("ports") or [] if "nodePort" in port}
        used = {port.get("nodePort") for port in spec.get("ports") or []}
        for port in spec.get("ports") or []:
            kept = known.get(port.get("name", ""))
            if not port.get("nodePort") and kept and kept not in used:
                port["nodePort"] = kept
    if old.get("healthCheckNodePort") and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = old["healthCheckNodePort"]


def _drop_unchanged(new: JsonObject, old: JsonObject, names: Sequence[str]) -> None:
    for name in names:
        if name in new and new[name] == old.get(name):
            del new[name]


def update_status(new: JsonObject, old: JsonObject, families: Sequence[str]) -> None:
    """Keep everything but metadata and status as it is."""
    new["spec"] = old["spec"]
    new.setdefault("status", {}).setdefault("loadBalancer", {})
    set_defaults(new, families)


def check(service: JsonObject, old: JsonObject | None) -> Iterator[Cause]:
    """Yield what is wrong with a defaulted Service. Only rules that an honest client can break by mistake."""
    spec = service["spec"]
    if spec["type"] not in _TYPES:
        yield _unsupported("spec.type", spec["type"], _TYPES)
    headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not headless and spec["type"] != "ExternalName":
        yield Cause(field="spec.ports", problem="Required value", reason="FieldValueRequired")
    for index, port in enumerate(spec.get("ports") or []):
        yield from _check_port(f"spec.ports[{index}]", port, several=len(spec["ports"]) > 1)
    if old is not None:  # a new Service that names a node port twice is refused by who allocates them
        yield from _check_node_ports(spec.get("ports") or [])
    for index, address in enumerate(spec.get("clusterIPs") or []):
        if address != "None" and family_of(address) is None:
            yield Cause(
                field=f"spec.clusterIPs[{index}]", problem=f'Invalid value: "{address}": must be a valid IP address'
            )
    before = old["spec"].get("clusterIP") if old else None
    if before and spec.get("clusterIP") != before and spec["type"] != "ExternalName":
        problem = f'Invalid value: ["{spec.get("clusterIP")}"]: may not change once set'
        yield Cause(field="spec.clusterIPs[0]", problem=problem)


def _check_port(path: str, port: JsonObject, *, several: bool) -> Iterator[Cause]:
    if several and not port.get("name"):
        yield Cause(field=f"{path}.name", problem="Required value", reason="FieldValueRequired")
    number = port.get("port")
    if not isinstance(number, int) or not 1 <= number <= 65535:
        yield Cause(field=f"{path}.port", problem=f"Invalid value: {number}: must be between 1 and 65535, inclusive")
    if port["protocol"] not in _PROTOCOLS:
        yield _unsupported(f"{path}.protocol", port["protocol"], _PROTOCOLS)


def _check_node_ports(ports: Sequence[JsonObject]) -> Iterator[Cause]:
    seen = set()
    for index, port in enumerate(ports):
        if node_port := port.get("nodePort"):
            if (port["protocol"], node_port) in seen:
                field = f"spec.ports[{index}].nodePort"
                yield Cause(field=field, problem=f"Duplicate value: {node_port}", reason="FieldValueDuplicate")
            seen.add((port["protocol"], node_port))


def _unsupported(field: str, value: str, allowed: Sequence[str]) -> Cause:
    choices = ", ".join(f'"{choice}"' for choice in allowed)
    problem = f'Unsupported value: "{value}": supported values: {choices}'
    return Cause(field=field, problem=problem, reason="FieldValueNotSupported")
