"""What objects, or rules for other ports, say about a packet's way beyond the rules that it met. Values only."""

from enum import StrEnum

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Unserved


class _Finding(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    pass


class NotAmongObjects(_Finding, frozen=True):
    """The objects have no such ServicePort: the rules may be stale."""


class AllowedSources(_Finding, frozen=True):
    """The networks that loadBalancerSourceRanges allows."""

    ranges: tuple[str, ...]


class HasUsableEndpoints(_Finding, frozen=True):
    """The EndpointSlices list `count` endpoints that can be used, on `node` where that matters: the rules are stale."""

    count: int
    node: str | None = None


class HasNoSlice(_Finding, frozen=True):
    """The Service has no EndpointSlice."""


class ListsNoPods(_Finding, frozen=True):
    """The Service's EndpointSlices list no endpoint."""


class HasNoPort(_Finding, frozen=True):
    """The Service's `count` endpoints have no port at all; the port `wanted` (`name/protocol`) was looked for."""

    count: int
    wanted: str


class IsForOtherPorts(_Finding, frozen=True):
    """The Service's `count` endpoints are for the ports `offered`, not for the port `wanted` (each `name/protocol`)."""

    count: int
    offered: tuple[str, ...]
    wanted: str


class EndpointState(StrEnum):
    """Whether an endpoint can be used: from the conditions of its EndpointSlice."""

    READY = "ready"
    NOT_READY = "not ready"
    TERMINATING = "terminating"


class EndpointsUnusable(_Finding, frozen=True):
    """None of the Service's `count` endpoints can be used; `states` counts how many are in which state."""

    count: int
    states: tuple[tuple[EndpointState, int], ...]


class EndpointsElsewhere(_Finding, frozen=True):
    """The Service has `count` endpoints that can be used, all on other nodes; "" is an endpoint without a node."""

    count: int
    nodes: tuple[str, ...]


class ServiceNotListed(_Finding, frozen=True):
    """Rules send the packet to an endpoint of a ServicePort that the objects do not have: the rules are stale."""

    port: str


class EndpointNotListed(_Finding, frozen=True):
    """Rules send the packet to an endpoint that no EndpointSlice of the ServicePort lists: the rules are stale."""

    port: str


class EndpointUnusable(_Finding, frozen=True):
    """Rules send the packet to an endpoint that cannot be used: the rules are stale."""

    state: EndpointState


class PortAt(msgspec.Struct, frozen=True, rename="camel"):
    """A ServicePort, and the port and protocol at which it is reached."""

    port: int
    protocol: str
    service: str


class HasOtherPorts(_Finding, frozen=True):
    """The address belongs to a Service, but not with the port that was asked for; `ports` are those that it has."""

    address: str
    port: int | None
    protocol: str
    ports: tuple[PortAt, ...]


class RulesNotMet(_Finding, frozen=True):
    """There are rules for the ServicePort `at`, at this address or by node port, but none redirects the packet."""

    address: str
    at: PortAt


class NoSuchNodePort(_Finding, frozen=True):
    """No Service has this node port; `nearest` are some that exist, those with the nearest numbers."""

    port: int | None
    protocol: str
    nearest: tuple[PortAt, ...] = ()


class NoServiceAt(_Finding, frozen=True):
    """No Service has the address, but it is in a `network` of cluster IPs: a ServiceCIDR's if objects tell of it."""

    address: str
    network: str
    is_by_objects: bool


class _Absence(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    service: str


class HasNoRules(_Absence, frozen=True):
    """A Service of this kind never has rules. `pods` are the `ip:port` at which a headless Service is reached."""

    why: Unserved
    family: Family
    pods: tuple[str, ...] = ()


class HasNoSuchPort(_Absence, frozen=True):
    """The Service has no port with the name `wanted`; `ports` are those that it has."""

    wanted: str
    ports: tuple[PortAt, ...]


class NotInTheseRules(_Absence, frozen=True):
    """The Service should have rules, but these rules do not contain it."""


Absence = HasNoRules | HasNoSuchPort | NotInTheseRules
"""Why no rule is for a Service (`namespace/name`, or `namespace/name:port`)."""


class AddressOf(_Finding, frozen=True):
    """The objects say to which Service the address belongs; `absence` says why no rule is for it."""

    address: str
    service: str
    absence: Absence


Finding = (
    NotAmongObjects
    | AllowedSources
    | HasUsableEndpoints
    | HasNoSlice
    | ListsNoPods
    | HasNoPort
    | IsForOtherPorts
    | EndpointsUnusable
    | EndpointsElsewhere
    | ServiceNotListed
    | EndpointNotListed
    | EndpointUnusable
    | HasOtherPorts
    | RulesNotMet
    | NoSuchNodePort
    | NoServiceAt
    | AddressOf
)
"""Something that explains the end of a packet's way further."""
