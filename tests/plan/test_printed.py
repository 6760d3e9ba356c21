"""Rules that tools print in other words than they were written in: they pass for right once they were written."""

import pytest

from pykubeproxy.plan.diff import Plan, diff
from pykubeproxy.plan.printed import PrintedForms, is_doubtful, jumps_inserted_twice
from pykubeproxy.rules.ruleset import Ruleset, Table

ID, INPUT = ("filter", "KUBE-FORWARD"), ("filter", "INPUT")
WRITTEN, PRINTED = "-A KUBE-FORWARD --set-xmark 0x1 -j X", "-A KUBE-FORWARD --or-mark 0x1 -j X"
OTHER_WAY = "-A KUBE-FORWARD -j Y"
JUMP = "-A INPUT -m comment --comment hi -j KUBE-FORWARD"
PRINTED_JUMP = JUMP.replace("--comment", "--comment ")
ELSEWHERE = "-A INPUT -j KUBE-OTHER"


def rules(*lines: str) -> Ruleset:
    chains: dict[str, tuple[str, ...]] = {"INPUT": (), "KUBE-FORWARD": ()}
    for line in lines:
        chains[line.split()[1]] += (line,)
    return Ruleset(tables={"filter": Table(chains=chains)})


DESIRED = rules(JUMP, WRITTEN)


@pytest.mark.parametrize(
    ("live", "doubtful"),
    [
        ([JUMP, PRINTED], True),
        ([JUMP, OTHER_WAY], False),
        ([JUMP, PRINTED, PRINTED], False),
        ([JUMP], False),
        ([PRINTED_JUMP, WRITTEN], True),
        ([ELSEWHERE, WRITTEN], False),
    ],
)
def test_what_may_be_the_same_in_other_words(live: list[str], *, doubtful: bool) -> None:
    assert is_doubtful(diff(DESIRED, rules(*live)), rules(*live)) is doubtful


def learned(before: list[str], after: list[str]) -> tuple[PrintedForms, Plan, set[tuple[str, str]]]:
    """What is known after a Plan for the rules `before`, carried out, that has left those `after`."""
    forms, plan = PrintedForms(), diff(DESIRED, rules(*before))
    forms.confirm(has_foreign_change=True)  # nothing was learned yet
    return forms, plan, forms.learn(plan, rules(*after))


@pytest.mark.parametrize(
    ("before", "after", "same", "twice", "is_right"),
    [
        ([JUMP, PRINTED], [JUMP, PRINTED], {ID}, 0, True),
        ([JUMP, PRINTED], [JUMP, WRITTEN], set(), 0, True),
        ([JUMP, OTHER_WAY], [JUMP, OTHER_WAY], set(), 0, False),
        ([WRITTEN], [PRINTED_JUMP, WRITTEN], {INPUT}, 0, True),
        ([WRITTEN], [JUMP, PRINTED_JUMP, WRITTEN], set(), 0, True),
        ([WRITTEN], [ELSEWHERE, WRITTEN], set(), 0, False),
        ([PRINTED_JUMP, WRITTEN], [PRINTED_JUMP, PRINTED_JUMP, WRITTEN], {INPUT}, 1, True),
        ([PRINTED_JUMP, WRITTEN], [PRINTED_JUMP, WRITTEN], {INPUT}, 0, True),
        ([WRITTEN], [PRINTED_JUMP, PRINTED_JUMP, WRITTEN], {INPUT}, 0, True),
    ],
    ids=[
        "chain",
        "was different",
        "leads elsewhere",
        "jump",
        "both forms",
        "no jump",
        "jump twice",
        "replaced",
        "never before",
    ],
)
def test_what_looks_the_same_once_it_is_written(
    before: list[str], after: list[str], same: set[tuple[str, str]], twice: int, *, is_right: bool
) -> None:
    forms, plan, found = learned(before, after)
    assert found == same
    deleted = jumps_inserted_twice(plan, rules(*before), rules(*after))
    assert [(each.table, each.chain, each.line) for each in deleted] == [(*INPUT, JUMP)] * twice
    live = rules(*after)
    forms.translate(live, DESIRED)
    assert diff(DESIRED, live).is_empty is is_right


@pytest.mark.parametrize("has_foreign_change", [False, True])
def test_it_is_kept_unless_another_program_was_at_work(*, has_foreign_change: bool) -> None:
    forms, _, _ = learned([PRINTED], [PRINTED_JUMP, PRINTED])
    forms.confirm(has_foreign_change=has_foreign_change)
    forms.confirm(has_foreign_change=True)  # that is about what came after
    found = [ELSEWHERE, PRINTED_JUMP, PRINTED]
    live = rules(*found)
    forms.translate(live, DESIRED)
    assert live == (rules(*found) if has_foreign_change else rules(ELSEWHERE, JUMP, WRITTEN))


def test_it_is_about_these_rules_and_forgotten_once_others_are_wanted() -> None:
    forms, _, _ = learned([JUMP, PRINTED], [JUMP, PRINTED])
    live = rules(JUMP, OTHER_WAY)
    forms.translate(live, DESIRED)
    assert live == rules(JUMP, OTHER_WAY)
    live = rules(JUMP, PRINTED)
    forms.translate(live, rules(JUMP, OTHER_WAY))
    forms.translate(live, DESIRED)
    assert live == rules(JUMP, PRINTED)
