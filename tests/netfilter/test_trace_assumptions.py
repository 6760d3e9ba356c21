"""Whatever the answers to undecidable questions are: the outcomes say what happens then."""

import random
from collections.abc import Iterable
from fractions import Fraction
from itertools import product

import pytest

from pykubeproxy.explain.event_words import question_text
from pykubeproxy.netfilter import Outcome
from tests.netfilter.asking import follow

SETS = ("a", "b", "c")
Answers = dict[str, bool]
Distribution = dict[tuple[str, str | None, bool], Fraction]


def random_rules(source: random.Random) -> dict[str, str]:
    """Rules that depend on chance and on what some sets hold, in several chains and tables."""
    nat, filters = [], []
    for chain, deeper in (("PREROUTING", "N"), ("N", ""), ("POSTROUTING", "")):
        nat += [f"{chain} {_match(source)}-j {_nat_target(source, chain, deeper)}" for _ in range(source.randint(1, 4))]
    for chain, deeper in (("FORWARD", "F"), ("F", "G"), ("G", "")):
        filters += [f"{chain} {_match(source)}-j {_filter_target(source, deeper)}" for _ in range(source.randint(1, 5))]
    return {"nat": "\n".join([*nat, "N -p udp"]), "filter": "\n".join([*filters, "F -p udp", "G -p udp"])}


def _match(source: random.Random) -> str:
    return "".join(
        source.choice(
            (
                *(f"-m set {source.choice(('', '! '))}--match-set {name} src " for name in SETS),
                "-m statistic --mode random --probability 0.25000000000 ",
                f"-m mark --mark {source.randint(0, 1):#x}/0x1 ",
                "",
            )
        )
        for _ in range(source.choice((1, 1, 2)))
    )


def _nat_target(source: random.Random, chain: str, deeper: str) -> str:
    if chain == "POSTROUTING":
        return source.choice(("MASQUERADE", "RETURN", "MARK --xor-mark 0x1"))
    targets = ["MARK --xor-mark 0x1", "RETURN", "ACCEPT", f"DNAT --to-destination 10.1.0.{source.randint(1, 3)}"]
    return source.choice([*targets, *([deeper, deeper] if deeper else [])])


def _filter_target(source: random.Random, deeper: str) -> str:
    targets = ["ACCEPT", "DROP", "REJECT", "RETURN", "MARK --xor-mark 0x1", "LOG"]
    return source.choice([*targets, *([deeper, deeper] if deeper else [])])


def assume(dump: dict[str, str], answers: Answers) -> dict[str, str]:
    """The same rules, with matches that are sure to succeed or to fail in place of the sets."""
    made = dict(dump)
    for table, rules in made.items():
        text = rules
        for name, holds in answers.items():
            for inverted in (True, False):
                match = f"-m set {'! ' if inverted else ''}--match-set {name} src"
                text = text.replace(
                    match, "-m comment --comment yes" if holds != inverted else "-m mark --mark 0x8/0x8"
                )
        made[table] = text
    return made


def given(outcomes: Iterable[Outcome], answers: Answers) -> Distribution:
    """What the outcomes say for these answers."""
    found: Distribution = {}
    for outcome in outcomes:
        ends = (
            []
            if outcome.alternatives
            else [((outcome.verdict.value, outcome.dnat, outcome.masquerade), outcome.probability)]
        )
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
