"""A thread that looks at something again and again, until that says that it is enough, or somebody else does."""

import threading

from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread
from tests.kernel.machine import wait_until


def running(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_it_goes_on_until_the_action_is_done() -> None:
    left = iter([False, False, True, False])
    repeating = PeriodicThread("until-done", 0.001, lambda: next(left))
    repeating.start()
    wait_until(lambda: not running("until-done"), "its end")
    assert list(left) == [False]


def test_it_goes_on_until_it_is_stopped() -> None:
    looked = threading.Semaphore(0)

    def look() -> bool:
        looked.release()
        return False

    repeating = PeriodicThread("until-stopped", 0.001, look)
    repeating.start()
    assert all(looked.acquire(timeout=10) for _ in range(3))
    repeating.join()
    assert not running("until-stopped")


def test_stopping_waits_for_nobody_and_joining_does() -> None:
    began, may_end = threading.Event(), threading.Event()

    def slow() -> bool:
        began.set()
        return not may_end.wait(10)

    repeating = PeriodicThread("slow", 0.001, slow)
    repeating.start()
    assert began.wait(10)
    repeating.stop()
    assert running("slow")
    may_end.set()
    repeating.join()
    assert not running("slow")
