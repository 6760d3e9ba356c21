"""What a user did wrong is told in one line on stderr, and the exit status is not 0.

Only of commands that change nothing: `run` and `cleanup` are tried in a namespace (tests/kernel).
"""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from pykubeproxy.model.ip import Family
from tests.kernel.objects import web, write

# What is wrong on the command line, and what the line must say.
MISTAKES = {
    "unknown flag": (["render", "--no-such"], "No such option '--no-such'"),
    "unknown command": (["rendre"], "No such command 'rendre'"),
    "value missing": (["render", "-f"], "'-f' requires an argument"),
    "no objects": (["render"], "no objects given: name a file or folder with -f"),
    "family": (["render", "-f", "-", "--family", "ipv5"], "'ipv5' is not one of 'ipv4', 'ipv6'"),
    "dispatch": (["render", "-f", "-", "--dispatch", "round"], "'round' is not one of 'linear', 'tree'"),
    "backend": (["diff", "-f", "-", "--backend", "ebpf"], "'ebpf' is not one of 'auto', 'nft', 'legacy'"),
    "address": (["render", "-f", "-", "--host-address", "1.2.3"], "'1.2.3' is not an IP address"),
    "number": (["render", "-f", "-", "--iptables-masquerade-bit", "many"], "--iptables-masquerade-bit"),
    "range": (["render", "-f", "-", "--iptables-masquerade-bit", "99"], "asquerade"),
    "mode": (["render", "-f", "-", "--proxy-mode", "ipvs"], "ipvs"),
    "argument": (["render", "-f", "-", "surplus"], "surplus"),
    "missing path": (["render", "-f", "/no/such"], "/no/such: no such file or folder"),
    "missing configuration": (["render", "-f", "-", "--config", "/no/such"], "/no/such"),
    "missing dump": (["diff", "-f", "-", "--live", "/no/such"], "/no/such: cannot be read: No such file or directory"),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(main, arguments, input="")
    assert result.exit_code > 0
    assert_one_error(result)
    assert expected in result.stderr


@pytest.mark.parametrize("command", ["diff"])
def test_an_error_of_diff_is_no_difference(command: str) -> None:
    for arguments, _ in MISTAKES.values():
        if arguments[0] == command:
            assert CliRunner().invoke(main, arguments, input="").exit_code > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html></html>\n", "line 1: '<html></html>' is not a line of iptables-save"),
        ("*nat\n:A - [0:0]", "line 2: the dump ends inside table nat: there is no COMMIT"),
        ("*nat\n-A A -j B\nCOMMIT\n", "line 2: '-A A -j B' is not a rule of a chain of table nat"),
        ("*nat\nCOMMIT\n*nat\nCOMMIT\n", "line 4: table nat is there twice; one dump is of one family"),
        ("", "no table in it"),
    ],
)
def test_a_dump_that_is_none(text: str, expected: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text(text)
    result = CliRunner().invoke(main, ["diff", "-f", "-", "--live", str(dump)], input="")
    assert result.exit_code == 2
    assert_one_error(result)
    assert result.stderr.startswith(f"Error: {dump}: {expected}")


def test_a_dump_of_arbitrary_bytes(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(bytes(range(255, -1, -1)))
    result = CliRunner().invoke(main, ["diff", "-f", "-", "--live", str(dump)], input="")
    assert result.exit_code == 2
    assert_one_error(result)


def test_a_folder_is_no_dump(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["diff", "-f", "-", "--live", str(tmp_path)], input="")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}: cannot be read: Is a directory\n"


def test_a_broken_document_names_its_place_and_the_others_are_used(tmp_path: Path) -> None:
    good = write(tmp_path / "good.json", web(Family.IPV4)).read_text()
    manifest = tmp_path / "objects.yaml"
    manifest.write_text(f"a: [\n---\n{good}\n---\nkind: Service\napiVersion: v1\nmetadata: {{name: bad}}\nspec: 3\n")
    result = CliRunner().invoke(main, ["render", "-f", str(manifest), "--family", "ipv4"])
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{manifest}: document 1: not valid YAML: ")
    assert second.startswith(f"{manifest}: document 3: Service default/bad: spec: ")
    assert "default/web-1:http" in result.stdout


def test_an_error_that_nobody_thought_of_is_one_line_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("no\nway")

    monkeypatch.setattr("pykubeproxy.cli.render.render_lines", fail)
    arguments = ["render", "-f", str(write(tmp_path / "objects.json", [])), "--family", "ipv4"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr == "Error: ZeroDivisionError: no way (-v 4 tells more)\n"
    assert isinstance(CliRunner().invoke(main, [*arguments, "-v", "4"]).exception, ZeroDivisionError)


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    command = [sys.executable, "-m", "pykubeproxy", "render", "-f", str(source)]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            command, cwd=Path(__file__).parents[2], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert run.returncode != 0
    assert run.stderr.startswith("Error: [Errno 28] No space left on device")
    assert "Traceback" not in run.stderr


def assert_one_error(result: Result) -> None:
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
