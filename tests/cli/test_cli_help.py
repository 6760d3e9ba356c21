import click
import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main

COMMANDS = main.list_commands(click.Context(main))


def test_every_command_of_the_contract_is_there() -> None:
    assert {"run", "status", "check", "render", "diff", "trace", "services", "top", "cleanup", "version"} == set(
        COMMANDS
    )


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
    assert f"{flag} " in CliRunner().invoke(main, [command, "--help"]).stdout


def test_the_program_alone_lists_its_commands() -> None:
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == CliRunner().invoke(main, ["--help"]).stdout
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout
