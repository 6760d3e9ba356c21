"""A Plan in numbers."""

import pytest

from pykubeproxy.explain.summary import Summary, summarize
from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete, RuleInsert


def change(before: str | None, after: str | None) -> ChainChange:
    """A change of a chain with one rule per letter."""
    lines = [None if text is None else tuple(text) for text in (before, after)]
    return ChainChange(table="nat", chain="C", before=lines[0], after=lines[1])


INSERT = RuleInsert(table="nat", chain="OUTPUT", position=1, line="x")
DELETE = RuleDelete(table="nat", chain="OUTPUT", line="x")
OTHER = RuleInsert(table="filter", chain="OUTPUT", position=1, line="x")


@pytest.mark.parametrize(
    ("plan", "chains", "rules"),
    [
        (Plan(), (0, 0, 0), (0, 0)),
        (Plan(chains=(change(None, "ab"),)), (1, 0, 0), (2, 0)),
        (Plan(chains=(change(None, ""),)), (1, 0, 0), (0, 0)),
        (Plan(chains=(change("ab", None),)), (0, 0, 1), (0, 2)),
        (Plan(chains=(change("abc", "acd"),)), (0, 1, 0), (1, 1)),
        (Plan(chains=(change("ab", "ba"),)), (0, 1, 0), (0, 0)),
        (Plan(chains=(change("a", "aaa"),)), (0, 1, 0), (2, 0)),
        (Plan(chains=(change("ab", ""),)), (0, 1, 0), (0, 2)),
        (Plan(inserts=(INSERT, INSERT, OTHER)), (0, 2, 0), (3, 0)),
        (Plan(inserts=(INSERT,), deletes=(DELETE,)), (0, 1, 0), (1, 1)),
        (Plan(chains=(change(None, "a"), change("a", None), change("a", "b"))), (1, 1, 1), (2, 2)),
    ],
)
def test_counts(plan: Plan, chains: tuple[int, int, int], rules: tuple[int, int]) -> None:
    found = summarize(plan)
    assert (found.chains_added, found.chains_changed, found.chains_removed) == chains
    assert (found.rules_added, found.rules_removed) == rules


def test_words() -> None:
    both = summarize(Plan(chains=(change(None, "ab"),))) + summarize(Plan(chains=(change("a", None),)))
    assert both == Summary(chains_added=1, chains_removed=1, rules_added=2, rules_removed=1)
    assert str(both) == "1 chains to add, 0 to change, 1 to remove; +2/-1 rules"
