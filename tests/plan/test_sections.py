"""Sectioned commits: wherever a restore is interrupted, every packet fares as before all of it or as after."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan.cleanup import cleanup
from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete, diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import SECTION_SIZE, sections, whole
from pykubeproxy.rules import names
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import ChainNames, is_stale_candidate, service_hash
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin
from pykubeproxy.rules.text import RuleKind
from tests.builders import options, port, service, service_port, slice_of, snapshot
from tests.clusters import served, small_parts
from tests.memory_host import MemoryHost
from tests.packets import CLIENTS, UNRELATED, Walk, destinations
from tests.plan.commits import commits
from tests.strategies import rule_options


def one_in(share: int) -> settings:
    """A share of the usual number of examples.

    A failure is best looked at as it is found: to make it smaller, thousands of packets would be walked over and over.
    """
    return settings(max_examples=settings().max_examples // share, phases=(Phase.generate,))


class Change(Struct, frozen=True, kw_only=True):
    """The rules of a node before and after; before it has any, or after they were cleaned up, there are none."""

    family: Family
    old: Ruleset
    new: Ruleset
    is_cleanup: bool

    def plan(self, live: Ruleset) -> Plan:
        """What is left to do."""
        return cleanup(live) if self.is_cleanup else diff(self.new, live)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Of some Services, some stay, some change in anything but their name, some come and some go."""
    its: RuleOptions = draw(rule_options())
    before: list[Object] = []
    after: list[Object] = []
    for number in range(draw(st.integers(4, 9))):
        objects = served(ServiceKey("ns", f"s{number}"), its.family)
        old = draw(objects)
        what = draw(st.sampled_from(["stays", "changes", "changes", "comes", "goes"]))
        new = draw(objects) if what == "changes" else old
        before += old if what != "comes" else ()
        after += new if what != "goes" else ()
    kind = draw(st.sampled_from(["change", "change", "change", "first", "cleanup"]))
    former = replace(its, dispatch=draw(st.sampled_from(Dispatch)))
    with small_parts(grouped_from=3):
        return Change(
            family=its.family,
            old=Ruleset(tables={}) if kind == "first" else compile_ruleset(snapshot(*before), former),
            new=Ruleset(tables={}) if kind == "cleanup" else compile_ruleset(snapshot(*after), its),
            is_cleanup=kind == "cleanup",
        )


def parts_of(plan: Plan, size: int) -> list[list[str]]:
    return list(commits(Payload(*sections(plan, size))))


@one_in(4)
@given(changes(), st.integers(1, 12))
def test_packets_fare_as_before_or_as_after(change: Change, size: int) -> None:
    named = (destinations(ruleset, change.family) for ruleset in (change.old, change.new))
    asked = set(UNRELATED[change.family]).union(*named)
    clients = CLIENTS[change.family]
    old, new = Walk(change.old).fates(asked, clients), Walk(change.new).fates(asked, clients)
    host = MemoryHost(change.old.copy())
    for part in parts_of(change.plan(change.old), size):
        host.restore(part)
        now = Walk(host.ruleset).fates(asked, clients)
        assert [packet for packet, fate in now.items() if fate not in (old[packet], new[packet])] == []
    assert change.plan(host.save()).is_empty
    assert Walk(host.ruleset).fates(asked, clients) == new


@one_in(2)
@given(changes(), st.integers(1, 12), st.data())
def test_what_was_interrupted_is_completed_by_the_next_plan(change: Change, size: int, data: st.DataObject) -> None:
    host = MemoryHost(change.old.copy())
    for _ in range(3):
        parts = parts_of(change.plan(host.save()), size)
        for part in parts[: data.draw(st.integers(0, len(parts)))]:
            host.restore(part)
    host.restore(Payload(*sections(change.plan(host.save()), size)))
    assert change.plan(host.save()).is_empty
    directly = MemoryHost(change.old.copy())
    directly.restore(Payload(*whole(change.plan(change.old))))
    assert chains(host) == chains(directly)


def chains(host: MemoryHost) -> dict[ChainId, Lines]:
    tables = host.ruleset.tables
    return {(name, chain): lines for name, table in tables.items() for chain, lines in table.chains.items()}


@one_in(2)
@given(changes(), st.integers(1, 12))
def test_nothing_is_written_once_deleting_has_begun(change: Change, size: int) -> None:
    plan = change.plan(change.old)
    has_begun = False
    for section in sections(plan, size):
        deletes = [each for each in section.chains if each.after is None]
        if section != plan:
            assert len(deletes) in (0, len(section.chains))
            assert not (has_begun and not deletes and section.chains)
        has_begun |= bool(deletes)


@one_in(2)
@given(changes(), st.integers(1, 12))
def test_what_a_service_has_changes_in_one_section(change: Change, size: int) -> None:
    """Chains that it is about to get, and to which nothing leads, may come before."""
    plan = change.plan(change.old)
    in_place = {each.chain for each in plan.chains if each.before and each.after and service_hash(each.chain)}
    changed_in: dict[str, set[int]] = {}
    for number, section in enumerate(sections(plan, size)):
        for each in section.chains:
            if each.chain in in_place and not each.chain.startswith(names.ENDPOINT):
                changed_in.setdefault(service_hash(each.chain), set()).add(number)
    assert all(len(numbers) == 1 for numbers in changed_in.values())


