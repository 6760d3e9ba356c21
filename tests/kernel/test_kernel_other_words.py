"""Tools that print rules in other words than they were written in, as another version may."""

from pathlib import Path

from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import pod_ip, web, write
from tests.kernel.stand_ins import StandIns

EDITS = (
    r"s|--set-xmark 0x4000/0x4000|--or-mark 0x4000|",
    r"s|-m statistic --mode random|-m statistic --mode=random|",
    r"s|-m conntrack --ctstate NEW|-m conntrack  --ctstate NEW|",
    r"s|--comment \"kubernetes service portals\"|--comment  \"kubernetes service portals\"|",
)
FLAGS = ("--iptables-sync-period", "1s", "-v", "4")


def syncs(log: Path) -> int:
    return sum("in sync" in line or "synced" in line for line in log.read_text().splitlines())


def test_a_running_node(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1), web(kind4.family, 2, (3, 4, 5)))
    tools = StandIns(tmp_path / "bin").watching().wording(*EDITS)
    log = tmp_path / "log"
    machine.start(source, log, *kind4.flags, *FLAGS, path=tools.path)
    wait_until(lambda: "KUBE-SERVICES" in machine.dump(kind4), "the first sync")
    first = machine.dump(kind4)
    wait_until(lambda: len(tools.calls) >= 2, "what looks changed to be written once more")
    written = len(tools.calls)
    seen = syncs(log)
    wait_until(lambda: syncs(log) >= seen + 3, "more periods")
    assert len(tools.calls) <= max(written, 3), "the first sync, once more, and jumps that were there twice"
    assert machine.dump(kind4) == first, "no jump is there twice"
    assert "changed by another program" not in log.read_text()

    written = len(tools.calls)
    chain = next(line.split()[1] for line in first.splitlines() if f"{pod_ip(kind4.family, 3)}:8080" in line)
    machine.exec([kind4.program, "-t", "nat", "-F", chain])
    wait_until(lambda: "changed by another program" in log.read_text(), "a real change")
    wait_until(lambda: machine.dump(kind4) == first, "its repair")


def test_a_restart(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    """It rewrites once at most, and leaves no jump twice, however often."""
    source = write(tmp_path / "objects.json", web(kind4.family, 1), web(kind4.family, 2, (3, 4, 5)))
    tools = StandIns(tmp_path / "bin").watching().wording(*EDITS)
    assert machine.once(source, *kind4.flags).returncode == 0
    first = machine.dump(kind4)
    for _ in range(2):
        assert machine.once(source, *kind4.flags, path=tools.path).returncode == 0
        assert machine.dump(kind4) == first
