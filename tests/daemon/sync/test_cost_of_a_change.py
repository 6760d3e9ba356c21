"""What a change costs does not depend on the size of the cluster: counted in calls and lines, not in time."""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import NamedTuple

from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.model.snapshot import Object, identify
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.options import Dispatch
from tests.builders import options, port, service, slice_of
from tests.daemon.fakes import Clock, changed, loop_of
from tests.memory_host import MemoryHost

SMALL, LARGE = 100, 2000

# A tree of twenty times as many Services is a level or two deeper.
DEEPER = 2


class Cost(NamedTuple):
    """What was spent: calls of functions, Python's own included, and lines written."""

    calls: int
    lines: int


class Sink(MemoryHost):
    """A node without rules, that takes all lines and keeps none."""

    lines = 0

    def restore(self, lines: Iterable[str]) -> None:
        self.lines = sum(1 for _ in lines)


class Cluster:
    """A proxy of IPv4 in a cluster of some size, in sync."""

    def __init__(self, services: int) -> None:
        self._sink = Sink()
        its = options(dispatch=Dispatch.TREE)
        self._proxy = FamilyProxy(its, self._sink, sections)
        self._loop = loop_of(Clock(), self._proxy, options_for=lambda _node, _family: its)
        self.change(put=[obj for number in range(services) for obj in objects(number)])

    def change(self, put: Iterable[Object] = (), removed: Iterable[Object] = ()) -> None:
        """Take in a change, and sync."""
        self._loop.take(changed(*put, removed=map(identify, removed)))
        assert self._loop.sync()

    def cost(self, act: Callable[[], None]) -> Cost:
        """What it costs to do something."""
        calls = 0

        def profile(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            act()
        finally:
            sys.setprofile(None)
        return Cost(calls, self._sink.lines)


def objects(number: int, last_endpoint: int = 5) -> list[Object]:
    """A Service, each fifth with a node port, and its slice."""
    spread = number * 40503 % 65536
    its = service(
        f"ns/s{number}",
        f"10.96.{spread >> 8}.{spread & 255}",
        ports=(port(node_port=30000 + number if number % 5 == 0 else 0),),
    )
    addresses = [f"10.{128 + number // 250}.{number % 250}.{index}" for index in (1, 2, 3, 4, last_endpoint)]
    return [its, slice_of(f"ns/s{number}", *addresses)]


def costs(services: int) -> dict[str, Cost]:
    """What it costs that an endpoint changes, that a Service comes, and that it goes; ten times.

    Where a Service happens to come, a chain may have to be divided.
    """
    its, spent = Cluster(services), {what: Cost(0, 0) for what in ("endpoint", "comes", "goes")}
    for number in range(10):
        changed_slice, newcomer = objects(number, last_endpoint=6)[1:], objects(60_000 + number)
        acts = {
            "endpoint": partial(its.change, put=changed_slice),
            "comes": partial(its.change, put=newcomer),
            "goes": partial(its.change, removed=newcomer),
        }
        for what, act in acts.items():
            cost, before = its.cost(act), spent[what]
            spent[what] = Cost(before.calls + cost.calls, before.lines + cost.lines)
    return spent


def test_a_changed_endpoint_costs_the_same_in_any_cluster_and_a_service_its_path_in_the_tree() -> None:
    small, large = costs(SMALL), costs(LARGE)
    # In nat: three chains flushed or made, five rules in the Service's, two for the new endpoint, one chain deleted.
    assert large["endpoint"].lines == small["endpoint"].lines <= 10 * 16
    assert large["endpoint"].calls <= small["endpoint"].calls * 1.1
    for what in ("comes", "goes"):
        assert large[what].lines <= small[what].lines * DEEPER
        assert large[what].calls <= small[what].calls * DEEPER
