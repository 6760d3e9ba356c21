"""All branches as a tree."""

from collections.abc import Iterator
from fractions import Fraction

from pykubeproxy.explain.event_words import event_text
from pykubeproxy.netfilter import Action, Trace, TraceNode, Verdict
from pykubeproxy.rules.text import probability
from tests.netfilter.asking import follow, reason_of


def service(endpoints: int) -> Trace:
    lines = ["PREROUTING -j KUBE-SERVICES", "KUBE-SERVICES -d 10.96.0.1/32 -j SVC", "KUBE-SERVICES -j ACCEPT"]
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


def test_a_way_without_branches_is_one_node() -> None:
    tree = follow(dump={"filter": "FORWARD -j one\none -j DROP"}).tree
    assert tree.children == ()
    assert [step.action for step in tree.steps] == [Action.ROUTE, Action.JUMP, Action.DROP]
    assert tree.result is not None
    assert tree.result.verdict is Verdict.DROP


def test_a_random_choice_has_a_branch_for_each_endpoint() -> None:
    tree = service(5).tree
    assert [event_text(step.event) for step in tree.steps] == ["→ KUBE-SERVICES", "→ SVC"]
    assert [child.probability for child in tree.children] == [Fraction(1, 5)] * 5
    assert [event_text(child.steps[0].event) for child in tree.children] == [f"→ SEP-{number}" for number in range(5)]
    results = [leaf.result for leaf in leaves(tree)]
    assert [result.dnat for result in results if result] == [f"10.1.0.{number}:80" for number in range(1, 6)]


def test_steps_carry_their_share_of_all_packets() -> None:
    found = service(4)
    assert [step.probability for step in found.outcomes[2].path] == [Fraction(1)] * 2 + [Fraction(1, 4)] * 5


def test_a_question_has_two_branches_with_everything_each() -> None:
    tree = follow(dump={"filter": "FORWARD -m geoip --source-country CN -j DROP"}).tree
    assert [child.probability for child in tree.children] == [1, 1]
    assert {child.steps[0].action for child in tree.children} == {Action.UNDECIDED}
    assert {leaf.result.verdict for leaf in leaves(tree) if leaf.result} == {Verdict.DROP, Verdict.ACCEPT}


def test_a_thousand_endpoints() -> None:
    found = service(1000)
    assert len(found.outcomes) == 1000
    assert {outcome.probability for outcome in found.outcomes} == {Fraction(1, 1000)}
    assert len(found.tree.children) == 1000


def chances(rules: int) -> Trace:
    return follow(
        dump={
            "mangle": "\n".join(
                f"FORWARD -m statistic --mode random --probability 0.5 -j MARK --set-mark {number}"
                for number in range(1, rules + 1)
            )
        }
    )


def test_a_deep_tree_needs_no_deep_stack() -> None:
    found = chances(200)
    assert len(list(leaves(found.tree))) == 201
    assert sum(outcome.probability for outcome in found.outcomes) == 1


def test_too_many_branches_are_given_up() -> None:
    found = chances(1500)
    assert [(each.verdict, reason_of(each)) for each in found.outcomes] == [
        (Verdict.UNDECIDED, "given up: too many branches")
    ]
