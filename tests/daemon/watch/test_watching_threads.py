"""Threads that look at something again and again: how they end, and that of manifests, which must not begin empty."""

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.daemon.follow.ended_connections import ConnectionEnder
from pykubeproxy.daemon.follow.flows import FlowCleaner
from pykubeproxy.daemon.messages import Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch.config_file import ConfigFileWatch
from pykubeproxy.daemon.watch.conntrack_watch import ConntrackWatch
from pykubeproxy.daemon.watch.manifest_watcher import ManifestWatcher
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread
from pykubeproxy.host.conntrack import ConntrackTable
from tests.cluster.manifest_text import as_yaml, service
from tests.kernel.machine import wait_until

# Seconds after which something will not come any more.
PATIENCE = 20


def running(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_it_goes_on_until_the_action_is_done() -> None:
    left = iter([False, False, True, False])
    PeriodicThread("until-done", 0.001, lambda: next(left)).start()
    wait_until(lambda: not running("until-done"), "its end")
    assert list(left) == [False]


def test_stopping_waits_for_nobody_and_joining_does() -> None:
    began, may_end = threading.Event(), threading.Event()

    def slow() -> bool:
        began.set()
        return not may_end.wait(PATIENCE)

    repeating = PeriodicThread("slow", 0.001, slow)
    repeating.start()
    assert began.wait(PATIENCE)
    repeating.stop()
    assert running("slow")
    may_end.set()
    repeating.join()
    assert not running("slow")


STOPS: dict[str, Callable[[Path], Callable[[], None]]] = {
    "room in the table": lambda _: ConntrackWatch(lambda _: None).join,
    "flows": lambda _: FlowCleaner(ConntrackTable(), tuple).close,
    "connections": lambda _: ConnectionEnder(ConntrackTable(), tuple).close,
    "configuration": lambda file: ConfigFileWatch(file, file.read_bytes(), SimpleQueue()).join,
    "manifests": lambda file: ManifestWatcher(Manifests([str(file)]), SimpleQueue()).stop,
}


@pytest.mark.parametrize("make", STOPS.values(), ids=STOPS)
def test_what_never_began_can_be_stopped(make: Callable[[Path], Callable[[], None]], tmp_path: Path) -> None:
    """A signal may come after it was arranged that something is stopped, and before it was started."""
    file = tmp_path / "file.yaml"
    file.write_text("# nothing\n")
    make(file)()


def test_an_empty_folder_is_listed_and_manifests_that_cannot_be_read_are_not_before_they_can(tmp_path: Path) -> None:
    def heard() -> Message:
        return inbox.get(timeout=PATIENCE)

    inbox: SimpleQueue[Message] = SimpleQueue()
    watcher = ManifestWatcher(Manifests([str(tmp_path)]), inbox)
    watcher.start()
    watcher.stop()
    assert [type(heard()), type(heard())] == [ObjectsChanged, ObjectsListed]
    manifest = tmp_path / "web.yaml"
    manifest.write_bytes(b"\xff\xfe")
    watcher = ManifestWatcher(Manifests([str(manifest)]), inbox)
    watcher.start()
    try:
        first = heard()
        assert isinstance(first, ObjectsChanged)
        assert [note.is_error for note in first.change.notes] == [True]
        assert inbox.empty()
        manifest.write_text(as_yaml(service("web")))
        second = heard()
        assert isinstance(second, ObjectsChanged)
        assert len(second.change.put) == 1
        assert isinstance(heard(), ObjectsListed)
    finally:
        watcher.stop()
