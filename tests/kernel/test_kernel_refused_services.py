"""A kernel that lacks an extension: Services that need it stay as they were, all others are served."""

import json
from pathlib import Path

import pytest

from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import Manifest, cluster_ip, pod_ip, web, write
from tests.kernel.stand_ins import StandIns

NAMED = "Warning: Extension recent revision 0 not supported, missing kernel module?"


def sticky(kind: Kind, number: int, endpoints: tuple[int, ...] = (5,)) -> list[Manifest]:
    return web(kind.family, number, endpoints, sessionAffinity="ClientIP")


def serves(machine: Machine, kind: Kind, number: int) -> bool:
    return f" -d {cluster_ip(kind.family, number)}{kind.mask} " in machine.dump(kind)


@pytest.mark.parametrize("complaint", [NAMED, ""], ids=["named", "unnamed"])
def test_a_start(machine: Machine, kind: Kind, tmp_path: Path, complaint: str) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1), sticky(kind, 2), web(kind.family, 3))
    tools = StandIns(tmp_path / "bin").refusing("-m recent", complaint)
    result = machine.once(source, *kind.flags, "--log-format", "json", path=tools.path)
    assert result.returncode == 1
    assert [serves(machine, kind, number) for number in (1, 2, 3)] == [True, False, True]
    (error,) = [line for line in map(json.loads, result.stderr.splitlines()) if line["level"] == "error"]
    assert (error["services"], error["missing_module"]) == ("default/web-2", "xt_recent")
    assert "-restore failed" in error["error"]


def test_a_running_node(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    """Many need what is missing since they were written: as before, for no more restores than one would cost."""
    kind = kind4
    many = range(10, 40)
    source = write(tmp_path / "objects.json", web(kind.family, 1), *(sticky(kind, number) for number in many))
    assert machine.once(source, *kind.flags).returncode == 0
    tools = StandIns(tmp_path / "bin").refusing("-m recent")
    log = tmp_path / "log"
    machine.start(source, log, *kind.flags, path=tools.path)
    wait_until(lambda: "in sync" in log.read_text(), "the first sync")
    before = machine.dump(kind)
    write(
        source,
        web(kind.family, 1, endpoints=(7,)),
        web(kind.family, 2),
        *(sticky(kind, number, (6,)) for number in many),
    )
    wait_until(lambda: serves(machine, kind, 2), "all others")
    dump = machine.dump(kind)
    assert f"--to-destination {pod_ip(kind.family, 7)}:8080" in dump
    kept = [line for line in before.splitlines() if "-m recent" in line]
    assert [line for line in dump.splitlines() if "-m recent" in line] == kept
    wait_until(lambda: "and 25 more" in log.read_text(), "the error")
    assert log.read_text().count("[error") == 1
    assert len(tools.calls) <= 6


@pytest.mark.parametrize("text", ["--random-fully", "-m addrtype", "-m statistic"])
def test_other_extensions(machine: Machine, kind: Kind, tmp_path: Path, text: str) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1, (1,)), web(kind.family, 2, (2, 3)))
    tools = StandIns(tmp_path / "bin").refusing(text)
    result = machine.once(source, *kind.flags, path=tools.path)
    is_one_refused = text == "-m statistic"
    assert result.returncode == is_one_refused, result.stderr
    assert [serves(machine, kind, number) for number in (1, 2)] == [True, not is_one_refused]
    assert "missing_module=xt_" in result.stderr
