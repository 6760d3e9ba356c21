"""The terminal while `top` runs. With real rules: tests/kernel/test_kernel_top_terminal.py."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

SHOWS_MUCH = """
from rich.console import Console
from pykubeproxy.cli import top_screen
top_screen._PATIENCE = 1
with top_screen.Screen(Console(), lambda rates, view: ("picture " * 1000, 0)) as screen:
    while True:
        screen.show(None)
"""


def test_it_ends_if_its_terminal_takes_nothing_any_more() -> None:
    """As at the other end of `kubectl exec`, when the window of the one who typed it was closed."""
    ours, its = pty.openpty()
    try:
        shows = [sys.executable, "-c", SHOWS_MUCH]
        ended = subprocess.run(shows, cwd=Path(__file__).parents[2], stdin=its, stdout=its, timeout=60, check=False)
        assert ended.returncode == -signal.SIGALRM
    finally:
        os.close(ours)
        os.close(its)
