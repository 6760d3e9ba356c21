"""What `top` refuses before it reads anything."""

import io

import click
import pytest
from click.testing import CliRunner

from pykubeproxy.cli import top
from pykubeproxy.cli.main import main

MISTAKES = {
    "too often": (["--interval", "0"], "0 is not from 100ms to 1h"),
    "never": (["--interval", "2h"], "2h is not from 100ms to 1h"),
    "no number": (["--interval", "nan"], 'invalid duration "nan"'),
    "no unit": (["--interval", "1x"], 'unknown unit "x"'),
    "no Services": (["--limit", "0"], "0 is not in the range x>=1"),
    "output": (["--output", "yaml"], "'yaml' is not one of 'text', 'json'"),
    "argument": (["default/web"], "default/web"),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(main, ["top", *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr
    assert result.stdout == ""


def test_a_reader_that_has_gone_is_left_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich would exit with 1, which is no exit status of `top`."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    monkeypatch.setattr("sys.stdout", Broken())
    with pytest.raises(BrokenPipeError), click.Context(main):
        top._console().print("a table")
