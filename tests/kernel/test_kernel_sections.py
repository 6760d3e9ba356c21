"""A Plan that is too large for one COMMIT of the nft tools."""

from pathlib import Path

from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import web, write
from tests.kernel.stand_ins import StandIns


def test_many_sections_end_where_a_single_commit_does(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    large = [web(kind.family, number, endpoints=(number % 200, 201)) for number in range(250)]
    source = write(tmp_path / "objects.json", *large)
    sections = machine.pykubeproxy("diff", "-f", str(source), *kind.flags, "--output", "restore").stdout
    assert (sections.count("COMMIT\n") > 2) is (kind.backend == "nft")
    tools = StandIns(tmp_path / "bin").watching()
    assert machine.once(source, *kind.flags, path=tools.path).returncode == 0
    assert len(tools.calls) == 1
    in_sections = machine.dump(kind)

    # Nearly everything goes and something else comes, in sections; then everything is back, in one.
    write(source, *large[:5], *(web(kind.family, number) for number in range(300, 320)))
    assert machine.once(source, *kind.flags).returncode == 0
    assert machine.pykubeproxy("diff", "-f", str(source), *kind.flags).returncode == 0
    write(source, *large)
    assert machine.once(source, *kind.flags, "--commit", "single").returncode == 0
    assert machine.dump(kind) == in_sections

    assert machine.pykubeproxy("cleanup", *kind.flags).returncode == 0
    assert "KUBE-S" not in machine.dump(kind)
