"""`run --source`: what changes on disk changes in the kernel, until the program is told to end."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from pykubeproxy.model.ip import Family
from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import cluster_ip, web, write
from tests.kernel.stand_ins import StandIns

ENDING_SECONDS = 10


def test_files_are_followed(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    write(folder / "one.json", web(kind4.family, 1))
    process = machine.start(folder, tmp_path / "log", *kind4.flags)
    wait_until(lambda: serves(machine, kind4, 1), "the first sync")

    write(folder / "two.json", web(kind4.family, 2))
    wait_until(lambda: serves(machine, kind4, 2), "a new file")
    write(folder / "two.json", web(kind4.family, 3))
    wait_until(lambda: serves(machine, kind4, 3) and not serves(machine, kind4, 2), "a changed file")
    (folder / "two.json").unlink()
    wait_until(lambda: not serves(machine, kind4, 3), "a file that is gone")
    assert serves(machine, kind4, 1)
    assert process.poll() is None


def test_a_file_that_does_not_parse_takes_nothing_away(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    folder, log = tmp_path / "manifests", tmp_path / "log"
    folder.mkdir()
    broken = write(folder / "broken.json", web(kind4.family, 1))
    machine.start(folder, log, *kind4.flags)
    wait_until(lambda: serves(machine, kind4, 1), "the first sync")
    broken.write_text('{"kind": "List", "items": [')
    wait_until(lambda: "broken.json: document 1: not valid" in log.read_text(), "a complaint")
    write(folder / "good.json", web(kind4.family, 2))
    wait_until(lambda: serves(machine, kind4, 2), "the others")
    assert serves(machine, kind4, 1)
    write(broken, web(kind4.family, 3))
    wait_until(lambda: serves(machine, kind4, 3) and not serves(machine, kind4, 1), "the repaired file")
    assert log.read_text().count("not valid") == 1


def test_nothing_is_written_while_nothing_changes(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    tools = StandIns(tmp_path / "bin").watching()
    machine.start(source, tmp_path / "log", *kind4.flags, path=tools.path)
    wait_until(lambda: serves(machine, kind4, 1), "the first sync")
    os.utime(source)
    write(tmp_path / "objects.json", web(kind4.family, 1))
    write(tmp_path / "objects.json", web(kind4.family, 1), web(kind4.family, 2))
    wait_until(lambda: serves(machine, kind4, 2), "a change")
    assert len(tools.calls) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_the_rules_stay(
    machine: Machine, kind4: Kind, number: signal.Signals, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = machine.start(write(tmp_path / "objects.json", web(kind4.family, 1)), log, *kind4.flags)
    wait_until(lambda: "synced" in log.read_text(), "the first sync")
    before = machine.dump(kind4)
    process.send_signal(number)
    assert process.wait(ENDING_SECONDS) == 0
    assert machine.dump(kind4) == before
    assert serves(machine, kind4, 1)
    assert number.name in log.read_text()


def test_a_signal_during_a_sync_ends_it_with_whole_tables(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    assert machine.once(source, *kind4.flags).returncode == 0
    before = machine.dump(kind4)
    write(source, web(kind4.family, 2))
    go_on, log = tmp_path / "go-on", tmp_path / "log"
    tools = StandIns(tmp_path / "bin").waiting(go_on)
    process = machine.start(source, log, *kind4.flags, path=tools.path)
    wait_until(lambda: tools.calls, "iptables-restore")
    process.terminate()
    try:
        status = process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        go_on.touch()
    assert status == 0
    assert "Traceback" not in log.read_text()
    wait_until(lambda: not others_running(machine), "the tool")
    assert machine.dump(kind4) == before or serves(machine, kind4, 2)


def serves(machine: Machine, kind: Kind, number: int) -> bool:
    return f" -d {cluster_ip(kind.family, number)}{kind.mask} " in machine.dump(kind)


def others_running(machine: Machine) -> bool:
    return bool(machine.exec(["ip", "netns", "pids", machine.name]).stdout.split()[1:])


def test_both_families_are_served(machine: Machine, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4, 1), web(Family.IPV6, 2))
    assert machine.once(source).returncode == 0
    assert cluster_ip(Family.IPV4, 1) in machine.exec(["iptables-save"]).stdout
    assert cluster_ip(Family.IPV6, 2) in machine.exec(["ip6tables-save"]).stdout
