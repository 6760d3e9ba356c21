"""`make run` shows every Service of examples/ at work, and takes away again what it has set up, however it ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from docs import ROOT
from e2e import netns
from e2e.lab import missing, sweep

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

# A lab that says its prefix, and then waits to be ended.
HELD_LAB = """
import time
from e2e.lab import open_lab
from e2e.topology import Listener, Protocol, plain_topology

with open_lab(plain_topology(1, 1, (Listener(protocol=Protocol.TCP, port=8080),))) as lab:
    print(lab.prefix, flush=True)
    time.sleep(60)
"""


@contextmanager
def held_lab() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = subprocess.Popen([sys.executable, "-c", HELD_LAB], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        prefix = process.stdout.readline().strip()
        assert netns.existing(prefix)
        yield process, prefix


@pytest.mark.parametrize("backend", ["nft", pytest.param("legacy", marks=pytest.mark.night)])
def test_everything_is_as_expected(backend: str) -> None:
    command = [sys.executable, "-m", "e2e.demo", "--", "--backend", backend]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "57 of 57 as expected." in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_after_a_signal(number: signal.Signals) -> None:
    with held_lab() as (process, prefix):
        process.send_signal(number)
        assert process.wait(30) != 0
    assert netns.existing(prefix) == []


def test_after_a_kill_a_sweep_removes_what_is_left_and_nothing_of_others() -> None:
    with held_lab() as (killed, prefix), held_lab() as (other, others):
        killed.kill()
        killed.wait(30)
        assert netns.existing(prefix)
        sweep()
        assert netns.existing(prefix) == []
        assert netns.existing(others)
        other.terminate()
