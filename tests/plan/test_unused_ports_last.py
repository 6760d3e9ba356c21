"""Nobody is refused at a port of a new Service before its rules are complete."""

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Verdict
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, sections, whole
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RejectUnused
from pykubeproxy.rules.reading import read
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import options, service, slice_of, snapshot
from tests.memory_host import MemoryHost
from tests.packets import CLIENTS, Destination, Walk
from tests.plan.commits import commits

REFUSING = options(dispatch=Dispatch.TREE, reject_unused=RejectUnused.ALL)
CLIENT = CLIENTS[Family.IPV4][0]
OLD, NEW = (Destination(f"10.96.0.{number}", "tcp", 80) for number in (1, 40))


def ruleset(*numbers: int) -> Ruleset:
    objects: list[Object] = []
    for number in numbers:
        objects += [service(f"ns/s{number}", f"10.96.0.{number}"), slice_of(f"ns/s{number}", "10.0.0.7")]
    return compile_ruleset(snapshot(*objects), REFUSING)


def verdicts(rules: Ruleset, destination: Destination) -> set[tuple[Verdict, str | None]]:
    return {each[:2] for each in Walk(rules).fate(destination, CLIENT)}


@pytest.mark.parametrize("split", [whole, sections])
def test_a_new_service_is_served_before_its_other_ports_are_refused(split: Split) -> None:
    host = MemoryHost(ruleset(1))
    seen = []
    for part in commits(Payload(*split(diff(ruleset(1, 40), host.save())))):
        host.restore(part)
        seen.append(verdicts(host.ruleset, NEW))
        assert verdicts(host.ruleset, OLD) == {(Verdict.ACCEPT, "10.0.0.7:80")}
        assert verdicts(host.ruleset, OLD._replace(port=81)) == {(Verdict.REJECT, None)}
    assert {(Verdict.REJECT, None)} not in seen
    assert seen[-1] == {(Verdict.ACCEPT, "10.0.0.7:80")}
    assert verdicts(host.ruleset, NEW._replace(port=81)) == {(Verdict.REJECT, None)}


def test_a_rule_that_moves_in_the_tree_moves_at_once() -> None:
    """One Service more may give the others chains of their own; nothing about them waits for a second Plan."""
    few, many = ruleset(*range(1, 17)), ruleset(*range(1, 18))
    first, last = whole(diff(many, few))
    assert any(change.chain.startswith("KUBE-SVC-10.96") for change in first.chains if change.table == "filter")
    added = [line for change in last.chains for line in set(change.after or ()) - set(change.before or ())]
    assert [read(line).address for line in added] == ["10.96.0.17"]


def test_without_such_rules_a_plan_stays_as_it_is() -> None:
    plan = diff(compile_ruleset(snapshot(service()), options()), Ruleset(tables={}))
    assert list(whole(plan)) == [plan]
