"""What happens to a packet at one step of its way, as values. Addresses and ports are texts such as `10.0.0.1:80`."""

from enum import StrEnum

import msgspec

from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.routing import RoutingFailure


class _Event(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    pass


class Jumped(_Event, frozen=True):
    """It goes on in another chain."""

    chain: str


class Marked(_Event, frozen=True):
    """Its mark changes; None is a mark that is not known."""

    before: int | None
    after: int | None


class ConnectionMarked(_Event, frozen=True):
    """The mark of its connection changes; None is a mark that is not known."""

    before: int | None
    after: int | None


class HasNoConnection(_Event, frozen=True):
    """It belongs to no connection that could be marked."""


class DestinationChanged(_Event, frozen=True):
    """Its destination is rewritten."""

    before: str
    after: str


class DestinationChosen(_Event, frozen=True):
    """Its destination is rewritten to one of `count` addresses, too many to follow each of them."""

    count: int
    addresses: str


class InterfaceAddressUnknown(_Event, frozen=True):
    """It is redirected to this node's address on an interface, which is not known; None: nor is the interface."""

    interface: str | None


class SourceChanged(_Event, frozen=True):
    """Its source is rewritten; `before` is None if it was not known."""

    before: str | None
    after: str


class NetworkChanged(_Event, frozen=True):
    """The network part of its source is rewritten."""

    after: str


class Masqueraded(_Event, frozen=True):
    """Its source becomes this node's address on the interface by which it leaves; None if not known."""

    address: str | None
    interface: str | None


class NotTracked(_Event, frozen=True):
    """Connection tracking does not look at it, and the nat table does not apply to it."""


class TargetApplied(_Event, frozen=True):
    """A target that changes nothing which a trace follows; `target` is written as in the rule."""

    target: str


class TargetAssumed(_Event, frozen=True):
    """The decision of a target is not known; on this branch it lets the packet pass (`passes`), or does not."""

    target: str
    passes: bool


class Counted(_Event, frozen=True):
    """A rule without a target counts it."""


class MayMatch(_Event, frozen=True):
    """A rule that changes nothing matches some of the packets, or may match; `target` is "" if it has none."""

    target: str


class Rejected(_Event, frozen=True):
    """It is refused, and its sender gets an answer of type `answer`."""

    answer: str


class PolicyApplied(_Event, frozen=True):
    """It reaches the end of a built-in chain, whose policy decides."""

    policy: str
    chain: str


class Assumed(_Event, frozen=True):
    """A question cannot be decided; on this branch its answer is `holds`."""

    question: Question
    holds: bool


class Limit(StrEnum):
    """What there may be too many of for a trace to go on."""

    QUESTIONS = "questions"
    BRANCHES = "branches"


class LimitReached(_Event, frozen=True):
    """The trace goes no further: it has too many questions or branches."""

    limit: Limit


class CircularJump(_Event, frozen=True):
    """A chain jumps back to one that led to it, which no kernel accepts."""

    chain: str


class RoutedLocally(_Event, frozen=True):
    """Routing finds that the destination is an address of this node."""

    target: str


class RoutedElsewhere(_Event, frozen=True):
    """Routing finds that the destination is not this node; None is what is not there or not known.

    `is_forwarded` tells that this node has not sent the packet itself, `is_redirected` that a rule has rewritten its
    destination.
    """

    target: str
    gateway: str | None
    interface: str | None
    is_forwarded: bool
    is_redirected: bool


class RoutingFailed(_Event, frozen=True):
    """Routing finds no way to the destination."""

    target: str
    why: RoutingFailure


class MulticastUnknown(_Event, frozen=True):
    """The destination is a multicast address, and a trace does not know where such packets go."""


class Delivered(_Event, frozen=True):
    """It arrives at a process of this node; `is_redirected` tells whether a rule has rewritten its destination."""

    target: str
    is_redirected: bool


class Sent(_Event, frozen=True):
    """It leaves this node; `is_redirected` tells whether a rule has rewritten its destination."""

    target: str
    gateway: str | None
    interface: str | None
    is_redirected: bool


Event = (
    Jumped
    | Marked
    | ConnectionMarked
    | HasNoConnection
    | DestinationChanged
    | DestinationChosen
    | InterfaceAddressUnknown
    | SourceChanged
    | NetworkChanged
    | Masqueraded
    | NotTracked
    | TargetApplied
    | TargetAssumed
    | Counted
    | MayMatch
    | Rejected
    | PolicyApplied
    | Assumed
    | LimitReached
    | CircularJump
    | RoutedLocally
    | RoutedElsewhere
    | RoutingFailed
    | MulticastUnknown
    | Delivered
    | Sent
)
"""Something that happens to the packet at a step."""
