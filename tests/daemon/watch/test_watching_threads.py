"""Threads that look at something again and again: how they end, and what those of manifests and connections tell."""

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest
from structlog.testing import capture_logs

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.daemon.follow.ended_connections import ConnectionEnder
from pykubeproxy.daemon.follow.flows import FlowCleaner
from pykubeproxy.daemon.messages import Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch.config_file import ConfigFileWatch
from pykubeproxy.daemon.watch.conntrack_watch import ConntrackReport, ConntrackWatch
from pykubeproxy.daemon.watch.manifest_watcher import ManifestWatcher
from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from tests.cluster.manifest_text import as_yaml, service

# Seconds after which something will not come any more.
PATIENCE = 20


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


# That the table of connections is full is told, once, and so is that it is not any more.
FULL, AGAIN = "error", "info"


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([(99, 0), (99, 0)], []),
        ([(100, 0), (100, 5), (101, 9)], [FULL]),
        # The table was full between two looks.
        ([(99, 0), (90, 5)], [FULL]),
        # What was dropped before the daemon began is over.
        ([(50, 7), (50, 7)], []),
        ([(100, 0), (96, 0), (100, 0)], [FULL]),
        ([(100, 0), (95, 0), (100, 0)], [FULL, AGAIN, FULL]),
        ([(100, 0), (50, 5), (50, 5)], [FULL, AGAIN]),
    ],
)
def test_what_is_said(looks: list[tuple[int, int]], said: list[str]) -> None:
    """After looks at a table for 100: its entries, and the packets dropped so far."""
    report = ConntrackReport()
    with capture_logs() as logs:
        for entries, dropped in looks:
            report.look(ConntrackUsage(entries=entries, limit=100, dropped=dropped))
    assert [line["log_level"] for line in logs] == said


def test_who_watches_tells_and_hands_on_what_it_sees() -> None:
    seen: SimpleQueue[ConntrackUsage] = SimpleQueue()
    usage = ConntrackUsage(entries=2, limit=2, dropped=0)
    watch = ConntrackWatch(seen.put, look=lambda: usage)
    with capture_logs() as logs:
        watch.start()
        assert seen.get(timeout=10) == usage
    assert len(logs) == 1
    watch.join()
