"""EndpointSlices: defaults, generation, and the rules that are checked. Source: the EndpointSlice API reference."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from tests.apiserver.errors import Cause
from tests.apiserver.services import family_of

JsonObject = dict[str, Any]

_ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
_MAX_ENDPOINTS = 1000
_MAX_ADDRESSES = 100
_LINK_LOCAL = {4: ipaddress.ip_network("169.254.0.0/16"), 6: ipaddress.ip_network("fe80::/10")}
_LEADING_ZEROS = re.compile(r"\b0+(?=\d)")


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
        here = f"{path}[{index}]"
        if malformed := _why_malformed(address, address_type):
            yield _invalid(here, address, malformed)
            continue
        if family_of(address) != address_type:
            # A real server names the whole list here, and not the place in it.
            yield _invalid(path, address, f"must be an {address_type} address")
        for problem in _why_not_an_endpoint(ipaddress.ip_address(address)):
            yield _invalid(here, address, problem)


def _why_malformed(address: str, address_type: str) -> str:
    """What is wrong with the text of an address; empty for nothing. IPv6 slices take the canonical form only."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        if family_of(_LEADING_ZEROS.sub("", address)) == "IPv4":
            return "must not have leading 0s"
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    if parsed.version == 6 and parsed.ipv4_mapped:
        return "must not be an IPv4-mapped IPv6 address"
    return f'must be in canonical form ("{parsed}")' if address_type == "IPv6" and str(parsed) != address else ""


def _why_not_an_endpoint(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[str]:
    """Endpoints are at addresses that mean the same on every node."""
    if address.is_unspecified:
        yield f"may not be unspecified ({address})"
    if address.is_loopback:
        yield "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if address in _LINK_LOCAL[address.version]:
        yield "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    start = address.packed[:3]
    if start == bytes((224, 0, 0)) if address.version == 4 else start[0] == 0xFF and start[1] & 0xF == 2:
        yield "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"


def _invalid(field: str, address: str, problem: str) -> Cause:
    return Cause(field=field, problem=f'Invalid value: "{address}": {problem}')
