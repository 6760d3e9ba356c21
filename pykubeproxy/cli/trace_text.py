"""`trace --output text`: the outcomes with their probabilities as bars, then the way of the packet as a tree."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

import click

from pykubeproxy.explain.cluster_view import AddressHolder, address_of
from pykubeproxy.explain.condensed import BranchCondition, CondensedNode, condense, is_arrival, service_of
from pykubeproxy.explain.undecided import UndecidedSummary, steps_of_all, summarize_undecided
from pykubeproxy.explain.words import (
    ALWAYS,
    ONE_OF_THESE_ENDS,
    asked_question_text,
    client_text,
    condition_text,
    depends_text,
    destination_text,
    holder_text,
    likewise_text,
    not_looked_at_text,
    place_text,
    possible_end_text,
    remembered_client_texts,
    rest_text,
    result_text,
    share_text,
    step_comment,
    step_text,
)
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.netfilter import Action, Outcome, Step, Trace, Verdict
from pykubeproxy.netfilter.outcome import BranchResult, decided
from pykubeproxy.netfilter.unseen import could_change

_BAR = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"
_COLORS = {Verdict.ACCEPT: "green", Verdict.DROP: "red", Verdict.REJECT: "red"}
_SIGNS = {Verdict.ACCEPT: "✔", Verdict.LOST: "!", Verdict.DROP: "✘", Verdict.REJECT: "✘", Verdict.UNDECIDED: "?"}

# Up to so many outcomes or similar branches are listed.
_LISTED = 8


Addition = Callable[[Outcome], str]
"""The tables that could change an outcome, in words to be added to its line."""


def as_text(
    traced: Trace,
    again: Trace | None = None,
    not_looked_at: Sequence[NftTable] = (),
    holders: Mapping[str, AddressHolder] | None = None,
    *,
    every_step: bool = False,
) -> str:
    """The text for a trace; with `every_step`, also the rules that led to nothing, and each branch by itself.

    `again` is the trace of a client that session affinity remembers. An outcome names the tables, of those that were
    `not_looked_at`, which could change it. `holders` are the pods and nodes that have addresses.
    """
    known = holders or {}

    def unseen(outcome: Outcome) -> str:
        return not_looked_at_text(could_change(outcome, traced.packet, not_looked_at))

    def addition(outcome: Outcome) -> str:
        holder = known.get(address_of(outcome, traced.packet))
        return f"{unseen(outcome)}{_comment(holder_text(holder))}"

    summary, summary_again = (
        None if every_step or each is None else summarize_undecided(each) for each in (traced, again)
    )
    title = f"{click.style(_title(traced), bold=True)}{_comment(holder_text(known.get(traced.packet.source.text)))}"
    lines = [title, "", *_ends(traced, summary, addition if summary is None else unseen)]
    if again is not None:
        lines += ["", *remembered_client_texts(traced.affinity[0])]
        lines += (f"  {line}" for line in _ends(again, summary_again, addition if summary_again is None else unseen))
    node = condense(traced.tree, all_steps=every_step)
    if summary is not None:
        node = CondensedNode(probability=node.probability, steps=steps_of_all(node))
    return "\n".join([*lines, "", *_TreeText().lines(node)])


def _title(traced: Trace) -> str:
    packet = traced.packet
    service = service_of(step for outcome in decided(traced.outcomes) for step in outcome.path)
    named = f"  ({service})" if service else ""
    return f"{client_text(packet)} → {destination_text(packet)}{named}"


def _ends(traced: Trace, summary: UndecidedSummary | None, addition: Addition) -> Iterator[str]:
    if summary is None:
        yield from _results(traced.outcomes, addition)
        return
    yield from _results([outcome for outcome in traced.outcomes if not outcome.alternatives], addition)
    yield from _undecided(summary, addition)


def _results(outcomes: Sequence[Outcome], addition: Addition, indent: str = "") -> Iterator[str]:
    shown = outcomes if len(outcomes) <= _LISTED + 1 else outcomes[:_LISTED]
    for outcome in shown:
        yield f"{indent}{_verdict(outcome)}  {_share(outcome.probability)}  {result_text(outcome)}{addition(outcome)}"
        for alternative in outcome.alternatives:
            yield f"{indent}    {condition_text(BranchCondition(alternative.question, alternative.holds))}:"
            yield from _results(alternative.outcomes, addition, f"{indent}    ")
    rest = outcomes[len(shown) :]
    if rest:
        yield f"{indent}{rest_text([each.probability for each in rest])}"


def _undecided(summary: UndecidedSummary, addition: Addition) -> Iterator[str]:
    """The questions, each once, and then the ends, each once."""
    verdict = _colored(Verdict.UNDECIDED)
    yield f"{verdict}  {_share(summary.probability)}  {depends_text(len(summary.questions))}"
    for number, asked in enumerate(summary.questions, 1):
        yield f"   {number:>2}  {asked_question_text(asked)}"
    yield ONE_OF_THESE_ENDS
    for end in summary.ends:
        yield f"  {_verdict(end.outcome)}  {possible_end_text(end)}{addition(end.outcome)}"


def _verdict(result: Outcome | BranchResult) -> str:
    return _colored(result.verdict)


def _colored(verdict: Verdict) -> str:
    return click.style(f"{_SIGNS[verdict]} {verdict}", fg=_COLORS.get(verdict, "yellow"), bold=True)


def _share(probability: Fraction) -> str:
    """A probability as a bar and in numbers: `█████▎           33.3% 1/3`."""
    if probability == 1:
        return ALWAYS
    full, part = divmod(round(float(probability) * _BAR * 8), 8)
    bar = click.style(f"{'█' * full}{_EIGHTHS[part] if part else ''}".ljust(_BAR), fg="cyan")
    return f"{bar} {share_text(probability, 6)}"


class _TreeText:
    """The tree in lines. Hook and table stand above the first step that is in them."""

    def lines(self, node: CondensedNode, indent: str = "", heading: tuple[str, str] = ("", "")) -> Iterator[str]:
        """The lines of a node: its steps, then its branches."""
        for step in node.steps:
            if is_arrival(step):
                continue
            now = (step.hook, step.table)
            if now != heading:
                yield f"{indent}{click.style(_heading(step), bold=True)}"
                heading = now
            yield f"{indent}  {_step(step)}"
        # Without branches, the result is the only outcome, which stands above the tree.
        if node.result is not None and indent:
            yield f"{indent}{_verdict(node.result)}  {result_text(node.result)}"
        for number, branch in enumerate(node.branches, 1):
            is_last = number == len(node.branches)
            corner = "└" if is_last and not branch.similar else "├"
            label = condition_text(branch.condition) if branch.condition else _share(branch.probability)
            yield f"{indent}  {corner}─ {label}"
            bar = " " if is_last and not branch.similar else "│"
            yield from self.lines(branch, f"{indent}  {bar}  ", heading)
            yield from _similar(branch, f"{indent}  ", is_last=is_last)


def _heading(step: Step) -> str:
    return f"{step.hook} {step.table}".strip()


def _step(step: Step) -> str:
    text = f"{place_text(step)}: {step_text(step)}" if step.chain else step_text(step)
    if step.action is Action.UNDECIDED:
        text = click.style(text, fg="yellow")
    return f"{text}{_comment(step_comment(step))}"


def _comment(text: str) -> str:
    return click.style(f"  # {text}", dim=True) if text else ""


def _similar(branch: CondensedNode, indent: str, *, is_last: bool) -> Iterator[str]:
    """The lines of the branches that are similar to one."""
    shown = branch.similar if len(branch.similar) <= _LISTED + 1 else branch.similar[:_LISTED]
    rest = branch.similar[len(shown) :]
    for number, other in enumerate(shown, 1):
        corner = "└" if is_last and not rest and number == len(shown) else "├"
        yield f"{indent}{corner}─ {_share(other.probability)}  {likewise_text(other.result)}"
    if rest:
        corner = "└" if is_last else "├"
        yield f"{indent}{corner}─ {rest_text([each.probability for each in rest])}"
