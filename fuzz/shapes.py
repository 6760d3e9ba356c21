"""Which objects a proxy can use at all: the shape that the API gives them, and the values that it allows.

Told from the API reference of Service v1, EndpointSlice discovery.k8s.io/v1 and Node v1; none of the project's code.
Only what a proxy reads is looked at. An object that could not have come from an API server is not used.
"""

import re
from typing import Any

from fuzz.addresses import address

Object = dict[str, Any]

SERVICE_NAME = "kubernetes.io/service-name"

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)
_SUBDOMAIN = re.compile(r"(?![-.])[a-z0-9.-]{1,253}(?<![-.])", re.ASCII)


class Always:
    """A value that may not be null; a missing one counts as its zero value."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


# A type stands for itself or null, a list for a list of its item, a dict for an object with these fields; a dict with
# the one key `str` for a mapping of texts.
_METADATA = {
    "name": Always(str),
    "namespace": Always(str),
    "resourceVersion": Always(str),
    "labels": {str: str},
    "annotations": {str: str},
    "deletionTimestamp": str,
}
_SHAPES: dict[str, Any] = {
    "Service": {
        "metadata": Always(_METADATA),
        "spec": {
            "type": str,
            "clusterIP": str,
            "clusterIPs": [Always(str)],
            "ipFamilies": [Always(str)],
            "ports": [Always({"port": Always(int), "name": str, "protocol": str, "nodePort": int})],
            "externalIPs": [Always(str)],
            "loadBalancerSourceRanges": [Always(str)],
            "sessionAffinity": str,
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": int}},
            "externalTrafficPolicy": str,
            "internalTrafficPolicy": str,
            "healthCheckNodePort": int,
        },
        "status": {"loadBalancer": {"ingress": [Always({"ip": str, "ipMode": str})]}},
    },
    "EndpointSlice": {
        "metadata": Always(_METADATA),
        "addressType": Always(str),
        "endpoints": [
            Always(
                {
                    "addresses": [Always(str)],
                    "conditions": {"ready": bool, "serving": bool, "terminating": bool},
                    "nodeName": str,
                    "hints": {"forZones": [Always({"name": Always(str)})], "forNodes": [Always({"name": Always(str)})]},
                }
            )
        ],
        "ports": [Always({"name": str, "protocol": str, "port": int})],
    },
    "Node": {
        "metadata": Always(_METADATA),
        "spec": {"podCIDR": str, "podCIDRs": [Always(str)], "taints": [Always({"key": Always(str)})]},
        "status": {"addresses": [Always({"type": Always(str), "address": Always(str)})]},
    },
}


def is_usable(obj: Object) -> bool:
    """True for an object that an API server could have let pass, as far as a proxy looks."""
    if not _fits(obj, _SHAPES[obj["kind"]]):
        return False
    metadata = obj["metadata"]
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    match obj["kind"]:
        case "Service":
            return is_label(namespace) and is_label(name) and _is_good_spec(obj.get("spec") or {})
        case "EndpointSlice":
            return is_label(namespace) and is_subdomain(name) and (is_foreign(obj) or _has_good_ports(obj))
        case _:
            return is_subdomain(name)


def is_foreign(obj: Object) -> bool:
    """True for an EndpointSlice of addresses that no Service can have, or of no Service."""
    labels = obj["metadata"].get("labels") or {}
    return obj.get("addressType") not in ("IPv4", "IPv6") or not labels.get(SERVICE_NAME)


def is_label(text: str) -> bool:
    """True for a DNS label (RFC 1123)."""
    return _LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """True for the name of an object that may contain dots."""
    return _SUBDOMAIN.fullmatch(text) is not None


def _fits(value: object, shape: Any) -> bool:
    if isinstance(shape, Always):
        return value is not None and _fits(value, shape.kind)
    if value is None:
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and _fit_fields(value, shape)
    if shape is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
    return isinstance(value, shape)


def _fit_fields(value: Object, shape: Any) -> bool:
    if shape == {str: str}:
        return all(isinstance(item, str) for item in value.values())
    # A field that is missing has its zero value, but for a Service port without a number.
    is_whole = "nodePort" not in shape or "port" in value
    return is_whole and all(key not in value or _fits(value[key], kind) for key, kind in shape.items())


def _is_good_spec(spec: Object) -> bool:
    names = [(port.get("name") or "", port.get("protocol") or "TCP") for port in spec.get("ports") or ()]
    addresses = [spec.get("clusterIP") or "", *(spec.get("clusterIPs") or ())]
    return (
        (spec.get("type") or "ClusterIP") in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
        and all(text in ("", "None") or address(text) is not None for text in addresses)
        and all(_is_good_port(port) and _is_number(port.get("nodePort") or 0, 0) for port in spec.get("ports") or ())
        and len(set(names)) == len(names)
        and _is_good_affinity(spec)
        and all((spec.get(f"{side}TrafficPolicy") or "Cluster") in ("Cluster", "Local") for side in _SIDES)
        and _is_number(spec.get("healthCheckNodePort") or 0, 0)
    )


_SIDES = ("external", "internal")


def _is_good_affinity(spec: Object) -> bool:
    kind = spec.get("sessionAffinity") or "None"
    if kind != "ClientIP":
        return bool(kind == "None")
    seconds = affinity_seconds(spec)
    return seconds is not None and 0 < seconds <= 86400


def affinity_seconds(spec: Object) -> int | None:
    """How long a client is remembered; three hours unless said otherwise, None without ClientIP affinity."""
    if spec.get("sessionAffinity") != "ClientIP":
        return None
    seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
    return 10800 if seconds is None else int(seconds)


def _has_good_ports(obj: Object) -> bool:
    used = [port for port in obj.get("ports") or () if port.get("name") is not None and port.get("port")]
    return all(_is_good_port(port) for port in used)


def _is_good_port(port: Object) -> bool:
    name, protocol = port.get("name") or "", port.get("protocol") or "TCP"
    return (not name or is_label(name)) and protocol in ("TCP", "UDP", "SCTP") and _is_number(port["port"], 1)


def _is_number(value: int, lowest: int) -> bool:
    return lowest <= value <= 65535
