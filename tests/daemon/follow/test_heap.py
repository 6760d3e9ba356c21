import gc

from pykubeproxy.daemon.follow.heap import Heap
from pykubeproxy.model.ip import Family
from tests.daemon.fakes import finished


def test_the_collector_looks_less_often_until_all_families_are_synced() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    heap = Heap(Family)
    try:
        heap.synced(finished())
        assert (gc.get_threshold()[0] > 10 * usual[0], gc.get_freeze_count()) == (True, frozen)
        heap.synced(finished(family=Family.IPV6))
        assert (gc.get_threshold(), gc.get_freeze_count() > frozen) == (usual, True)
    finally:
        heap.close()
        gc.unfreeze()
