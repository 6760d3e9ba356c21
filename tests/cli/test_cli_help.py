"""Help, the version, completion, and colours: what all commands have in common."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.cli.main import main

ROOT = Path(__file__).parents[2]
COMMANDS = main.list_commands(click.Context(main))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_the_list_of_commands_says_what_each_does(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Example: pykubeproxy {command}" in result.stdout
    assert CliRunner().invoke(main, [command, "-h"]).stdout == result.stdout
    found = main.get_command(click.Context(main), command)
    assert found is not None
    alone = CliRunner().invoke(main, [])
    assert (alone.exit_code, alone.stdout) == (0, CliRunner().invoke(main, ["--help"]).stdout)
    assert f" {command} {found.get_short_help_str(1000)}" in " ".join(alone.stdout.split())


@pytest.mark.parametrize("command", ["run", "render", "diff", "trace", "services"])
def test_the_proxys_configuration_is_folded(command: str) -> None:
    short = CliRunner().invoke(main, [command, "--help"]).stdout
    whole = CliRunner().invoke(main, [command, "--help-all"]).stdout
    for flag in ("--host-address", "--family", "--dispatch", "--backend"):
        assert f"\n  {flag} " in short, flag
        assert f"\n  {flag} " in whole, flag
    assert "\n  --cluster-cidr " in whole
    assert "\n  --masquerade-all" in whole
    assert "\n  --masquerade-all" not in short
    assert "\n  --masquerade-all" in CliRunner().invoke(kube_proxy, ["--help"]).stdout


def test_the_version() -> None:
    short = CliRunner().invoke(main, ["--version"])
    lines = CliRunner().invoke(main, ["version"]).stdout.splitlines()
    assert (short.exit_code, short.stdout) == (0, f"{lines[0]}\n")
    document = json.loads(CliRunner().invoke(main, ["version", "-o", "json"]).stdout)
    assert lines[:2] == [f"pykubeproxy {document['pykubeproxy']}", f"python {document['python']}"]
    assert document["kubernetes"] == "v1.37.0"
    for family, its in document["families"].items():
        where = lines.index(next(line for line in lines if line.lower().startswith(f"{family} backend in use: ")))
        assert lines[where - len(its["tools"]) : where] == [f"{name} {text}" for name, text in its["tools"].items()]


@pytest.mark.parametrize(
    ("arguments", "environment", "on_terminal", "expected"),
    [
        ((), {}, False, False),
        ((), {}, True, True),
        ((), {"NO_COLOR": "1"}, True, False),
        ((), {"FORCE_COLOR": "1"}, False, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        (("--color", "always"), {"NO_COLOR": "1"}, False, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colors(
    arguments: tuple[str, ...], environment: dict[str, str], tmp_path: Path, *, on_terminal: bool, expected: bool
) -> None:
    dump = tmp_path / "dump"
    dump.write_text("*filter\nCOMMIT\n*nat\nCOMMIT\n")
    cleared = {"NO_COLOR": None, "FORCE_COLOR": None}
    command = ["diff", "-f", str(ROOT / "examples"), "--family", "ipv4", "--live", str(dump), *arguments]
    result = CliRunner().invoke(main, command, env={**cleared, **environment}, color=on_terminal)
    assert ("\x1b[" in result.stdout) is expected, result.output


def test_a_script_that_completes_for_a_shell() -> None:
    script = CliRunner().invoke(main, ["completion", "zsh"]).stdout
    assert script.startswith("#compdef pykubeproxy")
    assert "_PYKUBEPROXY_COMPLETE=zsh_complete" in script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pykubeproxy st", "plain,status"),
        ("pykubeproxy diff --no-s", "plain,--no-summary"),
        ("pykubeproxy render -f ex", "file,ex"),
        ("pykubeproxy completion z", "plain,zsh"),
    ],
)
def test_what_is_completed(words: str, expected: str) -> None:
    program = "import sys; sys.argv[0] = 'pykubeproxy'; from pykubeproxy.__main__ import main; main()"
    asked = {"_PYKUBEPROXY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**asked, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines() == [expected]
