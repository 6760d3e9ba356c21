"""A trace as a Mermaid flowchart, which many wikis draw (https://mermaid.js.org/syntax/flowchart.html)."""

from collections.abc import Iterator, Mapping
from itertools import count
from textwrap import wrap

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.condensed import CondensedNode
from pykubeproxy.explain.pictures.cards import Card, ResultText, cards, picture, result_texts, verdict_class
from pykubeproxy.explain.words import branch_label, short_step_text, sum_text
from pykubeproxy.netfilter.outcome import BranchResult
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules import names as chain_names

# Characters of a line.
_WIDTH = 56

_STYLES = (
    "classDef packet fill:#0f172a,color:#fff,stroke:#0f172a",
    "classDef stage fill:#f8fafc,color:#0f172a,stroke:#94a3b8,text-align:left",
    "classDef accept fill:#dcfce7,color:#14532d,stroke:#16a34a",
    "classDef refuse fill:#fee2e2,color:#7f1d1d,stroke:#dc2626",
    "classDef lost fill:#fef9c3,color:#713f12,stroke:#ca8a04",
    "classDef undecided fill:#fef3c7,color:#78350f,stroke:#d97706",
)


def as_mermaid(traced: Trace, holders: Mapping[str, AddressHolder]) -> str:
    """A flowchart from top to bottom, with shares and conditions at the edges to branches."""
    shown = picture(traced)
    service = "".join(f"<br/>{_escaped(line)}" for line in (shown.service, shown.note) if line)
    title = f'    p0(["{_escaped(f"{shown.client} → {shown.destination}")}{service}"]):::packet'
    body = _Chart(result_texts(traced, holders)).lines(shown.tree, "p0", "")
    return "\n".join(["flowchart TD", title, *(f"    {line}" for line in (*body, *_STYLES))])


class _Chart:
    """The lines of the flowchart; numbers its boxes."""

    def __init__(self, result_text: ResultText) -> None:
        self._result_text = result_text
        self._numbers = count(1)

    def lines(self, node: CondensedNode, before: str, label: str) -> Iterator[str]:
        """The cards, branches and result of a node; `label` is for the edge from the box `before` it."""
        for card in cards(node.steps):
            yield from self._box(before, label, f'["{_card(card)}"]', "stage")
            before, label = self._last, ""
        for branch in node.branches:
            yield from self.lines(branch, before, _escaped(branch_label(branch)))
        if node.result is not None:
            yield from self._result(before, label, node.result)
        if node.similar:
            total = sum_text(other.probability for other in node.similar)
            names = ", ".join(other.result.dnat or cause_text(other.result.cause) for other in node.similar[:8])
            more = f" and {len(node.similar) - 8} more" if len(node.similar) > 8 else ""
            text = _wrapped(f"{total} likewise to {names}{more}")
            yield from self._box(before, "", f'(["{text}"])', verdict_class(node.similar[0].result.verdict))

    def _result(self, before: str, label: str, result: BranchResult) -> Iterator[str]:
        text = f"<b>{result.verdict}</b><br/>{_wrapped(self._result_text(result))}"
        yield from self._box(before, label, f'(["{text}"])', verdict_class(result.verdict))

    def _box(self, before: str, label: str, shape: str, style: str) -> Iterator[str]:
        self._last = f"p{next(self._numbers)}"
        edge = f'-- "{label}" -->' if label else "-->"
        yield f"{before} {edge} {self._last}{shape}:::{style}"


def _card(card: Card) -> str:
    return "<br/>".join((f"<b>{card.title}</b>", *(_escaped(_line(step)) for step in card.steps)))


def _line(step: Step) -> str:
    chain = f"{chain_names.shortened(step.chain)}: " if step.chain else ""
    return f"{chain}{short_step_text(step)}"


def _wrapped(text: str) -> str:
    """Long text in lines of their own: a box is as wide as its longest line, and viewers clip wide ones."""
    return "<br/>".join(map(_escaped, wrap(text, _WIDTH)))


def _escaped(text: str) -> str:
    """Quotes and angle brackets as Mermaid's entities."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
