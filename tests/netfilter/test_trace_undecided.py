"""Both answers to a question that cannot be decided are followed, and only what differs stays undecided."""

from fractions import Fraction

from pykubeproxy.explain.event_words import event_text, question_text
from pykubeproxy.netfilter import Action, Environment, Outcome, Trace, Verdict
from tests.netfilter.asking import follow, only, reason_of

TO_NODE = "10.0.0.1"
GEOIP = "-m geoip --source-country CN"
WHOLE = Fraction(1)
HALF = "-m statistic --mode random --probability 0.50000000000"


def filtered(rules: str, environment: Environment | None = None) -> Trace:
    if environment is not None:
        return follow(environment, dump={"filter": rules}, destination=TO_NODE)
    return follow(dump={"filter": rules}, destination=TO_NODE)


def sides(outcome: Outcome) -> dict[bool, list[tuple[Verdict, Fraction]]]:
    return {side.holds: [(each.verdict, each.probability) for each in side.outcomes] for side in outcome.alternatives}


def test_both_sides_are_told() -> None:
    found = only(filtered(f"INPUT {GEOIP} -j DROP"))
    assert (found.verdict, reason_of(found)) == (Verdict.UNDECIDED, f"cannot decide: {GEOIP}")
    assert sides(found) == {True: [(Verdict.DROP, WHOLE)], False: [(Verdict.ACCEPT, WHOLE)]}
    assert {question_text(side.question) for side in found.alternatives} == {GEOIP}


def test_an_inverted_match_is_the_same_question() -> None:
    found = only(filtered("INPUT -m set ! --match-set good src -j DROP"))
    assert reason_of(found) == "cannot decide: -m set --match-set good src"
    assert sides(found) == {True: [(Verdict.ACCEPT, WHOLE)], False: [(Verdict.DROP, WHOLE)]}


def test_where_both_sides_agree_it_is_decided() -> None:
    assert only(filtered(f"INPUT {GEOIP} -j DROP\nINPUT -j DROP")).verdict is Verdict.UNDECIDED
    same = only(filtered(f"INPUT {GEOIP} -j ACCEPT"))
    assert (same.verdict, same.alternatives) == (Verdict.ACCEPT, ())


def test_what_only_writes_a_log_is_no_fork() -> None:
    found = only(filtered("INPUT -m limit --limit 5/min -j LOG\nINPUT -j DROP"))
    assert found.verdict is Verdict.DROP
    assert event_text(found.path[1].event) == "for some packets: LOG"


def test_a_chain_that_only_returns_is_no_fork() -> None:
    found = only(filtered(f"INPUT {GEOIP} -j one\none -j RETURN\nINPUT -j DROP"))
    assert (found.verdict, found.alternatives) == (Verdict.DROP, ())


def test_only_the_share_that_depends_on_it_is_undecided() -> None:
    found = filtered(f"INPUT {HALF} -j REJECT\nINPUT {GEOIP} -j DROP")
    assert [(each.verdict, each.probability) for each in found.outcomes] == [
        (Verdict.REJECT, Fraction(1, 2)),
        (Verdict.UNDECIDED, Fraction(1, 2)),
    ]
    assert sides(found.outcomes[1]) == {
        True: [(Verdict.DROP, Fraction(1, 2))],
        False: [(Verdict.ACCEPT, Fraction(1, 2))],
    }


def test_what_both_sides_have_in_common_is_decided() -> None:
    found = filtered(f"INPUT {GEOIP} -j one\none {HALF} -j DROP")
    shares = {each.verdict: each.probability for each in found.outcomes}
    assert shares == {Verdict.ACCEPT: Fraction(1, 2), Verdict.UNDECIDED: Fraction(1, 2)}


def test_questions_within_questions() -> None:
    found = only(filtered(f"INPUT {GEOIP} -j DROP\nINPUT -m limit --limit 1/s -j ACCEPT\nINPUT -j REJECT"))
    inner = found.alternatives[1].outcomes[0]
    assert (inner.verdict, reason_of(inner)) == (Verdict.UNDECIDED, "cannot decide: -m limit --limit 1/s")
    assert sides(inner) == {True: [(Verdict.ACCEPT, WHOLE)], False: [(Verdict.REJECT, WHOLE)]}


