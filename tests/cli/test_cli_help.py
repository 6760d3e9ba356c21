"""Help, the version, completion, and colours: what all commands have in common."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.cli.kubectl_plugin import main as plugin
from pykubeproxy.cli.main import main

ROOT = Path(__file__).parents[2]
COSTLY = ("reject-unused-ports", "end-established-tcp")
OWN = {f"--{name}" for name in ("host-address", "family", "dispatch", "commit", "backend", *COSTLY)}
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


@pytest.mark.parametrize(
    ("command", "headings", "shown"),
    [
        ("run", "How it runs, Rules and objects, Output, The proxy, Help", OWN),
        ("render", "Rules and objects, The proxy, Help", OWN - {"--commit", "--end-established-tcp", "--backend"}),
        ("diff", "Rules and objects, Output, The proxy, Help", OWN - {"--end-established-tcp"}),
        ("trace", "Packet, Rules and objects, Output, The proxy, Help", OWN - {"--commit", "--end-established-tcp"}),
        ("services", "Rules and objects, Output, The proxy, Help", {"--family", "--backend"}),
        ("top", "How it runs, Rules and objects, Output, The proxy, Help", {"--family", "--backend"}),
        ("status", "Output, The proxy, Help", set()),
    ],
)
def test_options_stand_under_headings_and_the_proxys_configuration_is_folded(
    command: str, headings: str, shown: set[str]
) -> None:
    short, whole = (CliRunner().invoke(main, [command, option]).stdout for option in ("--help", "--help-all"))
    assert re.findall(r"^(\S.*):$", short, re.MULTILINE) == headings.split(", ")
    assert OWN & set(re.findall(r"^  (--\S+)", short, re.MULTILINE)) == shown
    assert max(map(len, short.splitlines())) <= 80
    assert "--masquerade-all" not in short
    folded = {*OWN, "--masquerade-all"} if "--help-all" in short else set()
    assert folded <= set(re.findall(r"^  (--\S+)", whole, re.MULTILINE))


def test_a_proxy_in_place_of_kube_proxy_shows_all_options() -> None:
    assert "\n  --masquerade-all" in CliRunner().invoke(kube_proxy, ["--help"]).stdout


def test_the_plugin_tells_its_own_options_from_those_of_a_cluster() -> None:
    text = CliRunner().invoke(plugin, ["trace", "--help"], prog_name="kubectl-pykubeproxy").stdout
    assert re.findall(r"^(\S.*):$", text, re.MULTILINE) == ["Packet", "Cluster and nodes", "Output", "Help"]
    assert "  trace     Explain what happens to a packet on a node.\n" in CliRunner().invoke(plugin, ["--help"]).stdout


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
