"""Manifests that cannot be read at the start are not an empty cluster."""

from pathlib import Path
from queue import SimpleQueue

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.daemon.messages import Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch.manifest_watcher import ManifestWatcher
from tests.cluster.manifest_text import as_yaml, service

# Seconds after which something will not come any more.
PATIENCE = 20


def test_an_empty_folder_is_listed_at_once(tmp_path: Path) -> None:
    inbox: SimpleQueue[Message] = SimpleQueue()
    watcher = ManifestWatcher(Manifests([str(tmp_path)]), inbox)
    watcher.start()
    watcher.stop()
    assert isinstance(inbox.get(timeout=PATIENCE), ObjectsChanged)
    assert isinstance(inbox.get(timeout=PATIENCE), ObjectsListed)


def test_what_cannot_be_read_is_not_listed_before_it_can(tmp_path: Path) -> None:
    manifest = tmp_path / "web.yaml"
    manifest.write_bytes(b"\xff\xfe")
    inbox: SimpleQueue[Message] = SimpleQueue()
    watcher = ManifestWatcher(Manifests([str(manifest)]), inbox)
    watcher.start()
    try:
        first = inbox.get(timeout=PATIENCE)
        assert isinstance(first, ObjectsChanged)
        assert [note.is_error for note in first.change.notes] == [True]
        assert inbox.empty()
        manifest.write_text(as_yaml(service("web")))
        second, third = inbox.get(timeout=PATIENCE), inbox.get(timeout=PATIENCE)
        assert isinstance(second, ObjectsChanged)
        assert len(second.change.put) == 1
        assert isinstance(third, ObjectsListed)
    finally:
        watcher.stop()
