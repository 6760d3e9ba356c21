"""EndpointSlices, and the endpoints of a ServicePort that they add up to.

Source: the EndpointSlice API
(https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/) and
`docs/reference/endpoints.md`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, ServiceKey

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
TRIGGER_TIME_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS_LABEL = "service.kubernetes.io/headless"


class SliceKey(NamedTuple):
    """What names an EndpointSlice."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class PortKey(NamedTuple):
    """What a Service port and a slice port must share to belong together: name and protocol."""

    name: str
    protocol: Protocol


class SlicePort(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One usable entry of a slice's `ports`."""

    name: str
    protocol: Protocol
    port: int


class SliceEndpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One usable entry of a slice's `endpoints`: its first address and the conditions, defaults filled in.

    `pod` is its pod, as `namespace/name`; "" if the slice does not say. `zones` and `nodes` are the topology hints
    `forZones` and `forNodes`; empty means no hint.
    """

    address: str
    node_name: str = ""
    pod: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An EndpointSlice, reduced to what a proxy reads. `service` is the Service that its label names.

    `triggered_at`, in seconds since 1970, is when the change of pods or Service happened that led to its last change,
    as far as its controller says so (`docs/reference/endpoints.md` section 10).
    """

    key: SliceKey
    service: ServiceKey
    family: Family
    ports: tuple[SlicePort, ...] = ()
    endpoints: tuple[SliceEndpoint, ...] = ()
    is_headless: bool = False
    triggered_at: float | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint of one ServicePort, as seen from this node.

    `text` is `ip:port` or `[ip]:port`: the DNAT target, a part of the chain's name, and what endpoints are sorted by.
    """

    text: str
    ip: str
    is_local: bool = False
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def serves_while_terminating(self) -> bool:
        """True for an endpoint that may stand in when no ready one is left."""
        return self.serving and self.terminating


def host_port(address: str, port: int) -> str:
    """`address:port`, with brackets around an IPv6 address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def merge_slices(slices: Iterable[EndpointSlice], node_name: str) -> dict[PortKey, tuple[Endpoint, ...]]:
    """All endpoints of one Service in one family, by port; sorted by the bytes of their text.

    Source: `docs/reference/endpoints.md` 3, 4.
    """
    return {
        key: tuple(_endpoint(text, by_text[text], node_name) for text in sorted(by_text))
        for key, by_text in entries_by_port(slices).items()
    }


def entries_by_port(slices: Iterable[EndpointSlice]) -> dict[PortKey, dict[str, SliceEndpoint]]:
    """The entries of one Service's slices in one family: by port, and then by `ip:port`.

    In `slices` an endpoint may appear more than once, as the API allows. The entry in the better condition counts, with
    all that it says (`_is_better`). Slices are taken in the order of their names, so that the result does not depend on
    the order of events.
    """
    merged: dict[PortKey, dict[str, SliceEndpoint]] = {}
    for slice_ in sorted(slices, key=_slice_name):
        if slice_.is_headless:
            continue
        for port in slice_.ports:
            by_text = merged.setdefault(PortKey(port.name, port.protocol), {})
            for endpoint in slice_.endpoints:
                text = host_port(endpoint.address, port.port)
                seen = by_text.get(text)
                if seen is None or _is_better(endpoint, seen):
                    by_text[text] = endpoint
    return {key: by_text for key, by_text in merged.items() if by_text}


def _is_better(endpoint: SliceEndpoint, seen: SliceEndpoint) -> bool:
    """True if `endpoint` is to replace another entry of one and the same ip:port, which was `seen` before it.

    The first difference decides, in this order: one is ready, one serves, one is not terminating. All entries mean the
    same socket, and an outdated one of another controller must not stop its traffic (kubernetes/kubernetes#121330,
    #135266, #135593). Among equals kube-proxy's rule holds: the last that is not terminating, or else the first.
    """
    new, old = _condition(endpoint), _condition(seen)
    return new > old or (new == old and not endpoint.terminating)


def _condition(endpoint: SliceEndpoint) -> tuple[bool, bool, bool]:
    return endpoint.ready, endpoint.serving, not endpoint.terminating


def _slice_name(slice_: EndpointSlice) -> str:
    return slice_.key.name


def _endpoint(text: str, endpoint: SliceEndpoint, node_name: str) -> Endpoint:
    return Endpoint(
        text=text,
        ip=endpoint.address,
        is_local=bool(node_name) and endpoint.node_name == node_name,
        ready=endpoint.ready,
        serving=endpoint.serving,
        terminating=endpoint.terminating,
        zones=endpoint.zones,
        nodes=endpoint.nodes,
    )
