"""Progress: a line on a terminal for what takes long, and nothing elsewhere."""

import sys
import threading
from contextlib import suppress
from io import StringIO

import pytest

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
    with suppress(KeyboardInterrupt), progress("reading the rules"), progress("a part of that"):
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
