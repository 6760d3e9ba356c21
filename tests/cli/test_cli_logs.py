"""What commands log goes to stderr: stdout is for their answer."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main
from tests.corpus import GOLDEN


@pytest.mark.parametrize("command", ["render", "diff", "trace"])
def test_stdout_has_nothing_but_the_answer(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an API server that nobody hears of, the log tells; an answer there cannot be."""
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": ""}}
    kubeconfig.write_text(json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "c"}))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    where = [f"--live={GOLDEN / 'nodeport' / 'ipv4.save'}"] if command != "render" else []
    asked = ["--from=10.244.0.9", "--to=ns1/np"] if command == "trace" else []
    arguments = [command, "--source=api", f"--kubeconfig={kubeconfig}", *where, *asked, "--cluster-cidr=10.244.0.0/16"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code > 1
    assert result.stdout == ""
    assert "127.0.0.1" in result.stderr
