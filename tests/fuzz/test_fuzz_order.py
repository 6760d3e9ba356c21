"""Any order of events leads to the same rules as a fresh start, whatever goes wrong on the way.

A FamilyProxy follows the events with a host in memory, as the daemon does with a kernel: divided commits, restores that
fail in the middle, other options, and fresh reads included.
"""

from collections.abc import Iterable, Iterator
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot, identify
from pykubeproxy.plan.equivalence import is_equivalent
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin
from tests.builders import snapshot
from tests.clusters import mixed_clusters, serving_clusters, small_parts
from tests.memory_host import MemoryHost
from tests.plan.commits import commits
from tests.strategies import Event, rule_options


class FragileHost(MemoryHost):
    """Breaks down after some COMMITs, if it is told to."""

    commits_left: int | None = None

    def restore(self, lines: Iterable[str]) -> None:
        for part in commits(lines):
            if self.commits_left is not None:
                if not self.commits_left:
                    self.commits_left = None
                    raise RestoreError("iptables-restore", "broken down", 1)
                self.commits_left -= 1
            super().restore(part)


def history(first: list[Object], second: list[Object], random: Random) -> Iterator[list[Event]]:
    """Events in batches, which are taken together: versions of the same objects come, replace each other, and go.

    Some slices go to another Service.
    """
    owners = [obj.key for obj in second if isinstance(obj, Service)]
    moved = [replace(obj, service=random.choice(owners)) for obj in second if isinstance(obj, EndpointSlice)]
    yield [(True, obj) for obj in first]
    for _ in range(random.randint(4, 12)):
        yield [(random.random() < 0.75, random.choice([*first, *second, *moved])) for _ in range(random.randint(1, 8))]


def contents(ruleset: Ruleset | None) -> dict[ChainId, Lines]:
    """All chains; built-in ones only where they have rules."""
    return {
        (name, chain): lines
        for name, table in (ruleset.tables.items() if ruleset is not None else ())
        for chain, lines in table.chains.items()
        if lines or not is_builtin(name, chain)
    }


def check_live(live: dict[ChainId, Lines], wanted: Ruleset) -> None:
    """Every chain of ours is there as it should be, or means the same; there is no other, but for those of others."""
    assert live.keys() - wanted.shared == contents(wanted).keys() - wanted.shared
    for (table, chain), lines in live.items():
        if (table, chain) not in wanted.shared:
            assert is_equivalent(chain, wanted.lines(table, chain) or (), lines)


def happen(event: Event, told: dict[ObjectId, Object], known: Snapshot) -> frozenset[ServiceKey]:
    """Tell of an event; returns the Services whose rules may change."""
    is_there, obj = event
    if is_there:
        told[identify(obj)] = obj
        return known.put(obj)
    told.pop(identify(obj), None)
    return known.remove(identify(obj))


@given(st.sampled_from(Family), st.randoms(use_true_random=True), st.data())
def test_order(family: Family, random: Random, data: st.DataObject) -> None:
    first, second = data.draw(mixed_clusters(family)), data.draw(serving_clusters(family, 3, 6))
    usual, other = (data.draw(rule_options(families=st.just(family))) for _ in range(2))
    size = random.choice([1, 2, 5, 10])
    told: dict[ObjectId, Object] = {}
    known, host = Snapshot(), FragileHost()
    with small_parts():
        proxy = FamilyProxy(usual, host, lambda plan: sections(plan, size))
        for batch in history(first, second, random):
            touched = frozenset().union(*(happen(event, told, known) for event in batch))
            its = random.choice([usual, usual, usual, other])
            if its != proxy.options:
                proxy.reconfigure(its, known)
            proxy.update(known, touched)
            if random.random() < 0.1:
                proxy.distrust()
            fresh = compile_ruleset(snapshot(*told.values()), its)
            assert contents(proxy.desired) == contents(fresh)
            host.commits_left = random.choice([None, None, None, 0, 1, 3])
            try:
                proxy.sync()
            except RestoreError:
                proxy.sync()
            host.commits_left = None
            check_live(contents(host.ruleset), fresh)
            assert contents(proxy.believed) == contents(host.ruleset)
