"""What all pictures show: cards, one for each table of a hook that the packet meets, and the branches between them."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from pykubeproxy.explain.condensed import CondensedNode, condense, is_arrival, service_of
from pykubeproxy.explain.retelling import client_text, target_text
from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.walk import Trace

# So many equal branches still have their own place in a picture.
MAX_SIMILAR = 4

_AFFINITY = "a client that session affinity remembers goes where it went before; this one is new"

_HASH = re.compile(r"(-[A-Z2-7]{4})[A-Z2-7]{12}")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in one table at one hook; a routing decision has no table."""

    hook: str
    table: str
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """`PREROUTING · nat`."""
        return f"{self.hook} · {self.table}" if self.table else "routing decision"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What stands above the cards, and the story that they tell. `note` says what it leaves out."""

    client: str
    target: str
    service: str
    node: CondensedNode
    note: str = ""


def picture(traced: Trace) -> Picture:
    """What there is to draw."""
    return Picture(
        client=client_text(traced.packet),
        target=target_text(traced.packet),
        service=service_of(step for outcome in traced.outcomes for step in outcome.path),
        node=condense(traced.tree, max_similar=MAX_SIMILAR),
        note=_AFFINITY if traced.affinity and len(traced.outcomes) > 1 else "",
    )


def cards(steps: Sequence[Step]) -> Iterator[Card]:
    """A stretch of the way as cards."""
    total_probability = [step for step in steps if not is_arrival(step)]
    for (hook, table), group in groupby(total_probability, key=lambda step: (step.hook, step.table)):
        yield Card(hook=hook, table=table, steps=tuple(group))


def kind(step: Step) -> str:
    """What colour a step has: a word for what it does to the packet."""
    match step.action:
        case Action.DROP | Action.REJECT:
            return "refuse"
        case Action.DNAT | Action.SNAT | Action.MASQUERADE:
            return "rewrite"
        case Action.ACCEPT | Action.MARK | Action.UNDECIDED | Action.ROUTE:
            return step.action.value
        case _:
            return "pass"


def short(text: str) -> str:
    """A text with the hashes in names of chains cut to what tells them apart: `KUBE-SVC-CDGG…`."""
    return _HASH.sub(r"\1…", text)
