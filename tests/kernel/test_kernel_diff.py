"""`diff` against live rules: exit statuses, and a payload that does exactly what `run` would do."""

from pathlib import Path

from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import web, write

SAME = "No changes. The node matches the cluster.\n"


def test_exit_statuses(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    different = machine.pykubeproxy("diff", "-f", str(source), *kind4.flags)
    assert different.returncode == 1
    assert "\nPlan: " in different.stdout
    assert machine.once(source, *kind4.flags).returncode == 0
    same = machine.pykubeproxy("diff", "-f", str(source), *kind4.flags)
    assert (same.returncode, same.stdout) == (0, SAME)
    assert machine.pykubeproxy("diff", "-f", str(tmp_path / "missing"), *kind4.flags).returncode > 1


def test_nothing_is_written(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    machine.once(write(tmp_path / "objects.json", web(kind4.family, 1)), *kind4.flags)
    before = machine.dump(kind4)
    write(tmp_path / "objects.json", web(kind4.family, 2))
    for output in ("text", "restore"):
        arguments = ("-f", str(tmp_path / "objects.json"), "--output", output)
        assert machine.pykubeproxy("diff", *arguments, *kind4.flags).returncode == 1
    assert machine.dump(kind4) == before


def test_the_payload_loaded_by_hand_does_what_run_would_do(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1), web(kind.family, 2))
    machine.once(source, *kind.flags)
    write(source, web(kind.family, 2, endpoints=(1, 2, 3)), web(kind.family, 3))
    machine.iptables(kind, "-D", "FORWARD", "1")
    restore = ("diff", "-f", str(source), *kind.flags, "--output", "restore")
    by_hand = machine.pykubeproxy(*restore).stdout
    machine.load(kind, by_hand, "--counters")
    assert machine.pykubeproxy("diff", "-f", str(source), *kind.flags).stdout == SAME
    assert machine.pykubeproxy(*restore).stdout == ""
    loaded = machine.dump(kind)
    assert machine.once(source, *kind.flags).returncode == 0
    assert machine.dump(kind) == loaded


def test_what_render_prints_is_complete_for_a_node_that_has_nothing(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", *(web(kind4.family, number) for number in range(30)))
    flags = ("--family", kind4.family.lower())
    machine.load(kind4, machine.pykubeproxy("render", "-f", str(source), *flags).stdout)
    assert machine.pykubeproxy("diff", "-f", str(source), *kind4.flags).stdout == SAME


def test_a_dump_of_the_node_tells_the_same_as_the_node(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    machine.once(source, *kind4.flags)
    dump = tmp_path / "dump"
    dump.write_text(machine.exec([f"{kind4.program}-save", "-c"]).stdout)
    assert machine.pykubeproxy("diff", "-f", str(source), "--live", str(dump)).stdout == SAME
    write(source, web(kind4.family, 2))
    from_node = machine.pykubeproxy("diff", "-f", str(source), *kind4.flags)
    from_dump = machine.pykubeproxy("diff", "-f", str(source), "--live", str(dump))
    assert (from_dump.returncode, from_dump.stdout) == (from_node.returncode, from_node.stdout)
