"""`run --source`: what changes on disk changes in the kernel; what cannot be read takes nothing away, and is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.node import Node
from tests.kernel.objects import pod_ip, write


@pytest.fixture(name="folder")
def fixture_folder(node4: Node) -> Path:
    """Services web-1 to web-3, the last of them in a file of its own."""
    folder = node4.folder / "manifests"
    folder.mkdir()
    write(folder / "good.json", node4.web(1), node4.web(2))
    write(folder / "odd.json", node4.web(3))
    return folder


def test_files_are_followed(node4: Node, folder: Path) -> None:
    process = node4.start(source=folder)
    node4.wait_for(1, 2, 3)
    write(folder / "new.json", node4.web(4))
    node4.wait_for(1, 2, 3, 4)
    write(folder / "new.json", node4.web(5))
    node4.wait_for(1, 2, 3, 5)
    (folder / "new.json").unlink()
    node4.wait_for(1, 2, 3)
    # A file that does not parse takes nothing away.
    (folder / "odd.json").write_text('{"kind": "List", "items": [')
    node4.wait_for_log("odd.json: document 1: not valid")
    write(folder / "good.json", node4.web(1), node4.web(4))
    node4.wait_for(1, 2, 3, 4)
    write(folder / "odd.json", node4.web(5))
    node4.wait_for(1, 4, 5)
    assert node4.log.read_text().count("not valid") == 1
    assert process.poll() is None


def _cut(path: Path) -> None:
    path.write_text(path.read_text()[:400])


def _lead_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "..data" / path.name)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut short": _cut,
    "empty": lambda path: path.write_text(""),
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "a bad object": lambda path: path.write_text(path.read_text().replace('"port": 80}', '"port": 80000}')),
    "a link that leads nowhere": _lead_nowhere,
}
LAYOUTS = [("linear", "linear"), ("linear", "tree"), ("tree", "linear")]


@pytest.mark.parametrize(
    ("damage", "before", "after"),
    [
        *(pytest.param(damage, "tree", "tree", id=name) for name, damage in DAMAGES.items()),
        *(pytest.param(_cut, before, after, id=f"{before} to {after}") for before, after in LAYOUTS),
    ],
)
def test_a_start_removes_nothing(
    node4: Node, folder: Path, damage: Callable[[Path], object], before: str, after: str
) -> None:
    """Start with a damaged file on a node that serves what was in it; then with a good one."""
    node4.sync("--dispatch", before, source=folder)
    damage(folder / "odd.json")
    write(folder / "good.json", node4.web(1, [7]), node4.web(4))
    result = node4.once("--dispatch", after, source=folder)
    assert result.returncode == 1
    assert "odd.json" in result.stderr
    assert "nothing is removed until they are" in result.stderr
    assert node4.served() == {1, 2, 3, 4}
    assert f"--to-destination {pod_ip(node4.family, 7)}:8080" in node4.dump(), "what is known has changed"

    write(folder / "odd.json", node4.web(3))
    node4.sync("--dispatch", after, source=folder)
    assert node4.served() == {1, 3, 4}


def test_what_is_gone_goes_once_all_can_be_read(node4: Node, folder: Path) -> None:
    node4.sync(source=folder)
    (folder / "odd.json").write_text("")
    write(folder / "good.json", node4.web(1))
    node4.start(source=folder)
    write(folder / "more.json", node4.web(5))
    node4.wait_for(1, 2, 3, 5)
    (folder / "more.json").unlink()
    node4.wait_for_log("kept until all can be read: ")
    assert node4.served() == {1, 2, 3, 5}
    (folder / "odd.json").unlink()
    node4.wait_for(1)
    assert node4.log.read_text().count("nothing is removed until they are") == 1


def test_with_nothing_usable_once_is_an_error(node4: Node, folder: Path) -> None:
    assert node4.once("--dry-run", source=folder).returncode == 1, "there is something to write"
    node4.sync(source=folder)
    node4.sync("--dry-run", source=folder)
    before = node4.dump()
    for file in folder.iterdir():
        file.write_text("")
    result = node4.once(source=folder)
    assert result.returncode == 2
    assert "nothing of " in result.stderr
    assert node4.dump() == before
    missing = node4.once(source=folder / "no-such")
    assert missing.returncode == 2
    assert missing.stderr.endswith(f"Error: {folder}/no-such: no such file or folder\n")


def test_an_empty_folder_takes_nothing_away_at_the_start(node4: Node, folder: Path) -> None:
    """Nobody means to remove all Services by naming a folder that is not filled yet; who deletes the last one does."""
    node4.sync(source=folder)
    empty = node4.folder / "empty"
    empty.mkdir()
    refused = node4.once(source=empty)
    assert (refused.returncode, "no Service was found" in refused.stderr) == (1, True)
    node4.start(source=empty)
    node4.wait_for_log("nothing is removed until they are")
    assert node4.served() == {1, 2, 3}
    write(empty / "web.json", node4.web(2), node4.web(4))
    node4.wait_for(2, 4)
    (empty / "web.json").unlink()
    node4.wait_for()
    node4.sync("--allow-empty", source=empty)
