"""What other tests trust to tell a failure does tell it, and what a user's `make run` sets up is taken away again."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e import cases as example_cases
from e2e import netns, sweep
from e2e.asking import Destination, Fate, ask
from e2e.examples import read_manifests
from e2e.expectation import Place
from e2e.lab import Lab, missing, open_lab
from e2e.steady import steady_traffic
from e2e.three_nodes import cases as three_nodes_cases
from e2e.three_nodes.services import MANIFESTS
from e2e.three_nodes.sharing import tolerable, unfairness
from e2e.topology import Listener, Protocol, plain_topology
from tests.chaos.usage import Sample, trend

needs_lab = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

PROJECT = Path(__file__).parents[2]
EXAMPLES = read_manifests(PROJECT / "examples")

# A lab of its own process that says its prefix and then waits: for tests that kill it.
HELD_LAB = """
import time
from e2e.lab import open_lab
from e2e.topology import Listener, Protocol, plain_topology

with open_lab(plain_topology(1, 1, (Listener(protocol=Protocol.TCP, port=8080),))) as lab:
    print(lab.prefix, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab(plain_topology(2, 1, (Listener(protocol=Protocol.TCP, port=8080),))) as lab:
        yield lab


def held_lab() -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", HELD_LAB], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    prefix = process.stdout.readline().strip()
    process.stdout.close()
    return process, prefix


@needs_lab
def test_answered_dropped_refused_and_unreachable_are_told_apart(lab: Lab) -> None:
    def fate(asking: str, address: str, port: int) -> Fate:
        where = Destination(address=ip_address(address), port=port, protocol=Protocol.TCP)
        return ask({**lab.pods, **lab.outsiders}[asking], where, seconds=1).fate

    pod = "10.244.1.11"
    assert fate("client-node-a", pod, 8080) is Fate.ANSWERED
    assert fate("client-node-a", pod, 1) is Fate.REFUSED
    assert fate("client", pod, 8080) is Fate.UNREACHABLE
    lab.nodes["node-b"].exec(["iptables", "-A", "FORWARD", "-d", pod, "-j", "DROP"])
    try:
        assert fate("client-node-a", pod, 8080) is Fate.DROPPED
    finally:
        lab.nodes["node-b"].exec(["iptables", "-F", "FORWARD"])


@needs_lab
def test_steady_traffic_tells_failures(lab: Lab) -> None:
    good, bad = (Destination(address=ip_address("10.244.1.11"), port=port, protocol=Protocol.TCP) for port in (8080, 1))
    with steady_traffic(lab.pod("client-node-a"), [good, bad], seconds=0.5) as tally:
        pass
    assert {(each.failed, each.why) for each in tally.failures} == {
        ("TCP/10.244.1.11/1", "[Errno 111] Connection refused")
    }
    assert tally.sums[1].failed == tally.sums[1].asked > 0
    assert tally.sums[0].failed == 0 < tally.sums[0].asked


@needs_lab
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_after_a_signal(number: signal.Signals) -> None:
    process, prefix = held_lab()
    process.send_signal(number)
    assert process.wait(30) != 0
    assert prefix
    assert netns.existing(prefix) == []


@needs_lab
def test_after_a_kill_no_process_is_left_and_a_sweep_removes_the_namespaces_of_nobody_else(lab: Lab) -> None:
    process, prefix = held_lab()
    process.kill()
    process.wait(30)
    left = netns.existing(prefix)
    assert left
    deadline = time.monotonic() + 10
    while any(map(netns.pids, left)):
        assert time.monotonic() < deadline, "a pod's server outlives its lab"
        time.sleep(0.02)
    sweep.main()
    assert netns.existing(prefix) == []
    assert netns.existing(lab.prefix)


@pytest.mark.parametrize("service", sorted(EXAMPLES.services))
def test_every_example_is_asked_from_a_pod_a_node_and_outside(service: str) -> None:
    assert {case.origin.place for case in example_cases.CASES if case.service == service} == set(Place)


@pytest.mark.parametrize("service", sorted(MANIFESTS.services))
def test_every_service_is_asked_from_a_pod_a_node_and_outside_in_both_families(service: str) -> None:
    asked = [case for case in three_nodes_cases.CASES if case.service == service]
    assert {case.origin.place for case in asked} == set(Place)
    assert {case.target.family for case in asked} == {4, 6}


@pytest.mark.parametrize(
    ("counts", "is_fair"),
    [([250, 250, 250, 250], True), ([230, 270, 260, 240], True), ([1000, 0], False), ([334, 333, 333, 0], False)],
)
def test_unfairness_is_found(counts: list[int], is_fair: bool) -> None:  # noqa: FBT001 - a row of the table above
    assert (unfairness(counts) < tolerable(len(counts))) is is_fair


@pytest.mark.parametrize(
    ("memories", "grows"),
    [([20, 30, 40, 41, 40, 41, 41, 41], False), (list(range(40, 48)), True), ([40] * 9 + [90, 40, 40], False)],
    ids=["warming-up", "slow-leak", "one-peak"],
)
def test_a_leak_is_found(memories: list[int], grows: bool) -> None:  # noqa: FBT001 - a row of the table above
    samples = [Sample(at=at, memory=memory << 20, threads=9, files=20) for at, memory in enumerate(memories)]
    assert (trend(samples).memory > 1.05) is grows
