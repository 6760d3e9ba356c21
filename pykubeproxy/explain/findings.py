"""What objects, or rules for other ports, add to what the rules on a packet's way tell, as values."""

from enum import StrEnum

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Unserved


class Finding(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    """Something that explains an ending further."""


class NotAmongObjects(Finding, frozen=True):
    """The objects know no such ServicePort: the rules may be stale."""


class AllowedSources(Finding, frozen=True):
    """The networks that loadBalancerSourceRanges allows."""

    ranges: tuple[str, ...]


class HasUsableEndpoints(Finding, frozen=True):
    """The EndpointSlices list `count` endpoints that can be used, on `node` where that matters: the rules are stale."""

    count: int
    node: str | None = None


class HasNoSlice(Finding, frozen=True):
    """The Service has no EndpointSlice."""


class ListsNoPods(Finding, frozen=True):
    """The Service's EndpointSlices list no endpoint."""


class HasNoPort(Finding, frozen=True):
    """The Service's `count` endpoints have no port, so not the one that is wanted (`name/protocol`)."""

    count: int
    wanted: str


class IsForOtherPorts(Finding, frozen=True):
    """The Service's `count` endpoints are for other ports (`name/protocol`) than the one that is wanted."""

    count: int
    offered: tuple[str, ...]
    wanted: str


class Condition(StrEnum):
    """How an endpoint is."""

    READY = "ready"
    NOT_READY = "not ready"
    TERMINATING = "terminating"


class EndpointsUnusable(Finding, frozen=True):
    """The Service has `count` endpoints; none can be used: how many are in which condition."""

    count: int
    conditions: tuple[tuple[Condition, int], ...]


class EndpointsElsewhere(Finding, frozen=True):
    """The Service has `count` endpoints that can be used, on other nodes; "" stands for no node."""

    count: int
    nodes: tuple[str, ...]


class ServiceGone(Finding, frozen=True):
    """The objects know no such ServicePort, to which the packet is sent all the same: the rules are stale."""

    port: str


class EndpointNotListed(Finding, frozen=True):
    """No EndpointSlice of the ServicePort lists the endpoint to which the packet is sent: the rules are stale."""

    port: str


class EndpointUnusable(Finding, frozen=True):
    """The endpoint to which the packet is sent cannot be used: the rules are stale."""

    condition: Condition


class PortAt(msgspec.Struct, frozen=True, rename="camel"):
    """A ServicePort and where it listens."""

    port: int
    protocol: str
    service: str


class HasOtherPorts(Finding, frozen=True):
    """The address is a Service's, but not this port of it."""

    address: str
    ports: tuple[PortAt, ...]


class NoSuchNodePort(Finding, frozen=True):
    """No Service has this node port."""

    port: int | None
    protocol: str


class AddressOf(Finding, frozen=True):
    """The objects know whose address it is, though no rule is for it, and `absence` tells why."""

    address: str
    service: str
    absence: "Absence"


class Absence(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    """Why rules do not know a Service (`namespace/name`, or `namespace/name:port`)."""

    service: str


class HasNoRules(Absence, frozen=True):
    """Such a Service has no rules. `pods` are the addresses and ports at which a headless one can be asked."""

    why: Unserved
    family: Family
    pods: tuple[str, ...] = ()


class HasNoSuchPort(Absence, frozen=True):
    """The Service has no port of that name; `ports` are those that it has."""

    wanted: str
    ports: tuple[PortAt, ...]


class NotInTheseRules(Absence, frozen=True):
    """The Service should have rules, and has none here."""
