"""Completion: the scripts for shells, and what they are given to show."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("bash", "complete -o nosort -F"),
        ("zsh", "#compdef pykubeproxy"),
        ("fish", "complete --no-files --command pykubeproxy"),
    ],
)
def test_a_script_for_a_shell(shell: str, expected: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert expected in result.stdout
    assert f"_PYKUBEPROXY_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pykubeproxy st", "plain,status"),
        ("pykubeproxy diff --no-s", "plain,--no-summary"),
        ("pykubeproxy diff --live du", "file,du"),
        ("pykubeproxy render -f ex", "file,ex"),
        ("pykubeproxy diff --config ku", "file,ku"),
        ("pykubeproxy run --kubeconfig ku", "file,ku"),
        ("pykubeproxy completion z", "plain,zsh"),
    ],
)
def test_what_is_completed(words: str, expected: str) -> None:
    program = "import sys; sys.argv[0] = 'pykubeproxy'; from pykubeproxy.__main__ import main; main()"
    asked = {
        "_PYKUBEPROXY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "PATH": "/usr/bin:/bin",
    }
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=asked, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [expected]
