"""A trace as a Mermaid flowchart, which many wikis draw (https://mermaid.js.org/syntax/flowchart.html)."""

from collections.abc import Iterator, Mapping
from itertools import count

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.condensed import CondensedNode
from pykubeproxy.explain.pictures.cards import (
    Card,
    End,
    ResultText,
    cards,
    picture,
    result_texts,
    step_chain,
    verdict_class,
)
from pykubeproxy.explain.words import branch_label, short_step_text, sum_text
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.walk import Trace

# Mermaid breaks lines itself, by default at 200 pixels, which is too little for what a step does.
_ROOM = '%%{init: {"flowchart": {"wrappingWidth": 320}}}%%'

_STYLES = (
    "classDef packet fill:#0f172a,color:#fff,stroke:#0f172a",
    "classDef stage fill:#f8fafc,color:#0f172a,stroke:#94a3b8,text-align:left",
    "classDef accept fill:#dcfce7,color:#14532d,stroke:#16a34a",
    "classDef refuse fill:#fee2e2,color:#7f1d1d,stroke:#dc2626",
    "classDef lost fill:#fef9c3,color:#713f12,stroke:#ca8a04",
    "classDef undecided fill:#fef3c7,color:#78350f,stroke:#d97706,text-align:left",
)


def as_mermaid(traced: Trace, holders: Mapping[str, AddressHolder]) -> str:
    """A flowchart from top to bottom, with shares and conditions at the edges to branches."""
    shown = picture(traced)
    service = "".join(f"<br/>{_escaped(line)}" for line in (shown.service, shown.note) if line)
    title = f'    p0(["{_escaped(f"{shown.client} → {shown.destination}")}{service}"]):::packet'
    body = _Chart(result_texts(traced, holders)).lines(shown.tree, "p0", "", shown.ends)
    return "\n".join([_ROOM, "flowchart TD", title, *(f"    {line}" for line in (*body, *_STYLES))])


class _Chart:
    """The lines of the flowchart; numbers its boxes."""

    def __init__(self, result_text: ResultText) -> None:
        self._result_text = result_text
        self._numbers = count(1)

    def lines(self, node: CondensedNode, before: str, label: str, ends: tuple[End, ...] = ()) -> Iterator[str]:
        """The cards, branches, result and `ends` of a node; `label` is for the edge from the box `before` it."""
        for card in cards(node.steps):
            yield from self._box(before, label, f'["{_card(card)}"]', "stage")
            before, label = self._last, ""
        for branch in node.branches:
            yield from self.lines(branch, before, _escaped(branch_label(branch)))
        if node.result is not None:
            ends = (End(verdict=node.result.verdict, lines=(self._result_text(node.result),)),)
        for number, end in enumerate(ends):
            text = "<br/>".join((f"<b>{end.verdict}</b>", *map(_escaped, end.lines)))
            # Ends that are possible stand one below the other, since side by side they would be too wide.
            yield from self._box(before, label, f'("{text}")', verdict_class(end.verdict), is_linked=not number)
            before = self._last if len(ends) > 1 else before
        if node.similar:
            total = sum_text(other.probability for other in node.similar)
            names = ", ".join(other.result.dnat or cause_text(other.result.cause) for other in node.similar[:8])
            more = f" and {len(node.similar) - 8} more" if len(node.similar) > 8 else ""
            text = _escaped(f"{total} likewise to {names}{more}")
            yield from self._box(before, "", f'("{text}")', verdict_class(node.similar[0].result.verdict))

    def _box(self, before: str, label: str, shape: str, style: str, *, is_linked: bool = True) -> Iterator[str]:
        self._last = f"p{next(self._numbers)}"
        edge = f'-- "{label}" -->' if label else "-->" if is_linked else "~~~"
        yield f"{before} {edge} {self._last}{shape}:::{style}"


def _card(card: Card) -> str:
    return "<br/>".join((f"<b>{card.title}</b>", *(_escaped(_line(step)) for step in card.steps)))


def _line(step: Step) -> str:
    return f"{step_chain(step)}: {short_step_text(step)}" if step.chain else short_step_text(step)


def _escaped(text: str) -> str:
    """Quotes and angle brackets as Mermaid's entities."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