def test_the_same_question_later_on_is_a_question_of_its_own() -> None:
    rules = f"INPUT {GEOIP} -j MARK --set-mark 0x1\nINPUT -m limit --limit 1/s -j DROP"
    found = only(filtered(rules))
    assert reason_of(found) == "cannot decide: -m limit --limit 1/s"
    assert sides(found) == {True: [(Verdict.DROP, WHOLE)], False: [(Verdict.ACCEPT, WHOLE)]}


def test_what_does_not_change_is_asked_once() -> None:
    match = "-m set --match-set pods src"
    rules = f"INPUT {match} -j MARK --set-mark 0x1\nINPUT {match} -m mark --mark 0x0 -j DROP"
    assert only(filtered(rules)).verdict is Verdict.ACCEPT
    opposite = match.replace("--m", "! --m")
    rules = f"INPUT {match} -j MARK --set-mark 0x1\nINPUT {opposite} -m mark --mark 0x1 -j DROP"
    assert only(filtered(rules)).verdict is Verdict.ACCEPT


def test_what_may_change_is_asked_again() -> None:
    rules = "INPUT -m limit --limit 1/s -j MARK --set-mark 0x1\nINPUT -m limit --limit 1/s -m mark --mark 0x0 -j DROP"
    assert only(filtered(rules)).verdict is Verdict.UNDECIDED


def test_several_questions_of_one_rule_are_asked_together() -> None:
    found = only(filtered(f"INPUT {GEOIP} -m set ! --match-set good src -j DROP"))
    assert reason_of(found) == f"cannot decide: {GEOIP} and not -m set --match-set good src"


def test_chance_and_question_in_one_rule() -> None:
    found = filtered(f"INPUT {GEOIP} {HALF} -j DROP")
    assert {each.verdict: each.probability for each in found.outcomes} == {
        Verdict.ACCEPT: Fraction(1, 2),
        Verdict.UNDECIDED: Fraction(1, 2),
    }


def test_what_the_alternatives_have_in_common_is_told() -> None:
    dump = {
        "nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5:80",
        "filter": f"FORWARD {GEOIP} -j DROP",
    }
    assert only(follow(dump=dump)).dnat == "10.1.0.5:80"


def test_the_path_leads_to_the_question() -> None:
    found = only(filtered(f"INPUT -j MARK --set-mark 0x1\nINPUT {GEOIP} -j DROP"))
    assert [step.action for step in found.path] == [Action.ROUTE, Action.MARK]
    drop = found.alternatives[0].outcomes[0]
    assert [step.action for step in drop.path[2:]] == [Action.UNDECIDED, Action.DROP]
    assert event_text(drop.path[2].event) == f"cannot decide: {GEOIP}; here: yes"


def test_whose_address_it_is_may_be_unknown() -> None:
    found = only(filtered("INPUT -j DROP", Environment()))
    assert reason_of(found) == "cannot decide: 10.0.0.1 is an address of this node"
    assert sides(found) == {True: [(Verdict.DROP, WHOLE)], False: [(Verdict.ACCEPT, WHOLE)]}


def test_the_routing_decision_knows_what_a_rule_has_asked() -> None:
    dump = {
        "mangle": "PREROUTING -m addrtype --dst-type LOCAL -j MARK --set-mark 0x1",
        "filter": "FORWARD -m mark --mark 0x1 -j DROP",
    }
    found = only(follow(Environment(), dump=dump))
    assert found.verdict is Verdict.UNDECIDED
    assert {each.verdict for side in found.alternatives for each in side.outcomes} == {Verdict.ACCEPT}


def test_many_questions_come_to_an_end() -> None:
    rules = "\n".join(
        f"INPUT -m geoip --source-country C{number} -j MARK --or-mark {1 << number:#x}" for number in range(30)
    )
    found = filtered(f"{rules}\nINPUT -m mark --mark 0x5 -j DROP")
    assert sum(each.probability for each in found.outcomes) == 1
    assert any(each.verdict is Verdict.UNDECIDED for each in found.outcomes)


def test_many_refusals_are_no_trouble() -> None:
    rules = "\n".join(f"INPUT -m set --match-set jail{number} src -j REJECT" for number in range(10))
    found = only(filtered(rules))
    assert found.verdict is Verdict.UNDECIDED
    assert sides(found)[True] == [(Verdict.REJECT, WHOLE)]
