"""What all pictures show: a card for each table of a hook that the packet meets, and the branches between the cards."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from pykubeproxy.explain.cluster_view import AddressHolder, address_of
from pykubeproxy.explain.condensed import CondensedNode, condense, is_arrival, service_of
from pykubeproxy.explain.undecided import UndecidedSummary, steps_of_all, summarize_undecided
from pykubeproxy.explain.words import (
    asked_question_text,
    client_text,
    depends_text,
    destination_text,
    holder_text,
    possible_end_text,
    result_text,
    share_text,
)
from pykubeproxy.model.ip import parse_ip
from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.outcome import BranchResult, Outcome, Verdict, decided
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules import names

# Up to so many similar branches are drawn one by one: more columns than that are too wide for a page.
MAX_SIMILAR = 3

# The words for the end of a packet's way.
ResultText = Callable[[BranchResult | Outcome], str]

_AFFINITY = "a client that session affinity remembers goes where it went before; this one is new"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in one table at one hook; a routing decision has no table."""

    hook: str
    table: str
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """`PREROUTING · nat`."""
        return f"{self.hook} · {self.table}" if self.table else "routing decision"


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How packets end or may end, and why, in lines."""

    verdict: Verdict
    lines: tuple[str, ...]


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What stands above the cards, and the tree that the cards show. `note` says what the picture leaves out.

    With several questions that cannot be decided, a branch for each answer would fill walls: the tree then has what
    Services do on any of them, and `ends` the questions, then all ends that are possible. `ends` is empty otherwise.
    """

    client: str
    destination: str
    service: str
    tree: CondensedNode
    note: str = ""
    ends: tuple[End, ...] = ()


def picture(traced: Trace) -> Picture:
    """What there is to draw of a trace."""
    tree, summary = condense(traced.tree, max_similar=MAX_SIMILAR), summarize_undecided(traced)
    if summary is not None:
        tree = CondensedNode(probability=tree.probability, steps=steps_of_all(tree))
    return Picture(
        client=client_text(traced.packet),
        destination=destination_text(traced.packet),
        service=service_of(step for outcome in decided(traced.outcomes) for step in outcome.path),
        tree=tree,
        note=_AFFINITY if traced.affinity and len(traced.outcomes) > 1 else "",
        ends=() if summary is None else tuple(_ends(traced.outcomes, summary)),
    )


def _ends(outcomes: Sequence[Outcome], summary: UndecidedSummary) -> Iterator[End]:
    for outcome in outcomes:
        if not outcome.alternatives:
            yield End(verdict=outcome.verdict, lines=(f"{share_text(outcome.probability)}: {result_text(outcome)}",))
    questions = (f"{number}: {asked_question_text(asked)}" for number, asked in enumerate(summary.questions, 1))
    yield End(verdict=Verdict.UNDECIDED, lines=(depends_text(len(summary.questions)), *questions))
    for end in summary.ends:
        yield End(verdict=end.outcome.verdict, lines=(possible_end_text(end),))


def result_texts(traced: Trace, holders: Mapping[str, AddressHolder]) -> ResultText:
    """The words for the results of a trace: with the pod and the node where the packet goes, if `holders` tell."""

    def text(result: BranchResult | Outcome) -> str:
        holder = holder_text(holders.get(address_of(result, traced.packet)))
        return f"{result_text(result)} ({holder})" if holder else result_text(result)

    return text


def cards(steps: Sequence[Step]) -> Iterator[Card]:
    """Steps as cards, without the arrival, which the result shows."""
    shown = [step for step in steps if not is_arrival(step)]
    for (hook, table), group in groupby(shown, key=lambda step: (step.hook, step.table)):
        yield Card(hook=hook, table=table, steps=tuple(group))


def step_chain(step: Step) -> str:
    """The chain of a step without most of its hash; empty for a routing decision."""
    return names.shortened(step.chain) if step.chain else ""


def endpoint_order(endpoint: str | None) -> tuple[int, int]:
    """What endpoints (`ip:port`) are sorted by: their address and port as numbers; no endpoint comes first."""
    address, _, port = (endpoint or "").rpartition(":")
    ip = parse_ip(address.strip("[]"))
    return (ip.number, int(port)) if ip is not None else (-1, 0)


def verdict_class(verdict: Verdict) -> str:
    """The class that gives a verdict its colour: accept, lost, undecided or refuse."""
    match verdict:
        case Verdict.ACCEPT | Verdict.LOST | Verdict.UNDECIDED:
            return verdict.lower()
        case Verdict.DROP | Verdict.REJECT:
            return "refuse"


def css_class(step: Step) -> str:
    """The class that gives a step its colour: a word for what it does to the packet."""
    match step.action:
        case Action.DROP | Action.REJECT:
            return "refuse"
        case Action.DNAT | Action.SNAT | Action.MASQUERADE:
            return "rewrite"
        case Action.ACCEPT | Action.MARK | Action.UNDECIDED | Action.ROUTE:
            return step.action.value
        case _:
            return "pass"
