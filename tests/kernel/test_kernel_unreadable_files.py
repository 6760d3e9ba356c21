"""`run --source` while something cannot be read: rules in force stay, what can be read is served, and it is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import cluster_ip, pod_ip, web, write

Damage = Callable[[Path], object]


def _cut(path: Path) -> None:
    path.write_text(path.read_text()[:400])


def _gone_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "..data" / path.name)


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGES: dict[str, Damage] = {
    "cut short": _cut,
    "empty": lambda path: path.write_text(""),
    "blank": lambda path: path.write_text("\n\n"),
    "not YAML": lambda path: path.write_text("kind: ["),
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "another document": lambda path: path.write_text("just a word\n"),
    "a bad object": lambda path: path.write_text(path.read_text().replace('"port": 80}', '"port": 80000}')),
    "a link that leads nowhere": _gone_link,
    "a link to itself": _link_to_itself,
}


@pytest.fixture(name="folder")
def fixture_folder(kind4: Kind, tmp_path: Path) -> Path:
    """Services web-1 to web-3, the last of them in a file of its own."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    write(folder / "good.json", web(kind4.family, 1), web(kind4.family, 2))
    write(folder / "odd.json", web(kind4.family, 3))
    return folder


def serves(machine: Machine, kind: Kind, number: int) -> bool:
    return f" -d {cluster_ip(kind.family, number)}{kind.mask} " in machine.dump(kind)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_start_removes_nothing(machine: Machine, kind4: Kind, folder: Path, damage: Damage) -> None:
    check_start(machine, kind4, folder, damage)


@pytest.mark.parametrize("layouts", [("linear", "linear"), ("linear", "tree"), ("tree", "linear")])
def test_in_either_layout(machine: Machine, kind4: Kind, folder: Path, layouts: tuple[str, str]) -> None:
    check_start(machine, kind4, folder, _cut, layouts)


def check_start(
    machine: Machine, kind4: Kind, folder: Path, damage: Damage, layouts: tuple[str, str] = ("tree", "tree")
) -> None:
    """Start with a damaged file on a node that serves what was in it; then with a good one."""
    before, after = layouts
    assert machine.once(folder, *kind4.flags, "--dispatch", before).returncode == 0
    damage(folder / "odd.json")
    write(folder / "good.json", web(kind4.family, 1, [7]), web(kind4.family, 4))
    result = machine.once(folder, *kind4.flags, "--dispatch", after)
    assert result.returncode == 1
    assert "odd.json" in result.stderr
    assert "nothing is removed until they can" in result.stderr
    assert all(serves(machine, kind4, number) for number in (1, 2, 3, 4))
    assert f"--to-destination {pod_ip(kind4.family, 7)}:8080" in machine.dump(kind4), "what is known has changed"

    write(folder / "odd.json", web(kind4.family, 3))
    assert machine.once(folder, *kind4.flags, "--dispatch", after).returncode == 0
    assert [serves(machine, kind4, number) for number in (1, 2, 3, 4)] == [True, False, True, True]


def test_what_is_gone_goes_once_all_can_be_read(machine: Machine, kind4: Kind, folder: Path, tmp_path: Path) -> None:
    assert machine.once(folder, *kind4.flags).returncode == 0
    (folder / "odd.json").write_text("")
    write(folder / "good.json", web(kind4.family, 1))
    log = tmp_path / "log"
    machine.start(folder, log, *kind4.flags)
    write(folder / "more.json", web(kind4.family, 5))
    wait_until(lambda: serves(machine, kind4, 5), "a new file")
    (folder / "more.json").unlink()
    wait_until(lambda: "kept until all can be read: " in log.read_text(), "a word on what is kept")
    assert all(serves(machine, kind4, number) for number in (1, 2, 3, 5))
    (folder / "odd.json").unlink()
    gone = (2, 3, 5)
    wait_until(lambda: not any(serves(machine, kind4, number) for number in gone), "what is gone to go")
    assert serves(machine, kind4, 1)
    assert log.read_text().count("nothing is removed until they can") == 1


def test_with_nothing_usable_once_is_an_error(machine: Machine, kind4: Kind, folder: Path) -> None:
    assert machine.once(folder, *kind4.flags).returncode == 0
    before = machine.dump(kind4)
    for file in folder.iterdir():
        file.write_text("")
    result = machine.once(folder, *kind4.flags)
    assert result.returncode == 2
    assert "nothing of " in result.stderr
    assert machine.dump(kind4) == before


def test_a_dry_run_with_something_to_write_ends_with_1(machine: Machine, kind4: Kind, folder: Path) -> None:
    assert machine.once(folder, *kind4.flags, "--dry-run").returncode == 1
    assert machine.once(folder, *kind4.flags).returncode == 0
    assert machine.once(folder, *kind4.flags, "--dry-run").returncode == 0
