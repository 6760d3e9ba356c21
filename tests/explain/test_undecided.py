"""A trace with many questions: each rule that asks one is there once, and so is each end."""

from fractions import Fraction
from pathlib import Path

from pykubeproxy.explain.condensed import condense
from pykubeproxy.explain.undecided import NumberedAnswer, UndecidedSummary, steps_of_all, summarize_undecided
from pykubeproxy.explain.words import asked_question_text, possible_end_text
from pykubeproxy.netfilter import Verdict
from pykubeproxy.netfilter import trace as simulate
from pykubeproxy.rules.parse import parse
from tests.netfilter.asking import NODE, follow, packet

CALICO = Path(__file__).parents[1] / "netfilter/foreign/calico.save"
ENDPOINTS = (
    "PREROUTING -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.1.0.1:80\n"
    "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.2:80"
)
SET_A, SET_B = "-m set --match-set a src", "-m set --match-set b src"


def summary(filters: str) -> UndecidedSummary | None:
    return summarize_undecided(follow(dump={"nat": ENDPOINTS, "filter": filters}))


def test_what_is_asked_for_each_endpoint_is_one_question() -> None:
    found = summary(f"FORWARD {SET_A} -j DROP")
    assert found is not None
    assert found.probability == 1
    assert [asked_question_text(each) for each in found.questions] == [f"{SET_A}  (rule 1 of FORWARD in filter)"]
    assert [(end.outcome.verdict, end.answers, end.others) for end in found.ends] == [
        (Verdict.DROP, (NumberedAnswer(1, holds=True),), ("10.1.0.2:80",)),
        (Verdict.ACCEPT, (NumberedAnswer(1, holds=False),), ("10.1.0.2:80",)),
    ]
    assert possible_end_text(found.ends[1]) == "if not 1: sent to 10.1.0.1:80, or likewise to 10.1.0.2:80"


def test_only_answers_that_an_end_takes_are_named() -> None:
    found = summary(f"FORWARD {SET_A} -j N\nFORWARD {SET_B} -j DROP\nN {SET_B} -j REJECT\nN -p tcp -j ACCEPT")
    assert found is not None
    ends = {end.outcome.verdict: [(its.number, its.holds) for its in end.answers] for end in found.ends}
    assert ends == {
        Verdict.REJECT: [(1, True), (2, True)],
        Verdict.DROP: [(1, False), (2, True)],
        Verdict.ACCEPT: [(2, False)],
    }


def test_a_single_question_is_no_matter_for_a_summary() -> None:
    assert summary("FORWARD -p udp -j DROP") is None
    assert summarize_undecided(follow(dump={"nat": ENDPOINTS, "raw": f"PREROUTING {SET_A} -j DROP"})) is None


def test_what_is_decided_is_left_out() -> None:
    found = summary(f"FORWARD -d 10.1.0.1/32 -j ACCEPT\nFORWARD {SET_A} -j N\nN {SET_B} -j DROP")
    assert found is not None
    assert found.probability == Fraction(1, 2)
    assert [end.others for end in found.ends] == [(), ()]


def test_the_steps_are_those_of_services() -> None:
    ruleset = parse(CALICO.read_text().splitlines())
    traced = simulate(ruleset, packet(source="10.244.0.9", destination="10.96.0.10"), NODE)
    steps = steps_of_all(condense(traced.tree))
    assert [(step.hook, step.table) for step in steps] == [
        *[("PREROUTING", "nat")] * 4,
        ("ROUTING", ""),
        ("POSTROUTING", "nat"),
    ]
