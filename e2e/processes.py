"""The programs that a lab starts: none may outlive it."""

import subprocess
from collections.abc import Sequence
from typing import IO

STOP_SECONDS = 5.0


class Processes:
    """Starts programs and remembers them, so that all can be stopped at the end.

    A program is also killed by the kernel when the thread that started it dies (PR_SET_PDEATHSIG): so even a lab that
    is killed with SIGKILL leaves no program behind. Start programs from the main thread for that reason.
    """

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, argv: Sequence[str], *, stdout: IO[str] | int | None, stderr: IO[str] | int | None
    ) -> subprocess.Popen[str]:
        """Starts `argv` with a pipe as its standard input, which stays open until the program is stopped.

        It gets a session of its own: Ctrl-C on the terminal is for the lab, which then stops its programs in order.
        """
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, text=True, start_new_session=True
        )
        self._started.append(process)
        return process

    def stop_all(self) -> None:
        """Asks every program to end, waits a few seconds, then kills the rest; closes their pipes."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self._started.clear()
