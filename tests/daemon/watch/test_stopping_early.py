"""A signal may come after it was arranged that something is stopped, and before it was started."""

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.daemon.follow.ended_connections import ConnectionEnder
from pykubeproxy.daemon.follow.flows import FlowCleaner
from pykubeproxy.daemon.watch.config_file import ConfigFileWatch
from pykubeproxy.daemon.watch.conntrack_watch import ConntrackWatch
from pykubeproxy.daemon.watch.manifest_watcher import ManifestWatcher
from pykubeproxy.host.conntrack import ConntrackTable

STOPS: dict[str, Callable[[Path], Callable[[], None]]] = {
    "room in the table": lambda _: ConntrackWatch(lambda _: None).join,
    "flows": lambda _: FlowCleaner(ConntrackTable(), tuple).close,
    "connections": lambda _: ConnectionEnder(ConntrackTable(), tuple).close,
    "configuration": lambda file: ConfigFileWatch(file, file.read_bytes(), SimpleQueue()).join,
    "manifests": lambda file: ManifestWatcher(Manifests([str(file)]), SimpleQueue()).stop,
}


@pytest.mark.parametrize("make", STOPS.values(), ids=STOPS)
def test_what_never_began_can_be_stopped(make: Callable[[Path], Callable[[], None]], tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("# nothing\n")
    make(file)()
