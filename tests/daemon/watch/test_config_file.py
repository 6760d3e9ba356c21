"""The configuration file is watched as kube-proxy watches it: docs/reference/lifecycle.md section 3."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from pykubeproxy.daemon.watch.config_file import ConfigFileWatch

CONTENT = b"mode: iptables\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as a ConfigMap volume has it: behind a link to a folder that is replaced as a whole."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "config").write_bytes(CONTENT)
    (tmp_path / "data").symlink_to("first")
    return tmp_path / "data" / "config"


@pytest.fixture
def watch(path: Path) -> Iterator[ConfigFileWatch]:
    """Only looking when it is told to."""
    its = ConfigFileWatch(path, CONTENT, SimpleQueue())
    yield its
    its.join()


def replace(path: Path) -> None:
    """What editors do that never write to a file in its place."""
    path.with_name("new").write_bytes(b"other\n")
    path.with_name("new").rename(path)


def update_volume(path: Path) -> None:
    """What kubelet does when the ConfigMap has changed."""
    folder = path.parents[1]
    (folder / "second").mkdir()
    (folder / "second" / "config").write_bytes(b"other\n")
    (folder / "link").symlink_to("second")
    (folder / "link").rename(folder / "data")
    (folder / "first" / "config").unlink()


EVENTS: dict[str, tuple[Callable[[Path], object], bool]] = {
    "touched": (os.utime, False),
    "other rights": (lambda path: path.chmod(0o600), False),
    "deleted": (Path.unlink, False),
    "replaced": (replace, False),
    "volume updated": (update_volume, False),
    "longer": (lambda path: path.write_bytes(CONTENT + b"# more\n"), True),
    "something else of the same length": (lambda path: path.write_bytes(CONTENT.upper()), True),
    "moved": (lambda path: path.rename(path.with_name("config.bak")), True),
}


def looks(watch: ConfigFileWatch) -> list[bool]:
    return [watch.has_changed() for _ in range(3)]


@pytest.mark.parametrize(("event", "is_change"), EVENTS.values(), ids=EVENTS)
def test_what_is_a_change(
    path: Path, watch: ConfigFileWatch, event: Callable[[Path], object], *, is_change: bool
) -> None:
    assert not watch.has_changed()
    event(path)
    assert any(looks(watch)) is is_change


def test_a_volume_in_the_middle_of_its_update_is_no_change(path: Path, watch: ConfigFileWatch) -> None:
    old = path.resolve()
    spare = old.with_name("spare")
    os.link(old, spare)
    update_volume(path)
    assert not watch.has_changed()
    spare.unlink()
    assert not any(looks(watch))
