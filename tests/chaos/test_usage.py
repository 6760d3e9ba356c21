"""The judge of the soak test sees a leak, and does not mistake noise for one."""

import subprocess
import sys

from tests.chaos.usage import Sample, Trend, look, trend, watched
from tests.kernel.machine import wait_until

MB = 1 << 20
LEAKING = """
import os, sys, threading
held = []
for _ in sys.stdin:
    held.append((b"x" * (1 << 20), open(os.devnull), threading.Thread(target=threading.Event().wait, daemon=True)))
    held[-1][2].start()
    print(flush=True)
"""


def sampled(*memories: float, threads: int = 9, files: int = 20) -> Trend:
    return trend(
        [
            Sample(at=at, memory=int(memory * MB), threads=threads, files=files + at % 2)
            for at, memory in enumerate(memories)
        ]
    )


def test_warming_up_is_no_growth() -> None:
    found = sampled(20, 30, 40, 41, 40, 41, 41, 41)
    assert (found.memory < 1.05, found.threads, found.files) == (True, 0, 0)


def test_a_slow_leak_is_growth() -> None:
    assert sampled(*(40 + minute for minute in range(8))).memory > 1.05


def test_one_peak_is_none() -> None:
    assert sampled(40, 40, 40, 40, 40, 40, 40, 40, 40, 90, 40, 40).memory == 1.0


def test_of_a_process_that_leaks_everything() -> None:
    process = subprocess.Popen([sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        before = look(process.pid, 0.0)
        with watched(process.pid, 0.005) as samples:
            for _ in range(30):
                process.stdin.write(b"\n")
                process.stdin.flush()
                process.stdout.readline()
            wait_until(lambda: bool(samples) and samples[-1].threads > 30, "a look at all of it")
        after = samples[-1]
        assert after.memory - before.memory > 20 * MB
        assert after.threads - before.threads >= 30
        assert after.files - before.files >= 30
    finally:
        process.kill()
        process.communicate()
