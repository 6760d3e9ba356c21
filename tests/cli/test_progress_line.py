"""Progress: a line on a terminal for what takes long, and nothing elsewhere."""

import sys
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main
from pykubeproxy.cli.progress import progress

LONGEST_WAIT_SECONDS = 30


class Stream(StringIO):
    """A stand-in for stderr. No fixture: pytest puts its own stderr in place before a test begins."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool, delay: float = 0.0) -> None:
        super().__init__()
        self.is_terminal = is_terminal
        self.was_written = threading.Event()
        monkeypatch.setattr("pykubeproxy.cli.progress.DELAY_SECONDS", delay)
        monkeypatch.setattr(sys, "stderr", self)

    def isatty(self) -> bool:
        return self.is_terminal

    def flush(self) -> None:
        self.was_written.set()


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_what_takes_long_is_named_and_the_name_erased(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None
) -> None:
    terminal = Stream(monkeypatch, is_terminal=True)
    with suppress(KeyboardInterrupt), progress("reading the rules"):
        assert terminal.was_written.wait(LONGEST_WAIT_SECONDS)
        assert terminal.getvalue() == "reading the rules ..."
        if error:
            raise error
    assert terminal.getvalue() == "reading the rules ..." + "\r" + " " * 21 + "\r"


@pytest.mark.parametrize(("is_terminal", "delay"), [(True, LONGEST_WAIT_SECONDS), (False, 0.0)])
def test_what_is_quick_or_goes_to_a_pipe_is_done_without_a_word(
    monkeypatch: pytest.MonkeyPatch, delay: float, *, is_terminal: bool
) -> None:
    stream = Stream(monkeypatch, is_terminal=is_terminal, delay=delay)
    before = threading.active_count()
    with progress("reading the rules"):
        assert threading.active_count() == before + is_terminal
    assert stream.getvalue() == ""


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
