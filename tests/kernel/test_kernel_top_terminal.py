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

from tests.kernel.machine import COMMAND, DEADLINE_SECONDS
from tests.kernel.node import Node

ROWS, COLUMNS = 24, 100
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
HEADING = b"0 busy of 0 Service ports"


class Terminal:
    """A terminal, and one program that has it as its own."""

    def __init__(self, command: list[str], term: str) -> None:
        self._ours, self._its = pty.openpty()
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._before = termios.tcgetattr(self._its)
        # setsid --ctty makes it the controlling terminal, so that Ctrl-C is for the program.
        argv = ["setsid", "--ctty", *command]
        environment = {**os.environ, "TERM": term}
        self.process = subprocess.Popen(argv, stdin=self._its, stdout=self._its, stderr=self._its, env=environment)
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
def top(node: Node, term: str = "xterm-256color") -> Iterator[Terminal]:
    command = [*COMMAND, "top", "--interval", "0.1", *node.kind.flags]
    terminal = Terminal(node.machine.argv(command), term)
    try:
        terminal.see(HEADING)
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("key", "status"),
    [(b"q", 0), (b"xQ", 0), (b"\x03", 0), (signal.SIGTERM, 128 + signal.SIGTERM)],
    ids=["q", "Q", "Ctrl-C", "SIGTERM"],
)
def test_a_key_or_a_signal_ends_it_and_gives_the_terminal_back(
    node4: Node, key: bytes | signal.Signals, status: int
) -> None:
    with top(node4) as terminal:
        assert ENTER in terminal.seen
        assert LEAVE not in terminal.seen
        if isinstance(key, bytes):
            terminal.press(key)
        else:
            terminal.process.send_signal(key)
        assert terminal.end() == status


def test_a_terminal_that_can_do_nothing_gets_plain_text(node4: Node) -> None:
    with top(node4, term="dumb") as terminal:
        assert b"\x1b[" not in terminal.seen
