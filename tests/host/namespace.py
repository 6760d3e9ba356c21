"""A network namespace for one test: made, used from threads and programs, and removed."""

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import pytest

from e2e import netns

Result = TypeVar("Result")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make network namespaces")

COMMAND_SECONDS = 60

_numbers = itertools.count()


class Namespace:
    """One namespace of this machine, with its loopback interface up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, function: Callable[[], Result]) -> Result:
        """Call `function` in a thread that is in the namespace; return or raise what it does."""
        with ThreadPoolExecutor(1, initializer=netns.enter, initargs=(self.name,)) as thread:
            return thread.submit(function).result()

    def popen(self, *command: str) -> "subprocess.Popen[str]":
        """Start a program in the namespace; its pid is the program's own."""
        return subprocess.Popen(["ip", "netns", "exec", self.name, *command], stdin=subprocess.PIPE, text=True)

    def exec(self, *command: str, stdin: str = "") -> str:
        """Run a program in the namespace to its end; return its output."""
        argv = ["ip", "netns", "exec", self.name, *command]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A fresh namespace, removed at the end with all that is in it."""
    name = f"pkp-test-{os.getpid()}-{next(_numbers)}"
    netns.create(name)
    try:
        yield Namespace(name)
    finally:
        netns.remove(name)
