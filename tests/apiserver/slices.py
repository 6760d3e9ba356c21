"""EndpointSlices: defaults, generation, and the rules that are checked. Source: the EndpointSlice API reference."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from tests.apiserver.errors import Cause
from tests.apiserver.services import family_of

JsonObject = dict[str, Any]

_ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
_MAX_ENDPOINTS = 1000
_MAX_ADDRESSES = 100
_LINK_LOCAL = {4: ipaddress.ip_network("169.254.0.0/16"), 6: ipaddress.ip_network("fe80::/10")}
_LINK_LOCAL_MULTICAST = {4: ipaddress.ip_network("224.0.0.0/24"), 6: ipaddress.ip_network("ff02::/16")}


def set_defaults(endpoint_slice: JsonObject) -> None:
    """Fill in port names and protocols; write empty lists as null, as a real server does."""
    endpoint_slice["endpoints"] = endpoint_slice.get("endpoints") or None
    endpoint_slice["ports"] = endpoint_slice.get("ports") or None
    for endpoint in endpoint_slice["endpoints"] or []:
        endpoint["conditions"] = endpoint.get("conditions") or {}
    for port in endpoint_slice["ports"] or []:
        port["name"] = port.get("name") or ""
        port["protocol"] = port.get("protocol") or "TCP"


def create(endpoint_slice: JsonObject) -> None:
    """Default a new slice, and start its generation at 1."""
    set_defaults(endpoint_slice)
    endpoint_slice["metadata"]["generation"] = 1


def update(new: JsonObject, old: JsonObject) -> None:
    """Default a changed slice, and count its generation up if anything but metadata other than labels changed."""
    set_defaults(new)
    metadata, before = new["metadata"], old["metadata"]
    changed = {k: v for k, v in new.items() if k != "metadata"} != {k: v for k, v in old.items() if k != "metadata"}
    relabelled = (metadata.get("labels") or {}) != (before.get("labels") or {})
    metadata["generation"] = before.get("generation", 0) + int(changed or relabelled)


def check(endpoint_slice: JsonObject, old: JsonObject | None) -> Iterator[Cause]:
    """Yield what is wrong with a defaulted slice."""
    address_type = endpoint_slice.get("addressType", "")
    if address_type not in _ADDRESS_TYPES:
        choices = ", ".join(f'"{choice}"' for choice in sorted(_ADDRESS_TYPES))
        problem = f'Unsupported value: "{address_type}": supported values: {choices}'
        yield Cause(field="addressType", problem=problem, reason="FieldValueNotSupported")
    if old and old["addressType"] != address_type:
        yield Cause(field="addressType", problem=f'Invalid value: "{address_type}": field is immutable')
    endpoints = endpoint_slice["endpoints"] or []
    if len(endpoints) > _MAX_ENDPOINTS:
        problem = f"Too many: {len(endpoints)}: must have at most {_MAX_ENDPOINTS} items"
        yield Cause(field="endpoints", problem=problem, reason="FieldValueTooMany")
        return
    if old and old["endpoints"] == endpoint_slice["endpoints"]:
        return
    for index, endpoint in enumerate(endpoints):
        yield from _check_addresses(f"endpoints[{index}].addresses", endpoint.get("addresses") or [], address_type)


def _check_addresses(path: str, addresses: list[str], address_type: str) -> Iterator[Cause]:
    if not addresses:
        yield Cause(field=path, problem="Required value: must contain at least 1 address", reason="FieldValueRequired")
    if len(addresses) > _MAX_ADDRESSES:
        problem = f"Too many: {len(addresses)}: must have at most {_MAX_ADDRESSES} items"
        yield Cause(field=path, problem=problem, reason="FieldValueTooMany")
    if address_type == "FQDN":
        return
    for index, address in enumerate(addresses):
        family = family_of(address)
        if family is None:
            problem = f'Invalid value: "{address}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
            yield Cause(field=f"{path}[{index}]", problem=problem)
            continue
        if family != address_type:
            # A real server names the whole list here, and not the place in it.
            yield Cause(field=path, problem=f'Invalid value: "{address}": must be an {address_type} address')
        yield from _check_kind(f"{path}[{index}]", address)


def _check_kind(path: str, address: str) -> Iterator[Cause]:
    """Endpoints are at addresses that mean the same on every node."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified:
        yield Cause(field=path, problem=f'Invalid value: "{address}": may not be unspecified ({address})')
    if parsed.is_loopback:
        problem = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        yield Cause(field=path, problem=f'Invalid value: "{address}": {problem}')
    if parsed in _LINK_LOCAL[parsed.version]:
        problem = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        yield Cause(field=path, problem=f'Invalid value: "{address}": {problem}')
    if parsed in _LINK_LOCAL_MULTICAST[parsed.version]:
        problem = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        yield Cause(field=path, problem=f'Invalid value: "{address}": {problem}')
