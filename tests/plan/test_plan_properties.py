"""A Plan makes of any live rules what they should be, and touches nothing else."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.plan.apply import apply, count_entries, entries_after
from pykubeproxy.plan.cleanup import cleanup
from pykubeproxy.plan.diff import diff, is_owned
from pykubeproxy.plan.equivalence import is_equivalent
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.names import CANARY, FIREWALL, is_stale_candidate
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Lines, Ruleset, Table, is_builtin
from pykubeproxy.rules.skeleton import JUMPS
from tests.live_rules import desired_and_live
from tests.memory_host import MemoryHost

Both = tuple[Ruleset, Ruleset]


def carried_out(desired: Ruleset, live: Ruleset) -> Ruleset:
    """The kernel's rules after a Plan."""
    host = MemoryHost(live.copy())
    host.restore(Payload(diff(desired, live)))
    return host.ruleset


def contents(ruleset: Ruleset) -> dict[tuple[str, str], Lines]:
    """All chains; empty built-in ones may or may not be listed."""
    return {
        (name, chain): lines
        for name, table in ruleset.tables.items()
        for chain, lines in table.chains.items()
        if lines or not is_builtin(name, chain)
    }


def is_part_of(some: Iterable[str], lines: Iterable[str]) -> bool:
    """True if `some` are among `lines`, in the same order."""
    rest = iter(lines)
    return all(line in rest for line in some)


@given(desired_and_live())
def test_what_should_be_is(both: Both) -> None:
    desired, live = both
    before = contents(desired.copy()), contents(live.copy())
    after = carried_out(desired, live)
    assert (contents(desired), contents(live)) == before, "a Plan does not change what it is made from"
    assert diff(desired, after).is_empty
    for (table, chain), lines in contents(desired).items():
        found = after.lines(table, chain)
        assert found is not None
        if is_builtin(table, chain):
            assert set(lines) <= set(found)
        elif (table, chain) in desired.shared:
            assert found == (live.lines(table, chain) or ())
        else:
            assert found == lines or (found == live.lines(table, chain) and is_equivalent(chain, lines, found))


@given(desired_and_live())
def test_nothing_of_ours_is_left_over(both: Both) -> None:
    desired, live = both
    plan, after = diff(desired, live), carried_out(desired, live)
    left_over = {chain for chain in contents(after) if is_stale_candidate(*chain)} - contents(desired).keys()
    assert left_over == set(plan.kept)
    assert all(after.lines(*chain) == () for chain in left_over)
    for table, chain in left_over:
        chains = after.tables[table].chains
        foreign = [c for c in chains if is_builtin(table, c) or not is_owned(table, c) or (table, c) in desired.shared]
        assert chain in {target_of(line) for c in foreign for line in after.lines(table, c) or ()}


@given(desired_and_live())
def test_foreign_chains_and_rules_stay_as_they_are(both: Both) -> None:
    desired, live = both
    after = carried_out(desired, live)
    for (table, chain), lines in contents(live).items():
        found = after.lines(table, chain) or ()
        if is_builtin(table, chain):
            added = [line for line in JUMPS.get((table, chain), ()) if line not in lines]
            assert is_part_of(lines, found)
            assert sorted(found) == sorted([*lines, *added])
        elif not is_owned(table, chain):
            assert found == lines
    known = contents(live).keys() | contents(desired).keys()
    assert contents(after).keys() <= known
    assert {name: table.policies for name, table in after.tables.items()} == {
        name: table.policies for name, table in live.tables.items()
    }


@given(desired_and_live())
def test_belief_moves_as_the_kernel_does(both: Both) -> None:
    desired, live = both
    for name, table in live.tables.items():
        for chain in BUILTIN_CHAINS[name]:  # a legacy dump has them all
            table.chains.setdefault(chain, ())
    believed, plan = live.copy(), diff(desired, live)
    apply(plan, believed)
    assert contents(believed) == contents(carried_out(desired, live))
    counted, expected = entries_after(plan, count_entries(live)), count_entries(believed)
    assert {name: counted[name] for name in live.tables} == {name: expected[name] for name in live.tables}


def test_entries_of_a_legacy_table_as_the_kernel_counts_them() -> None:
    """Three rules, an end of each of two built-in chains, head and end of X, and the table's end."""
    chains = {"PREROUTING": ("-A PREROUTING -j X",), "INPUT": (), "X": ("-A X -j ACCEPT", "-A X -j DROP")}
    assert count_entries(Ruleset(tables={"nat": Table(chains=chains)})) == {"nat": 3 + 2 + 2 + 1}


@given(desired_and_live(), st.integers(1, 8))
def test_in_sections_it_comes_to_the_same(both: Both, size: int) -> None:
    desired, live = both
    plan, host = diff(desired, live), MemoryHost(live.copy())
    for part in sections(plan, size):
        host.restore(Payload(part))
    assert contents(host.ruleset) == contents(carried_out(desired, live))
    whole = MemoryHost(live.copy())
    whole.restore(Payload(*sections(plan, size)))
    assert contents(whole.ruleset) == contents(host.ruleset)


@given(desired_and_live())
def test_cleanup_leaves_only_what_others_need(both: Both) -> None:
    live = both[1]
    plan, host = cleanup(live), MemoryHost(live.copy())
    host.restore(Payload(plan))
    after, believed = host.ruleset, live.copy()
    apply(plan, believed)
    assert contents(believed) == contents(after)
    ours = {chain for chain in contents(after) if chain[1] == CANARY or (is_owned(*chain) and chain[1] != FIREWALL)}
    assert ours == set(plan.kept)
    assert all(after.lines(*chain) == () for chain in ours)
    for (table, chain), lines in contents(live).items():
        if is_builtin(table, chain):
            jumps = {line for line in JUMPS.get((table, chain), ()) if target_of(line) != FIREWALL}
            assert after.lines(table, chain) == tuple(line for line in lines if line not in jumps)
        elif not is_owned(table, chain) and chain != CANARY:
            assert after.lines(table, chain) == lines
    assert cleanup(after).is_empty