@one_in(2)
@given(changes(), st.integers(1, 12), st.data())
def test_a_chain_that_others_use_is_emptied_when_no_service_leads_there(
    change: Change, size: int, data: st.DataObject
) -> None:
    """A foreign rule keeps it from being deleted. Packets for the Service must not fall through it before."""
    wanted = change.new.table("nat").chains
    going = [
        chain for chain in change.old.table("nat").chains if is_stale_candidate("nat", chain) and chain not in wanted
    ]
    if not going:
        return
    kept = data.draw(st.sampled_from(sorted(going)))
    host = MemoryHost(change.old.copy())
    host.ruleset.tables["nat"].chains["FOREIGN"] = (f"-A FOREIGN -j {kept}",)
    for part in parts_of(change.plan(host.save()), size):
        host.restore(part)
        assert host.ruleset.lines("nat", kept) or kept not in reached(host.ruleset)
    assert host.ruleset.lines("nat", kept) == ()


def reached(ruleset: Ruleset) -> set[str]:
    """The chains of nat that packets can come to."""
    chains = ruleset.tables["nat"].chains
    found: set[str] = set()
    waiting = [chain for chain in chains if is_builtin("nat", chain)]
    while waiting:
        chain = waiting.pop()
        if chain in chains and chain not in found:
            found.add(chain)
            waiting += map(target_of, chains[chain])
    return found


@one_in(2)
@given(changes(), st.integers(1, 12))
def test_a_single_commit_per_table_if_that_is_asked_for(change: Change, size: int) -> None:
    plan = change.plan(change.old)
    parts = list(commits(Payload(*whole(plan))))
    if [part[0] for part in parts].count("*filter") > 1:
        assert any(RuleKind.UNUSED_PORTS in line for line in parts.pop())
    tables = [part[0] for part in parts]
    assert len(tables) == len(set(tables)) <= 2
    assert parts_of(plan, len(plan.chains)) == list(commits(Payload(*whole(plan))))
    payload = Payload(*sections(plan, size))
    assert payload.line_count == sum(line != "COMMIT" and not line.startswith("*") for line in payload)


def large_plan(services: int = 60) -> Plan:
    objects = [service(f"ns/s{i}", f"10.0.0.{i}", ports=(port(node_port=30000 + i),)) for i in range(1, services)]
    slices = [slice_of(f"ns/s{i}", "10.1.0.1", f"10.1.0.{i + 1}") for i in range(1, services)]
    its = options(dispatch=Dispatch.TREE)
    return diff(compile_ruleset(snapshot(*objects, *slices), its), Ruleset(tables={}))


def test_a_section_is_about_as_large_as_asked_for() -> None:
    plan = large_plan()
    sizes = [len(part.chains) for part in sections(plan, 20)]
    assert sum(sizes) == len(plan.chains)
    assert max(sizes) < 20 + 10
    assert len(sizes) > 8
    assert list(whole(plan)) == [plan]
    small = large_plan(services=10)
    assert len(small.chains) < SECTION_SIZE
    assert list(sections(small)) == [small]


def test_what_goes_is_emptied_before_anything_is_deleted() -> None:
    gone = [
        ChainChange(table="nat", chain=f"KUBE-SVC-{i:016}", before=(f"-A KUBE-SVC-{i:016} -j X",), after=None)
        for i in range(10)
    ]
    jump = RuleDelete(table="nat", chain="OUTPUT", line="-A OUTPUT -j KUBE-SERVICES")
    parts = list(sections(Plan(chains=tuple(gone), deletes=(jump,)), 3))
    assert [part.deletes for part in parts if part.deletes] == [(jump,)]
    kinds = [{change.after for change in part.chains} for part in parts if part.chains]
    assert kinds == [{()}] * 4 + [{None}] * 4


def test_a_service_that_loses_a_rule_changes_together_with_the_dispatch_chains() -> None:
    """All others may change before."""

    def rules(*endpoints: str, node_port: int = 0) -> Ruleset:
        losing = service("ns/losing", "10.0.0.2", type=ServiceType.NODE_PORT, ports=(port(node_port=node_port),))
        slices = (slice_of(name, *endpoints) for name in ("ns/other", "ns/losing"))
        return compile_ruleset(snapshot(service("ns/other", "10.0.0.1"), losing, *slices), options())

    plan = diff(rules("10.1.0.1", "10.1.0.2"), rules("10.1.0.1", node_port=30000))
    where = {(each.table, each.chain): i for i, part in enumerate(sections(plan, 1)) for each in part.chains}
    policies = {name: ("nat", ChainNames(service_port(f"ns/{name}")).cluster) for name in ("other", "losing")}
    dispatch = where["nat", names.NODE_PORTS]
    assert where[policies["losing"]] == dispatch
    assert where[policies["other"]] < dispatch


def test_endpoints_whose_policy_chains_stay_change_too() -> None:
    chains = [f"KUBE-SEP-{letter * 16}" for letter in "AB"]
    changes = [
        ChainChange(table="nat", chain=chain, before=(f"-A {chain} -j X",), after=(f"-A {chain} -j Y",))
        for chain in chains
    ]
    parts = sections(Plan(chains=tuple(changes)), 1)
    assert [change for part in parts for change in part.chains] == changes
