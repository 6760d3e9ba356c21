"""How many entries a legacy table has, as the kernel counts them: what tells at no cost that somebody changed it."""

from hypothesis import given

from pykubeproxy.plan.apply import apply, count_entries, entries_after
from pykubeproxy.plan.diff import diff
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Ruleset, Table
from tests.live_rules import desired_and_live

CHAINS = {"PREROUTING": ("-A PREROUTING -j X",), "INPUT": (), "X": ("-A X -j ACCEPT", "-A X -j DROP")}


def test_what_counts() -> None:
    """Three rules, an end of each of two built-in chains, head and end of X, and the table's end."""
    assert count_entries(Ruleset(tables={"nat": Table(chains=dict(CHAINS))})) == {"nat": 3 + 2 + 2 + 1}


@given(desired_and_live())
def test_counting_on_is_counting_anew(both: tuple[Ruleset, Ruleset]) -> None:
    desired, live = both
    for name, table in live.tables.items():
        for chain in BUILTIN_CHAINS[name]:  # a legacy dump has them all
            table.chains.setdefault(chain, ())
    plan = diff(desired, live)
    after = live.copy()
    apply(plan, after)
    counted, expected = entries_after(plan, count_entries(live)), count_entries(after)
    assert {name: counted[name] for name in live.tables} == {name: expected[name] for name in live.tables}
