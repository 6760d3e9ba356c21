import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = main.list_commands(click.Context(main))


def test_every_command_of_the_contract_is_there() -> None:
    assert {
        "run",
        "status",
        "check",
        "render",
        "diff",
        "trace",
        "services",
        "top",
        "cleanup",
        "version",
        "completion",
    } == set(COMMANDS)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, flag: str) -> None:
    result = CliRunner().invoke(main, [command, flag])
    assert result.exit_code == 0
    assert f"Example: pykubeproxy {command}" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("command", ["run", "render", "diff"])
@pytest.mark.parametrize(
    "flag", ["--host-address", "--family", "--dispatch", "--backend", "--cluster-cidr", "--masquerade-all"]
)
def test_our_flags_and_kube_proxys_are_there(command: str, flag: str) -> None:
    assert f"{flag} " in CliRunner().invoke(main, [command, "--help-all"]).stdout


def test_the_program_alone_lists_its_commands() -> None:
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == CliRunner().invoke(main, ["--help"]).stdout
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize("command", ["run", "render", "diff", "trace", "services"])
def test_the_proxys_configuration_is_folded(command: str) -> None:
    short = CliRunner().invoke(main, [command, "--help"]).stdout
    assert "\n  --help-all " in short
    assert "\n  --masquerade-all" not in short
    assert "\n  --dispatch " in short
    assert "\n  --masquerade-all" in CliRunner().invoke(kube_proxy, ["--help"]).stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "escapes"),
    [
        ((), {}, 0),
        ((), {"FORCE_COLOR": "1"}, 1),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, 0),
        (("--color", "always"), {"NO_COLOR": "1"}, 1),
        (("--color", "never"), {"FORCE_COLOR": "1"}, 0),
    ],
)
def test_colors(arguments: tuple[str, ...], environment: dict[str, str], escapes: int, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text("*filter\nCOMMIT\n*nat\nCOMMIT\n")
    cleared = {"NO_COLOR": None, "FORCE_COLOR": None}
    command = ["diff", "-f", str(EXAMPLES), "--family", "ipv4", "--live", str(dump), *arguments]
    result = CliRunner().invoke(main, command, env={**cleared, **environment})
    assert ("\x1b[" in result.stdout) == escapes, result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(command: str) -> None:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    listed = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())
    assert f" {command} {found.get_short_help_str(1000)}" in listed


@pytest.mark.parametrize(
    ("wrong", "meant"), [("staus", "; did you mean status?"), ("rendre", "; did you mean render?"), ("zzz", "")]
)
def test_a_command_that_may_have_been_meant(wrong: str, meant: str) -> None:
    result = CliRunner().invoke(main, [wrong])
    assert result.exit_code == 2
    assert result.stderr == f"Error: No such command '{wrong}'{meant} (see 'main --help')\n"


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


@pytest.mark.parametrize("command", ["status", "check", "diff", "trace", "services", "top", "version"])
def test_the_form_of_the_output_has_a_short_option(command: str) -> None:
    assert "\n  -o, --output [text|" in CliRunner().invoke(main, [command, "--help"]).stdout


@pytest.mark.parametrize("command", ["services", "top"])
def test_n_is_a_namespace(command: str) -> None:
    assert "\n  -n, --namespace " in CliRunner().invoke(main, [command, "--help"]).stdout
