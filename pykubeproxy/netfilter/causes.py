"""Why a packet ends where it does, as values. What a rule was written for is not known here."""

import msgspec

from pykubeproxy.netfilter.events import Delivered, Event, Sent
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.routing import RoutingFailure


class Cause(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    """Why a packet gets through or not. A base class: packages that know what rules are for add causes of their own."""


class Arrives(Cause, frozen=True):
    """It gets through: it is delivered to this node, or sent on."""

    event: Delivered | Sent


class PolicyDrops(Cause, frozen=True):
    """No rule of a built-in chain accepted it, and the chain's policy is DROP."""

    table: str
    chain: str


class RuleRefuses(Cause, frozen=True):
    """A rule drops it, or rejects it (`is_rejected`).

    `position` is the rule's number in its chain, from 1, and `comment` what its author wrote there. `callers` are the
    chains whose jumps led there, without the built-in one. `source` is the packet's source at this moment, None if it
    is not known.
    """

    table: str
    chain: str
    position: int
    rule: str
    comment: str
    is_rejected: bool
    callers: tuple[str, ...]
    source: str | None


class Unreachable(Cause, frozen=True):
    """Routing finds no way to `target`."""

    target: str
    why: RoutingFailure


class Undecidable(Cause, frozen=True):
    """What becomes of it depends on a question that cannot be decided."""

    question: Question


class TraceEnds(Cause, frozen=True):
    """The trace ends after `event`: what becomes of the packet is not known."""

    event: Event
