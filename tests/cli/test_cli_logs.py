"""What commands log goes to stderr: stdout is for their answer."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from tests.corpus import GOLDEN


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The flag for an API server that does not answer."""
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": ""}}
    kubeconfig.write_text(json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "c"}))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    return f"--kubeconfig={kubeconfig}"


def ask(command: str, *arguments: str) -> Result:
    where = [f"--live={GOLDEN / 'nodeport' / 'ipv4.save'}"] if command != "render" else []
    return CliRunner().invoke(main, [command, "--source=api", *where, *arguments, "--cluster-cidr=10.244.0.0/16"])


@pytest.mark.parametrize("command", ["render", "diff"])
def test_without_an_api_server_there_is_no_answer(command: str, unreachable: str) -> None:
    result = ask(command, unreachable)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: cannot list objects: http://127.0.0.1:1: Connection refused\n"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("trace", ("--from=10.244.0.9", "--to=ns1/np", "--in-interface=eth0")), ("services", ())],
)
def test_without_an_api_server_the_rules_answer_alone(
    command: str, arguments: tuple[str, ...], unreachable: str
) -> None:
    result = ask(command, unreachable, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "ns1/np:http" in result.stdout
    assert result.stderr == (
        "note: cannot list objects: http://127.0.0.1:1: Connection refused; what follows is by the rules alone\n"
    )
