"""Chance and questions that cannot be decided: all branches are followed, and only what differs stays undecided."""

import random
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import product

import pytest

from pykubeproxy.explain.event_words import event_text, question_text
from pykubeproxy.netfilter import Action, Environment, Outcome, Trace, TraceNode, Verdict
from pykubeproxy.rules.text import probability
from tests.netfilter.asking import NODE, follow, only, reason_of

GEOIP = "-m geoip --source-country CN"
LIMIT = "-m limit --limit 1/s"
PODS = "-m set --match-set pods src"
HALF = "-m statistic --mode random --probability 0.50000000000"
ACCEPT, DROP, REJECT, UNDECIDED = Verdict.ACCEPT, Verdict.DROP, Verdict.REJECT, Verdict.UNDECIDED
MARKED = "INPUT {} -j MARK --set-mark 0x1\nINPUT"


def filtered(rules: str, environment: Environment = NODE) -> Trace:
    return follow(environment, dump={"filter": rules}, destination="10.0.0.1")


def sides(outcome: Outcome) -> dict[bool, list[tuple[Verdict, Fraction]]]:
    return {side.holds: [(each.verdict, each.probability) for each in side.outcomes] for side in outcome.alternatives}


def certainly(if_so: Verdict, if_not: Verdict) -> dict[bool, list[tuple[Verdict, Fraction]]]:
    return {True: [(if_so, Fraction(1))], False: [(if_not, Fraction(1))]}


@pytest.mark.parametrize(
    ("rules", "reason", "if_so", "if_not"),
    [
        (f"INPUT {GEOIP} -j DROP", GEOIP, DROP, ACCEPT),
        # An inverted match is the same question.
        ("INPUT -m set ! --match-set pods src -j DROP", PODS, ACCEPT, DROP),
        (f"INPUT {GEOIP} {PODS} -j DROP", f"{GEOIP} and {PODS}", DROP, ACCEPT),
        # What the first question decides for nobody is not asked.
        (f"{MARKED.format(GEOIP)} {LIMIT} -j DROP", LIMIT, DROP, ACCEPT),
        # What may change is asked again.
        (f"{MARKED.format(LIMIT)} {LIMIT} -m mark --mark 0x0 -j DROP", LIMIT, ACCEPT, UNDECIDED),
    ],
)
def test_both_sides_are_told(rules: str, reason: str, if_so: Verdict, if_not: Verdict) -> None:
    found = only(filtered(rules))
    assert (found.verdict, reason_of(found)) == (UNDECIDED, f"cannot decide: {reason}")
    assert sides(found) == certainly(if_so, if_not)
    assert {question_text(side.question) for side in found.alternatives} == {reason}


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        (f"INPUT {GEOIP} -j ACCEPT", ACCEPT),
        (f"INPUT {LIMIT} -j LOG\nINPUT -j DROP", DROP),
        (f"INPUT {GEOIP} -j one\none -j RETURN\nINPUT -j DROP", DROP),
        # What does not change is asked once.
        (f"{MARKED.format(PODS)} {PODS} -m mark --mark 0x0 -j DROP", ACCEPT),
        (f"{MARKED.format(PODS)} -m set ! --match-set pods src -m mark --mark 0x1 -j DROP", ACCEPT),
    ],
)
def test_where_both_sides_agree_it_is_decided(rules: str, verdict: Verdict) -> None:
    found = only(filtered(rules))
    assert (found.verdict, found.alternatives) == (verdict, ())


def test_the_path_leads_to_the_question() -> None:
    found = only(filtered(f"INPUT -j MARK --set-mark 0x1\nINPUT {GEOIP} -j DROP"))
    assert [step.action for step in found.path] == [Action.ROUTE, Action.MARK]
    drop = found.alternatives[0].outcomes[0]
    assert [step.action for step in drop.path[2:]] == [Action.UNDECIDED, Action.DROP]
    assert event_text(drop.path[2].event) == f"cannot decide: {GEOIP}; here: yes"
    logged = only(filtered(f"INPUT {LIMIT} -j LOG"))
    assert event_text(logged.path[1].event) == "for some packets: LOG"


def test_what_the_alternatives_have_in_common_is_told() -> None:
    dump = {"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5:80", "filter": f"FORWARD {GEOIP} -j DROP"}
    assert only(follow(dump=dump)).dnat == "10.1.0.5:80"


def test_many_questions_come_to_an_end() -> None:
    asking = (f"INPUT -m geoip --source-country C{number} -j MARK --or-mark {1 << number:#x}" for number in range(30))
    found = filtered("\n".join([*asking, "INPUT -m mark --mark 0x5 -j DROP"]))
    assert sum(each.probability for each in found.outcomes) == 1
    assert any(each.verdict is UNDECIDED for each in found.outcomes)
    jails = filtered("\n".join(f"INPUT -m set --match-set jail{number} src -j REJECT" for number in range(10)))
    assert sides(only(jails))[True] == [(REJECT, Fraction(1))]


def service(endpoints: int) -> Trace:
    lines = ["PREROUTING -j KUBE-SERVICES", "KUBE-SERVICES -d 10.96.0.1/32 -j SVC"]
    for i in range(endpoints):
        chance = f"-m statistic --mode random --probability {probability(1, endpoints - i)} "
        lines.append(f"SVC {chance if i < endpoints - 1 else ''}-j SEP-{i}")
        lines.append(f"SEP-{i} -p tcp -j DNAT --to-destination 10.1.{i // 250}.{i % 250 + 1}:80")
    return follow(dump={"nat": "\n".join(lines), "filter": "FORWARD -m mark --mark 0x1 -j DROP"})


def leaves(root: TraceNode) -> Iterator[TraceNode]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if not node.children:
            yield node


def test_a_random_choice_has_a_branch_for_each_endpoint() -> None:
    found = service(5)
    assert [event_text(step.event) for step in found.tree.steps] == ["→ KUBE-SERVICES", "→ SVC"]
    assert [child.probability for child in found.tree.children] == [Fraction(1, 5)] * 5
    assert [event_text(child.steps[0].event) for child in found.tree.children] == [f"→ SEP-{i}" for i in range(5)]
    results = [leaf.result for leaf in leaves(found.tree)]
    assert [result.dnat for result in results if result] == [f"10.1.0.{number}:80" for number in range(1, 6)]
    assert [step.probability for step in found.outcomes[2].path] == [Fraction(1)] * 2 + [Fraction(1, 5)] * 5


def chances(rules: int) -> Trace:
    marks = (f"FORWARD {HALF} -j MARK --set-mark {number}" for number in range(1, rules + 1))
    return follow(dump={"mangle": "\n".join(marks)})


def test_a_deep_tree_needs_no_deep_stack() -> None:
    found = chances(200)
    assert len(list(leaves(found.tree))) == 201
    assert sum(outcome.probability for outcome in found.outcomes) == 1


def test_too_many_branches_are_given_up() -> None:
    assert reason_of(only(chances(1500))) == "given up: too many branches"


# Whatever the answers to the questions are: the outcomes say what happens then.
SETS = ("a", "b", "c")
Answers = dict[str, bool]
Distribution = dict[tuple[str, str | None, bool], Fraction]


def random_rules(source: random.Random) -> dict[str, str]:
    """Rules that depend on chance and on what some sets hold, in several chains and tables."""
    any_table = ["ACCEPT", "RETURN", "MARK --xor-mark 0x1"]
    to_filter = [*any_table, "DROP", "REJECT", "LOG"]
    to_nat = [*any_table, "DNAT --to-destination 10.1.0.1", "DNAT --to-destination 10.1.0.2"]
    chains = {
        "nat": {"PREROUTING": [*to_nat, "N", "N"], "N": to_nat, "POSTROUTING": [*any_table[1:], "MASQUERADE"]},
        "filter": {"FORWARD": [*to_filter, "F", "F"], "F": [*to_filter, "G", "G"], "G": to_filter},
    }
    return {
        table: "\n".join(
            f"{chain} {_match(source)}-j {source.choice(targets)}"
            for chain, targets in of_table.items()
            for _ in range(source.randint(1, 5))
        )
        for table, of_table in chains.items()
    }


def _match(source: random.Random) -> str:
    choices = (
        *(f"-m set {source.choice(('', '! '))}--match-set {name} src " for name in SETS),
        "-m statistic --mode random --probability 0.25000000000 ",
        f"-m mark --mark {source.randint(0, 1):#x}/0x1 ",
        "",
    )
    return "".join(source.choice(choices) for _ in range(source.choice((1, 1, 2))))


def assume(dump: dict[str, str], answers: Answers) -> dict[str, str]:
    """The same rules, with matches that are sure to succeed or to fail in place of the sets."""
    made = dict(dump)
    for name, holds in answers.items():
        for inversion, is_sure in (("! ", not holds), ("", holds)):
            match = f"-m set {inversion}--match-set {name} src"
            sure = "-m comment --comment yes" if is_sure else "-m mark --mark 0x8/0x8"
            made = {table: rules.replace(match, sure) for table, rules in made.items()}
    return made


def given(outcomes: Iterable[Outcome], answers: Answers) -> Distribution:
    """What the outcomes say for these answers."""
    found: Distribution = {}
    for outcome in outcomes:
        ends = [((outcome.verdict.value, outcome.dnat, outcome.masquerade), outcome.probability)]
        if outcome.alternatives:
            ends = []
        for side in outcome.alternatives:
            if side.holds == all(_answer(part, answers) for part in question_text(side.question).split(" and ")):
                assert sum(each.probability for each in side.outcomes) == outcome.probability
                ends += given(side.outcomes, answers).items()
        for key, share in ends:
            found[key] = found.get(key, Fraction(0)) + share
    return found


def _answer(question: str, answers: Answers) -> bool:
    *inverted, _, _, _, name, _ = question.split()
    return answers[name] != bool(inverted)


@pytest.mark.parametrize("seed", range(150))
def test_every_combination_of_answers(seed: int) -> None:
    dump = random_rules(random.Random(seed))  # noqa: S311 (nothing secret)
    outcomes = follow(dump=dump).outcomes
    assert sum(outcome.probability for outcome in outcomes) == Fraction(1)
    for values in product((True, False), repeat=len(SETS)):
        answers = dict(zip(SETS, values, strict=True))
        assert given(outcomes, answers) == given(follow(dump=assume(dump, answers)).outcomes, answers), answers
