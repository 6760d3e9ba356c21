"""How a large Plan is divided: Services whole, dispatch chains after them, deletions last."""

from pykubeproxy.plan.diff import ChainChange, Plan, diff
from pykubeproxy.plan.sections import SECTION_SIZE, sections, whole
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import service_hash
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import options, port, service, slice_of, snapshot


def large_plan(services: int = 60) -> Plan:
    objects = [service(f"ns/s{i}", f"10.0.0.{i}", ports=(port(node_port=30000 + i),)) for i in range(1, services)]
    slices = [slice_of(f"ns/s{i}", "10.1.0.1", f"10.1.0.{i + 1}") for i in range(1, services)]
    its = options(dispatch=Dispatch.TREE)
    return diff(compile_ruleset(snapshot(*objects, *slices), its), Ruleset(tables={}))


def test_a_small_plan_stays_whole() -> None:
    plan = large_plan(services=10)
    assert len(plan.chains) < SECTION_SIZE
    assert list(sections(plan)) == [plan]
    assert list(whole(large_plan())) == [large_plan()]


def test_a_section_is_about_as_large_as_asked_for() -> None:
    sizes = [len(part.chains) for part in sections(large_plan(), 20)]
    assert sum(sizes) == len(large_plan().chains)
    assert max(sizes) < 20 + 10
    assert len(sizes) > 8


def test_all_chains_of_a_service_are_in_one_section() -> None:
    where = {change.chain: i for i, part in enumerate(sections(large_plan(), 1)) for change in part.chains}
    pairs = {
        (change.chain, target)
        for change in large_plan().chains
        for target in map(target_of, change.after or ())
        if service_hash(change.chain) and service_hash(target)
    }
    assert len(pairs) == 59 * 3, "from KUBE-EXT- to KUBE-SVC-, and from there to two endpoints"
    assert [pair for pair in pairs if where[pair[0]] != where[pair[1]]] == []


def test_jumps_come_with_or_after_what_they_lead_to() -> None:
    made: set[str] = set()
    for part in sections(large_plan(), 20):
        made |= {change.chain for change in part.chains}
        assert {target_of(insert.line) for insert in part.inserts} <= made


def test_what_goes_is_emptied_before_anything_is_deleted() -> None:
    gone = [
        ChainChange(table="nat", chain=f"KUBE-SVC-{i:016}", before=(f"-A KUBE-SVC-{i:016} -j X",), after=None)
        for i in range(10)
    ]
    parts = list(sections(Plan(chains=tuple(gone)), 3))
    kinds = [{change.after for change in part.chains} for part in parts if part.chains]
    assert kinds == [{()}] * 4 + [{None}] * 4
