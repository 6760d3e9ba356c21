"""What a Plan changes for one ServicePort, as values. `change_words` puts words to them."""

from enum import StrEnum

import msgspec

from pykubeproxy.explain.service_causes import TrafficPolicy
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules.routing import Refusal


class ServiceChange(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    """Something that changes for one ServicePort."""


class ServicePortAdded(ServiceChange, frozen=True):
    """The ServicePort is new, with so many endpoints; `refusal` is why its cluster IP is refused, if it is."""

    endpoints: int
    refusal: Refusal | None


class ServicePortRemoved(ServiceChange, frozen=True):
    """The ServicePort goes, with so many endpoints; `refusal` is why its cluster IP was refused, if it was."""

    endpoints: int
    refusal: Refusal | None


class PortChanged(ServiceChange, frozen=True):
    """The number of the Service's port changes."""

    before: int
    after: int


class ProtocolChanged(ServiceChange, frozen=True):
    """The protocol of the Service's port changes."""

    before: Protocol
    after: Protocol


class PolicyChanged(ServiceChange, frozen=True):
    """A traffic policy of the Service changes, from `Cluster` to `Local` or the other way."""

    policy: TrafficPolicy
    before: str
    after: str


class EndpointsChanged(ServiceChange, frozen=True):
    """Endpoints (`ip:port`) come or go; there were `before` of them, and there are `after`.

    `is_local` tells that these are the endpoints on this node, for traffic that a policy `Local` keeps there; else
    they are those for all other traffic.
    """

    is_local: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    before: int
    after: int


class AffinityChanged(ServiceChange, frozen=True):
    """The seconds for which session affinity lasts; None for no session affinity."""

    before: int | None
    after: int | None


class MasqueradingChanged(ServiceChange, frozen=True):
    """Connections to the cluster IP are masqueraded for other sources than before.

    `before` and `after` are networks, with `! ` before them where all others are meant; empty for all sources, and None
    if nothing is masqueraded.
    """

    before: str | None
    after: str | None


class SourcesLimited(ServiceChange, frozen=True):
    """From now on, only clients in `ranges` reach the load balancer's addresses.

    `were_open` tells that there was such an address before, which all clients could reach.
    """

    ranges: tuple[str, ...]
    were_open: bool


class SourcesUnlimited(ServiceChange, frozen=True):
    """From now on, all clients reach the load balancer's addresses."""


class SourcesAllowed(ServiceChange, frozen=True):
    """Clients in these `ranges`, too, reach the load balancer's addresses from now on."""

    ranges: tuple[str, ...]


class SourcesDenied(ServiceChange, frozen=True):
    """Clients in these `ranges` no longer reach the load balancer's addresses."""

    ranges: tuple[str, ...]


class AddressKind(StrEnum):
    """What an address is for a Service. Rules that refuse traffic tell only whether it is the cluster IP."""

    CLUSTER_IP = "cluster IP"
    EXTERNAL_IP = "external IP"
    LOAD_BALANCER_IP = "loadbalancer IP"
    NOT_CLUSTER_IP = "address"


class AddressAdded(ServiceChange, frozen=True):
    """The ServicePort gets an address."""

    address_kind: AddressKind
    address: str


class AddressRemoved(ServiceChange, frozen=True):
    """The ServicePort loses an address."""

    address_kind: AddressKind
    address: str


class NodePortAdded(ServiceChange, frozen=True):
    """The ServicePort gets a node port."""

    port: int
    protocol: Protocol


class NodePortRemoved(ServiceChange, frozen=True):
    """The ServicePort loses a node port."""

    port: int
    protocol: Protocol


class TrafficKind(StrEnum):
    """Internal traffic goes to a cluster IP, external traffic to another address of a Service or to a node port."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class RefusalBegan(ServiceChange, frozen=True):
    """Traffic of one kind is refused from now on, for `reason`.

    `has_lost_endpoints` tells that there were endpoints for it before. Else such traffic was not possible before, or a
    traffic policy has changed.
    """

    traffic: TrafficKind
    reason: Refusal
    has_lost_endpoints: bool


class RefusalEnded(ServiceChange, frozen=True):
    """Traffic of one kind is no longer refused, as it was for `reason`.

    `has_new_endpoints` tells that endpoints have come. Else a traffic policy has changed.
    """

    traffic: TrafficKind
    reason: Refusal
    has_new_endpoints: bool


class RefusalReasonChanged(ServiceChange, frozen=True):
    """Traffic of one kind stays refused, for another reason."""

    traffic: TrafficKind
    before: Refusal
    after: Refusal


class OnlyDispatchDiffers(ServiceChange, frozen=True):
    """The rules that lead to the ServicePort stay as they are, but move to other dispatch chains."""


class OnlyOrderDiffers(ServiceChange, frozen=True):
    """The ServicePort's own chains have all the right rules, in another order."""
