"""Progress: a line on a terminal for what takes long, and nothing elsewhere."""

import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main
from pykubeproxy.cli.progress import progress

LONGEST_WAIT_SECONDS = 30


class Terminal(StringIO):
    """A stand-in for stderr on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.was_written = threading.Event()

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.was_written.set()


def put_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal. A fixture could not: pytest puts its own stderr in place before the test begins."""
    its = Terminal()
    monkeypatch.setattr(sys, "stderr", its)
    return its


def fail_after(terminal: Terminal) -> None:
    with progress("reading"):
        assert terminal.was_written.wait(LONGEST_WAIT_SECONDS)
        raise KeyboardInterrupt


def test_what_takes_long_is_named_and_the_name_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = put_terminal(monkeypatch)
    monkeypatch.setattr("pykubeproxy.cli.progress.DELAY_SECONDS", 0)
    with progress("reading the rules"):
        assert terminal.was_written.wait(LONGEST_WAIT_SECONDS)
        assert terminal.getvalue() == "reading the rules ..."
    assert terminal.getvalue() == "reading the rules ..." + "\r" + " " * 21 + "\r"


def test_it_is_erased_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = put_terminal(monkeypatch)
    monkeypatch.setattr("pykubeproxy.cli.progress.DELAY_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        fail_after(terminal)
    assert terminal.getvalue().endswith(" \r")


def test_what_is_quick_is_done_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = put_terminal(monkeypatch)
    monkeypatch.setattr("pykubeproxy.cli.progress.DELAY_SECONDS", LONGEST_WAIT_SECONDS)
    with progress("reading the rules"):
        pass
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("diff -f examples", ["reading the objects", "reading the dumps", "comparing the rules"]),
        ("services", ["reading the dumps"]),
        ("trace --from 10.244.1.7 --to 10.96.0.1:80", ["reading the dumps"]),
    ],
)
def test_commands_name_what_may_take_long(
    command: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dump").write_text("*nat\nCOMMIT\n")
    named = []

    def name(doing: str) -> AbstractContextManager[None]:
        named.append(doing)
        return nullcontext()

    for module in ("inputs", "dumps", "diff"):
        monkeypatch.setattr(f"pykubeproxy.cli.{module}.progress", name)
    assert CliRunner().invoke(main, [*command.split(), "--live", str(tmp_path / "dump")]).exit_code < 2
    assert named == expected


def test_a_pipe_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pykubeproxy.cli.progress.DELAY_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", pipe := StringIO())
    before = threading.active_count()
    with progress("reading the rules"):
        assert threading.active_count() == before
    assert pipe.getvalue() == ""
