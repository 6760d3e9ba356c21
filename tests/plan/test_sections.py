"""A large Plan in several commits: what a packet meets in between is as good as before or after."""

from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.host.memory import MemoryHost, copy
from pykubeproxy.plan.diff import ChainChange, Plan, diff, jump_target
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import SECTION_SIZE, sections, whole
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin
from tests.builders import options, port, service, slice_of, snapshot
from tests.live_rules import desired_and_live


def reached(ruleset: Ruleset) -> dict[ChainId, Lines]:
    """The chains that a packet may come to."""
    found: dict[ChainId, Lines] = {}
    todo = [
        (name, chain) for name, table in ruleset.tables.items() for chain in table.chains if is_builtin(name, chain)
    ]
    while todo:
        table, chain = todo.pop()
        if (table, chain) not in found:
            found[table, chain] = lines = ruleset.tables[table].chains[chain]
            targets = {jump_target(line) for line in lines}
            todo += [(table, target) for target in targets if target in ruleset.tables[table].chains]
    return found


@given(desired_and_live(), st.integers(1, 8))
def test_every_chain_on_a_way_is_as_before_or_as_after(both: tuple[Ruleset, Ruleset], size: int) -> None:
    desired, live = both
    host, after = MemoryHost(copy(live)), MemoryHost(copy(live))
    after.restore(Payload(diff(desired, live)))
    for part in sections(diff(desired, live), size):
        host.restore(Payload(part))
        for (table, chain), lines in reached(host.ruleset).items():
            if not is_builtin(table, chain):
                assert lines in (live.lines(table, chain), after.ruleset.lines(table, chain)), chain


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
    for change in large_plan().chains:
        if change.chain.startswith(("KUBE-EXT-", "KUBE-SVC-")) and "10." not in change.chain:
            for target in map(jump_target, change.after or ()):
                if target.startswith(("KUBE-SVC-", "KUBE-SEP-")) and change.table == "nat":
                    is_own = "tcp" not in change.chain
                    assert not is_own or where[target] == where[change.chain], (change.chain, target)


def test_jumps_into_the_doors_come_with_them() -> None:
    parts = list(sections(large_plan(), 20))
    for part in parts:
        targets = {jump_target(insert.line) for insert in part.inserts}
        made = {change.chain for earlier in parts[: parts.index(part) + 1] for change in earlier.chains}
        assert targets <= made


def test_what_goes_is_emptied_before_anything_is_deleted() -> None:
    gone = [
        ChainChange(table="nat", chain=f"KUBE-SVC-{i:016}", before=(f"-A KUBE-SVC-{i:016} -j X",), after=None)
        for i in range(10)
    ]
    parts = list(sections(Plan(chains=tuple(gone)), 3))
    kinds = [{change.after for change in part.chains} for part in parts if part.chains]
    assert kinds == [{()}] * 4 + [{None}] * 4
