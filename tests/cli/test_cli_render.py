from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from pykubeproxy.model.ip import Family
from tests.corpus import GOLDEN
from tests.kernel.objects import web, write

DUAL_STACK = GOLDEN / "dual-stack" / "objects.yaml"


def render(*arguments: str | Path, stdin: str = "") -> Result:
    result = CliRunner().invoke(main, ["render", *map(str, arguments)], input=stdin)
    assert result.exit_code == 0, result.stderr
    return result


def test_one_document_per_family_without_any_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    both = render("-f", DUAL_STACK).stdout
    one = ["*filter", "COMMIT", "*nat", "COMMIT"]
    assert [line for line in both.splitlines() if line[0] in "#*C"] == ["# ipv4", *one, "# ipv6", *one]
    alone = [render("-f", DUAL_STACK, "--family", family).stdout for family in ("ipv4", "ipv6")]
    assert both == "".join(alone)
    assert render("-f", "-", stdin=DUAL_STACK.read_text()).stdout == both


def test_files_and_folders_add_up_in_any_order_and_other_kinds_are_skipped_with_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    one = write(folder / "one.json", [pod], web(Family.IPV4, 1))
    write(folder / "two.json", web(Family.IPV4, 2))
    (folder / "README.md").write_text("not a manifest")
    third = write(tmp_path / "three.json", web(Family.IPV4, 3))
    result = render("-f", folder, "-f", third)
    assert result.stderr == f"{one}: document 1: items[0]: Pod is not used here; skipped\n"
    backwards = write(tmp_path / "all.json", *(web(Family.IPV4, number) for number in (3, 2, 1)))
    assert result.stdout == render("-f", backwards).stdout


def test_another_node_is_spoken_for_by_its_addresses(tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4, type="NodePort", port={"nodePort": 30080}))
    arguments = ("-f", source, "--family", "ipv4", "--nodeport-addresses", "192.0.2.0/24")
    text = render(*arguments, "--host-address", "192.0.2.7", "--host-address", "198.51.100.7").stdout
    assert "-A KUBE-SERVICES -d 192.0.2.7/32 " in text
    assert "198.51.100.7" not in text
