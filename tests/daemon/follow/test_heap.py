import gc

from pykubeproxy.daemon.follow.heap import Heap
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from tests.daemon.fakes import Clock, FakeProxy, loop_of


def test_the_collector_looks_less_often_until_all_families_are_synced_and_at_later_things_as_usual() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    heap = Heap(Family)
    try:
        clock = Clock()
        first, second = FakeProxy(clock, Family.IPV4), FakeProxy(clock, Family.IPV6)
        second.failure = HostError("not yet")
        loop = loop_of(clock, first, second)
        loop.follow(heap)
        loop.sync()
        assert (gc.get_threshold()[0] > 10 * usual[0], gc.get_freeze_count()) == (True, frozen)
        second.failure = None
        loop.sync()
        loaded = gc.get_freeze_count()
        assert (gc.get_threshold(), loaded > frozen) == (usual, True)
        loop.sync()
        assert (gc.get_threshold(), gc.get_freeze_count() > loaded) == (usual, False)
    finally:
        heap.close()
        gc.unfreeze()
