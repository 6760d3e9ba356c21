from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from pykubeproxy.model.ip import Family
from tests.corpus import GOLDEN
from tests.kernel.objects import web, write

DUAL_STACK = GOLDEN / "dual-stack" / "objects.yaml"


def render(*arguments: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(main, ["render", *arguments], input=stdin)
    assert result.exit_code == 0, result.stderr
    return result


def test_one_document_per_family() -> None:
    lines = render("-f", str(DUAL_STACK)).stdout.splitlines()
    structure = [line for line in lines if line[0] in "#*C"]
    one = ["*filter", "COMMIT", "*nat", "COMMIT"]
    assert structure == ["# ipv4", *one, "# ipv6", *one]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_family_alone_is_the_same_document(family: str) -> None:
    alone = render("-f", str(DUAL_STACK), "--family", family).stdout
    assert alone.startswith(f"# {family}\n*filter\n")
    assert alone in render("-f", str(DUAL_STACK)).stdout


def test_stdin_is_read_like_a_file() -> None:
    from_file = render("-f", str(DUAL_STACK)).stdout
    assert render("-f", "-", stdin=DUAL_STACK.read_text()).stdout == from_file


def test_files_and_folders_add_up(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "one.json", web(Family.IPV4, 1))
    write(folder / "two.json", web(Family.IPV4, 2))
    (folder / "README.md").write_text("not a manifest")
    third = write(tmp_path / "three.json", web(Family.IPV4, 3))
    all_in_one = write(tmp_path / "all.json", *(web(Family.IPV4, number) for number in (1, 2, 3)))
    assert render("-f", str(folder), "-f", str(third)).stdout == render("-f", str(all_in_one)).stdout


def test_other_kinds_are_skipped_with_a_note_on_stderr(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.json", web(Family.IPV4))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    mixed = write(tmp_path / "mixed.json", [pod], web(Family.IPV4))
    result = render("-f", str(mixed))
    assert result.stdout == render("-f", str(plain)).stdout
    assert result.stderr == f"{mixed}: document 1: items[0]: Pod is not used here; skipped\n"


def test_no_tool_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "KUBE-SERVICES" in render("-f", str(DUAL_STACK)).stdout


def test_the_same_objects_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    services = [web(Family.IPV4, number) for number in range(50)]
    forwards = write(tmp_path / "forwards.json", *services)
    backwards = write(tmp_path / "backwards.json", *reversed(services))
    for dispatch in ("linear", "tree"):
        first = render("-f", str(forwards), "--dispatch", dispatch).stdout
        assert render("-f", str(backwards), "--dispatch", dispatch).stdout == first


def test_another_node_is_spoken_for_by_its_addresses(tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4, type="NodePort", port={"nodePort": 30080}))
    arguments = ("-f", str(source), "--family", "ipv4", "--nodeport-addresses", "192.0.2.0/24")
    text = render(*arguments, "--host-address", "192.0.2.7", "--host-address", "198.51.100.7").stdout
    assert "-A KUBE-SERVICES -d 192.0.2.7/32 " in text
    assert "198.51.100.7" not in text
