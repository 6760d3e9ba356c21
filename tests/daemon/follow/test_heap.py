import gc
from collections.abc import Iterator

import pytest

from pykubeproxy.daemon.follow.heap import Heap
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from tests.daemon.fakes import Clock, FakeProxy, loop_of

USUAL = gc.get_threshold()


@pytest.fixture
def heap() -> Iterator[Heap]:
    its = Heap(Family)
    yield its
    its.close()
    gc.unfreeze()


def test_the_collector_looks_less_often_until_all_families_are_synced(heap: Heap) -> None:
    frozen = gc.get_freeze_count()
    clock = Clock()
    first, second = FakeProxy(clock, Family.IPV4), FakeProxy(clock, Family.IPV6)
    second.failure = HostError("not yet")
    loop = loop_of(clock, first, second)
    loop.follow(heap)
    loop.sync()
    assert gc.get_threshold()[0] > 10 * USUAL[0]
    assert gc.get_freeze_count() == frozen
    second.failure = None
    loop.sync()
    assert gc.get_threshold() == USUAL
    assert gc.get_freeze_count() > frozen


def test_what_is_loaded_later_is_looked_at_as_usual(heap: Heap) -> None:
    clock = Clock()
    loop = loop_of(clock, FakeProxy(clock, Family.IPV4), FakeProxy(clock, Family.IPV6))
    loop.follow(heap)
    loop.sync()
    frozen = gc.get_freeze_count()
    loop.sync()
    assert gc.get_freeze_count() <= frozen
    assert gc.get_threshold() == USUAL
