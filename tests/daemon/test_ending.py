"""A signal ends the daemon at once, whatever it is doing, and leaves the rules in force."""

import ctypes
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, KUBE_PROXY, Node
from tests.kernel.stand_ins import StandIns

# It takes a second at most where nothing else runs; threads or tools that were waited for would take ten.
AT_ONCE = 3.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle(node: Node, number: signal.Signals) -> None:
    node.serve("10.244.0.5")
    daemon = node.start(command=KUBE_PROXY).wait_synced()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the rules")
    before = node.chains()
    assert daemon.end(number) < AT_ONCE
    assert node.chains() == before
    assert daemon.told("stopping; the rules stay in force", why=number.name)


def test_by_a_signal_that_does_not_interrupt_its_waiting(node: Node) -> None:
    """Any thread may be given a signal for the process; and one that is about to wait is not woken by it."""
    daemon = node.start(command=KUBE_PROXY).wait_synced()
    pid = daemon.process.pid
    others = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    begun = time.monotonic()
    assert ctypes.CDLL(None).tgkill(pid, others[0], signal.SIGTERM) == 0
    assert daemon.wait_ended() == 0
    assert time.monotonic() - begun < AT_ONCE


def test_in_the_middle_of_a_large_first_sync(node: Node, tmp_path: Path) -> None:
    for number in range(300):
        node.api.create(testing.service(f"web-{number}", clusterIP=f"10.96.{number // 200 + 1}.{number % 200 + 1}"))
        node.api.create(testing.endpoint_slice(f"web-{number}", "10.244.0.5", "10.244.0.6"))
    go_on = tmp_path / "go-on"
    tools = StandIns(tmp_path / "bin").waiting(go_on)
    daemon = node.start(path=tools.path)
    daemon.wait(lambda: tools.calls, "iptables-restore")
    try:
        assert daemon.end() < AT_ONCE
    finally:
        go_on.touch()
    assert "Traceback" not in daemon.log


def test_while_the_api_server_answers_nothing(node: Node) -> None:
    lines = ["link add nowhere type bridge", "addr add 192.0.2.1/24 dev nowhere", "link set nowhere up"]
    node.machine.ip([*lines, "neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev nowhere nud permanent"])
    node.kubeconfig.write_text(node.kubeconfig.read_text().replace(node.api.url, "https://192.0.2.99:6443"))
    daemon = node.start(command=KUBE_PROXY)
    daemon.wait(lambda: daemon.told("serving", server="healthz"), "the health server")
    assert daemon.get("/livez", HEALTHZ)[0] == 200
    assert daemon.end() < AT_ONCE
    assert "KUBE-" not in node.dump()


PROGRAM = """
import os, signal
from pykubeproxy.daemon.signals import Terminated, terminating_on_signals

class Finalized:
    def __del__(self):
        {in_finalizer}

try:
    with terminating_on_signals():
        thing = Finalized()
        {before}
        del thing
        while True:
            signal.pause()
except Terminated as ending:
    {after}
    print("ended by", ending)
"""
KILL = "os.kill(os.getpid(), signal.SIGTERM)"


@pytest.mark.parametrize(
    ("before", "in_finalizer", "after"),
    [("pass", KILL, "pass"), ("pass", f"{KILL}; {KILL}", "pass"), (KILL, "pass", f"{KILL}; {KILL}")],
    ids=["once", "twice", "behind the end"],
)
def test_a_signal_that_comes_while_something_is_finalized(before: str, in_finalizer: str, after: str) -> None:
    """What is raised there is dropped by the interpreter; behind the end, a signal is ignored."""
    text = PROGRAM.format(before=before, in_finalizer=in_finalizer, after=after)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "ended by SIGTERM\n"), done.stderr
