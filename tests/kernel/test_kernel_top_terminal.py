"""`top` on a terminal: a screen of its own, ended by a key, and the terminal as it was before."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.machine import COMMAND, DEADLINE_SECONDS, Kind, Machine

ROWS, COLUMNS = 24, 100
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
HEADING = b"0 busy of 0 Service ports"


class Terminal:
    """A terminal, and one program that has it as its own."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self._ours, self._its = pty.openpty()
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._before = termios.tcgetattr(self._its)
        # setsid -c makes it the controlling terminal, so that Ctrl-C is for the program.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=self._its,
            stdout=self._its,
            stderr=self._its,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        self.seen = b""

    def see(self, text: bytes) -> None:
        """Wait until something has been shown."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._ours], [], [], 0.1)[0]:
                self.seen += os.read(self._ours, 65536)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._ours, keys)

    def end(self) -> int:
        """Wait for the program's end; the terminal must be what it was."""
        self.see(LEAVE)
        status = self.process.wait(DEADLINE_SECONDS)
        assert termios.tcgetattr(self._its) == self._before
        return status

    def close(self) -> None:
        """Let nothing remain."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._its)


@contextmanager
def top(machine: Machine, kind: Kind, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal(machine.argv([*COMMAND, "top", "--interval", "0.1", *kind.flags]), **environment)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("key", [b"q", b"xQ", b"\x03"], ids=["q", "Q", "Ctrl-C"])
def test_a_key_ends_it(machine: Machine, kind4: Kind, key: bytes) -> None:
    with top(machine, kind4) as terminal:
        terminal.see(HEADING)
        assert ENTER in terminal.seen
        assert LEAVE not in terminal.seen
        terminal.press(key)
        assert terminal.end() == 0


def test_keys_change_what_is_seen(machine: Machine, kind4: Kind) -> None:
    with top(machine, kind4) as terminal:
        terminal.see(b"q quits   s sorts: connections")
        for keys, last_line in (
            (b"s", b"s sorts: refused"),
            (b" ", b"(paused)"),
            (b"/qs", b"/qs_"),
            (b"\r", b"filters: qs"),
        ):
            terminal.press(keys)
            terminal.see(last_line)
        terminal.press(b"q")
        assert terminal.end() == 0


def test_a_signal_ends_it_and_gives_the_terminal_back(machine: Machine, kind4: Kind) -> None:
    with top(machine, kind4) as terminal:
        terminal.see(HEADING)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM


def test_a_terminal_that_can_do_nothing_gets_plain_text(machine: Machine, kind4: Kind) -> None:
    with top(machine, kind4, TERM="dumb") as terminal:
        terminal.see(HEADING)
        assert b"\x1b[" not in terminal.seen
