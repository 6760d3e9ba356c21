"""What a change costs does not depend on the size of the cluster: counted in calls, lines and looks, not in time."""

import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import count
from types import FrameType

import pytest
from msgspec import Struct

from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.host.protocol import Counted
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Object, identify
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import TABLES, Ruleset
from tests.builders import NODE, options, port, service, slice_of
from tests.watched import watch

SMALL, LARGE = 100, 2000

# A tree of twenty times as many Services is a level or two deeper.
DEEPER = 2


class Cost(Struct, kw_only=True):
    """What was spent: calls of functions, Python's own included, and lines written."""

    calls: int = 0
    lines: int = 0


class Sink:
    """A node without rules, that takes all lines and keeps none."""

    def __init__(self) -> None:
        self.lines = 0

    def prefetch(self, *, with_counters: bool = False, early: bool = False) -> None:
        """Nothing is there to be fetched."""

    def forget(self) -> None:
        """Nothing was fetched."""

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        del known, tables, counted
        return Ruleset(tables={})

    def restore(self, lines: Iterable[str]) -> None:
        self.lines = sum(1 for _ in lines)


class Cluster:
    """A proxy of IPv4 in a cluster of some size, in sync."""

    def __init__(self, services: int) -> None:
        self._sink = Sink()
        its = options(dispatch=Dispatch.TREE)
        self._proxy = FamilyProxy(its, self._sink, sections)
        self._loop = Loop(
            families={Family.IPV4: self._proxy},
            options_for=lambda _node, _family: its,
            schedule=Schedule(min_interval=0, retry_interval=1),
            node_name=NODE,
        )
        self.change(put=[obj for number in range(services) for obj in objects(number)])

    def change(self, put: Iterable[Object] = (), removed: Iterable[Object] = ()) -> None:
        """Take in a change, and sync."""
        self._loop.take(ObjectsChanged(ObjectChanges(put=tuple(put), removed=tuple(map(identify, removed)))))
        assert self._loop.sync()

    def watch(self) -> None:
        """Have everything watched that grows with the cluster."""
        believed = self._proxy.believed
        assert believed is not None
        watch(self._loop.snapshot, "services", "_slices", "_slices_of")
        watch(self._proxy._desired._compiler, "_kept")
        for ruleset in (self._proxy.desired, believed):
            watch(ruleset.tables["nat"], "chains")

    def cost(self, act: Callable[[], None]) -> Cost:
        """What it costs to do something."""
        cost = Cost()

        def profile(_frame: FrameType, event: str, _argument: object) -> None:
            cost.calls += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            act()
        finally:
            sys.setprofile(None)
        cost.lines = self._sink.lines
        return cost


def objects(number: int, generation: int = 0) -> list[Object]:
    """A Service, each fifth with a node port, and its slice; its last endpoint is another one in each generation."""
    spread = number * 40503 % 65536
    its = service(
        f"ns/s{number}",
        f"10.96.{spread >> 8}.{spread & 255}",
        ports=(port(node_port=30000 + number if number % 5 == 0 else 0),),
    )
    addresses = [f"10.{128 + number // 250}.{number % 250}.{index}" for index in (1, 2, 3, 4, 5 + generation)]
    return [its, slice_of(f"ns/s{number}", *addresses)]


@cache
def cluster(services: int) -> Cluster:
    return Cluster(services)


generations = count(1)


def cost_of(what: str, services: int) -> Cost:
    """What it costs that an endpoint changes, that a Service comes, or that it goes; ten times.

    Where a Service happens to come, a chain may have to be divided.
    """
    its = cluster(services)
    total = Cost()
    for number in range(10):
        changed, newcomer = objects(number, next(generations))[1:], objects(60_000 + number)
        if what == "goes":
            its.change(put=newcomer)
        acts = {
            "endpoint": partial(its.change, put=changed),
            "comes": partial(its.change, put=newcomer),
            "goes": partial(its.change, removed=newcomer),
        }
        each = its.cost(acts[what])
        if what == "comes":
            its.change(removed=newcomer)
        total = Cost(calls=total.calls + each.calls, lines=total.lines + each.lines)
    return total


def test_a_changed_endpoint_costs_the_same_in_any_cluster() -> None:
    small, large = cost_of("endpoint", SMALL), cost_of("endpoint", LARGE)
    assert large.lines == small.lines
    assert large.calls <= small.calls * 1.1


@pytest.mark.parametrize("what", ["comes", "goes"])
def test_a_service_costs_its_path_in_the_tree(what: str) -> None:
    small, large = cost_of(what, SMALL), cost_of(what, LARGE)
    assert large.lines <= small.lines * DEEPER
    assert large.calls <= small.calls * DEEPER


def test_no_change_makes_anybody_go_through_what_there_is() -> None:
    """Calls do not tell: one call copies or sorts a dictionary of any length."""
    its = Cluster(SMALL)
    its.watch()
    for number in range(10):
        its.change(put=objects(number, next(generations))[1:])
        its.change(put=objects(60_000 + number))
        its.change(removed=objects(60_000 + number))


def test_who_goes_through_it_is_seen() -> None:
    its = Cluster(SMALL)
    its.watch()
    services = its._loop.snapshot.services
    for look in (list, sorted, dict, set, max, lambda its: {**its}, lambda its: its | {}, len):
        if look is len:
            assert look(services) == SMALL
        else:
            with pytest.raises(AssertionError):
                look(services)


def test_the_chains_written_are_those_of_the_service_and_those_on_the_way() -> None:
    its = cluster(LARGE)
    changed = objects(3, next(generations))[1:]
    endpoint = its.cost(partial(its.change, put=changed))
    # In nat: three chains flushed or made, five rules in the Service's, two for the new endpoint, one chain deleted.
    assert endpoint.lines <= 16
