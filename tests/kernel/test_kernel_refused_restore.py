"""A restore that the tool or the kernel refuses half-way leaves whole tables, and says which line it was."""

from pathlib import Path

import pytest

from pykubeproxy.host.errors import RestoreError
from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import cluster_ip, web, write
from tests.kernel.stand_ins import StandIns, host_in

# The nat section of what is fed to the tool; the last rule is refused.
REFUSED_BY_THE_TOOL = ("-A KUBE-SERVICES -p tcp -m tcp --dport 99999 -j KUBE-NEW", "-X KUBE-MISSING", "rubbish")
# A loop of chains is only found when all of them are there.
REFUSED_BY_THE_KERNEL = "-A KUBE-NEW -j KUBE-SERVICES"

FIRST_INPUT = ["*nat", ":KUBE-SERVICES - [0:0]", ":KUBE-OLD - [0:0]", "-A KUBE-SERVICES -j KUBE-OLD", "COMMIT"]


@pytest.mark.parametrize("line", REFUSED_BY_THE_TOOL)
def test_the_line_that_the_tool_refuses_is_named_and_nat_stays_whole(
    machine: Machine, kind: Kind, line: str, tmp_path: Path
) -> None:
    host = host_in(machine, kind, tmp_path)
    host.restore(FIRST_INPUT)
    before = machine.dump(kind, "-t", "nat")
    with pytest.raises(RestoreError) as caught:
        host.restore(second_input(line))
    assert (caught.value.line, caught.value.text) == (9, line)
    assert f" failed at line 9 ({line}): " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert machine.dump(kind, "-t", "nat") == before
    assert machine.chain(kind, "filter", "KUBE-NEW") == ()


def test_what_the_kernel_refuses_at_the_commit_is_undone(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    host = host_in(machine, kind, tmp_path)
    host.restore(FIRST_INPUT)
    before = machine.dump(kind, "-t", "nat")
    with pytest.raises(RestoreError) as caught:
        host.restore(second_input(REFUSED_BY_THE_KERNEL))
    assert caught.value.line >= 9
    assert caught.value.text in (REFUSED_BY_THE_KERNEL, "COMMIT")
    assert machine.dump(kind, "-t", "nat") == before


def test_input_without_its_end_changes_nothing(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    host = host_in(machine, kind4, tmp_path)
    host.restore(FIRST_INPUT)
    before = machine.dump(kind4, "-t", "nat")
    with pytest.raises(RestoreError, match="COMMIT expected"):
        host.restore(second_input("-A KUBE-NEW -j RETURN")[:-1])
    assert machine.dump(kind4, "-t", "nat") == before


def test_a_run_that_fails_leaves_the_old_rules_and_says_so_in_one_line(
    machine: Machine, kind: Kind, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1), web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    before = machine.dump(kind, "-t", "nat")
    write(source, web(kind.family, 1, endpoints=(7, 8)), web(kind.family, 3))
    spoiled = tmp_path / "spoiled"
    spoiled.touch()
    failed = machine.once(source, *kind.flags, path=StandIns(tmp_path / "bin").spoiling_nat(spoiled).path)
    assert failed.returncode == 1
    complaints = [line for line in failed.stderr.splitlines() if "failed" in line]
    assert len(complaints) == 1
    assert "-restore failed at line " in complaints[0]
    assert "Traceback" not in failed.stderr
    assert machine.dump(kind, "-t", "nat") == before
    assert machine.once(source, *kind.flags).returncode == 0
    assert f" -d {cluster_ip(kind.family, 3)}{kind.mask} " in machine.dump(kind)


def test_rules_that_somebody_else_removed_are_back_at_the_next_change(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    machine.start(source, tmp_path / "log", *kind4.flags)
    wait_until(lambda: "KUBE-SERVICES" in machine.dump(kind4), "the first sync")
    complete = machine.dump(kind4)
    machine.clear(kind4)
    # The partial Plan for this change leads to chains that are not there any more.
    write(source, web(kind4.family, 1), web(kind4.family, 2))
    wait_until(lambda: f" -d {cluster_ip(kind4.family, 2)}/32 " in machine.dump(kind4), "the change")
    write(source, web(kind4.family, 1))
    wait_until(lambda: machine.dump(kind4) == complete, "all rules")


def second_input(last: str) -> list[str]:
    """A filter section to which nothing is to be objected, and a nat section whose last rule is `last`."""
    nat = ["*nat", ":KUBE-SERVICES - [0:0]", ":KUBE-NEW - [0:0]", "-A KUBE-SERVICES -j KUBE-NEW"]
    return ["*filter", ":KUBE-NEW - [0:0]", "COMMIT", *nat, "-A PREROUTING -j KUBE-SERVICES", last, "COMMIT"]
