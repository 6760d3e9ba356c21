"""The judge of the soak test sees a leak, and does not mistake noise for one."""

import subprocess
import sys

from tests.chaos.usage import Sample, Trend, least, look, trend, watched
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


def sampled(*memories: float) -> Trend:
    return trend([Sample(at=at, memory=int(memory * MB), threads=9, files=20) for at, memory in enumerate(memories)])


def test_warming_up_is_no_growth() -> None:
    assert sampled(20, 30, 40, 41, 40, 41, 41, 41).memory < 1.05


def test_a_slow_leak_is_growth() -> None:
    assert sampled(*(40 + minute for minute in range(8))).memory > 1.05


def test_one_peak_is_none() -> None:
    assert sampled(40, 40, 40, 40, 40, 40, 40, 40, 40, 90, 40, 40).memory == 1.0


def test_the_least_is_what_is_held_at_rest() -> None:
    looks = [Sample(at=0, memory=3, threads=9, files=22), Sample(at=1, memory=4, threads=10, files=20)]
    assert least(looks) == Sample(at=1, memory=3, threads=9, files=20)


def test_of_a_process_that_leaks_everything() -> None:
    process = subprocess.Popen([sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None
    try:

        def leak() -> None:
            stdin.write(b"\n")
            stdin.flush()
            stdout.readline()

        leak()  # until then it has files open that Python reads when it starts
        before = look(process.pid, 0.0)
        with watched(process.pid, 0.005) as samples:
            for _ in range(30):
                leak()
            wait_until(lambda: bool(samples) and samples[-1].threads > 31, "a look at all of it")
        after = samples[-1]
        assert after.memory - before.memory > 20 * MB
        assert after.threads - before.threads >= 30
        assert after.files - before.files >= 30
    finally:
        process.kill()
        process.communicate()
