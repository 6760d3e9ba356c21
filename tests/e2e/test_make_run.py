"""`make run` shows every Service of examples/ at work, and takes away again what it has set up, however it ends."""

import signal
import subprocess
import sys

import pytest

from docs import ROOT
from e2e import netns
from e2e.lab import missing, sweep

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

# A lab that says its prefix, and then waits to be ended.
HELD_LAB = """
import time
from e2e.lab import open_lab
from e2e.topology import plain_topology

with open_lab(plain_topology(1, 1)) as lab:
    print(lab.prefix, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("backend", ["nft", pytest.param("legacy", marks=pytest.mark.night)])
def test_everything_is_as_expected(backend: str) -> None:
    command = [sys.executable, "-m", "e2e.demo", "--", "--backend", backend]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "45 of 45 as expected." in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_after_a_signal_or_after_a_kill_and_a_sweep(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", HELD_LAB], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        prefix = process.stdout.readline().strip()
        sweep()
        assert netns.existing(prefix), "a sweep leaves the labs of others alone"
        process.send_signal(number)
        assert process.wait(30) != 0
    if number == signal.SIGKILL:
        sweep()
    assert netns.existing(prefix) == []
