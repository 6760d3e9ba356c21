"""The lock that the legacy tools share with each other."""

import fcntl
from pathlib import Path

import pytest

from pykubeproxy.host import iptables
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.errors import LockTimeout
from pykubeproxy.model.ip import Family
from tests.kernel.machine import Kind, Machine, wait_until, why_without
from tests.kernel.objects import web, write
from tests.kernel.stand_ins import host_in

LEGACY = Kind(family=Family.IPV4, backend=Backend.LEGACY)


@pytest.fixture(name="lock")
def fixture_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of the test's own instead of the machine's."""
    if lack := why_without(LEGACY):
        pytest.skip(lack)
    path = tmp_path / "xtables.lock"
    monkeypatch.setenv("XTABLES_LOCKFILE", str(path))
    return path


def test_a_lock_that_is_not_given_back_is_reported_as_such(
    machine: Machine, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iptables, "LOCK_WAIT", 1)
    host = host_in(machine, LEGACY, tmp_path)
    with lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LockTimeout, match="another program has held the xtables lock for 1 s"):
            host.restore(["*nat", ":KUBE-NEW - [0:0]", "COMMIT"])
    assert machine.chain(LEGACY, "nat", "KUBE-NEW") is None


def test_a_run_waits_for_the_lock(machine: Machine, lock: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    with lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        process = machine.start(source, tmp_path / "log", *LEGACY.flags)
        wait_until(lambda: is_waiting(process.pid), "iptables-restore")
        assert machine.chain(LEGACY, "nat", "KUBE-SERVICES") is None
        fcntl.flock(holder, fcntl.LOCK_UN)
    wait_until(lambda: machine.chain(LEGACY, "nat", "KUBE-SERVICES"), "the rules")


def test_a_run_that_does_not_get_the_lock_is_not_in_sync(machine: Machine, lock: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    with lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        run = machine.once(source, *LEGACY.flags)
    assert run.returncode == 2
    assert "another program has held the xtables lock for 5 s" in run.stderr
    assert machine.chain(LEGACY, "nat", "KUBE-SERVICES") is None


def is_waiting(pid: int) -> bool:
    """True if a child of the process is an iptables-restore."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(b"-restore" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)
