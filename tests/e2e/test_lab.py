import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e import netns, sweep
from e2e.asking import Destination, Fate, ask
from e2e.lab import Lab, has_sctp, missing, open_lab
from e2e.netns import LabError
from e2e.topology import Listener, Protocol, plain_topology

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

PROJECT = Path(__file__).parents[2]
HTTP = Listener(protocol=Protocol.TCP, port=8080)
ECHO = Listener(protocol=Protocol.UDP, port=5353)
STREAM = Listener(protocol=Protocol.SCTP, port=9000)

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
    listeners = (HTTP, ECHO, STREAM) if has_sctp() else (HTTP, ECHO)
    with open_lab(plain_topology(3, 2, listeners)) as lab:
        yield lab


def held_lab() -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", HELD_LAB], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    process.stdout.close()
    return process.wait(30)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("listener", [HTTP, ECHO, STREAM], ids=lambda listener: listener.protocol)
def test_every_pod_is_reached_from_every_node_by_pods_that_keep_their_address(
    lab: Lab, version: int, listener: Listener
) -> None:
    if listener is STREAM and not has_sctp():
        pytest.skip("this kernel has no SCTP")
    for asking in (lab.pods["client-node-a"], lab.pods["client-node-b"], lab.pods["pod-c-1"]):
        own = next(str(address) for address in asking.spec.addresses if address.version == version)
        for pod in (pod for pod in lab.pods.values() if pod.spec.listeners):
            address = next(address for address in pod.spec.addresses if address.version == version)
            where = Destination(address=address, port=listener.port, protocol=listener.protocol)
            outcome = ask(asking, where, seconds=5, path="/hello")
            assert outcome.reply is not None, outcome
            assert (outcome.reply.pod, outcome.reply.node) == (pod.spec.name, pod.spec.node)
            assert (outcome.reply.client, outcome.reply.path) == (own, "/hello")


@pytest.mark.parametrize("address", ["172.31.0.12", "fd00:31::12"])
def test_the_outside_reaches_nodes(lab: Lab, address: str) -> None:
    where = Destination(address=ip_address(address), port=1, protocol=Protocol.TCP)
    assert ask(lab.outsiders["client"], where, seconds=5).fate is Fate.REFUSED


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
@pytest.mark.parametrize("address", ["10.244.1.11", "fd00:10:244:1::11", "10.96.0.10", "fd00:10:96::10"])
def test_the_outside_knows_no_way_to_pods_and_cluster_ips(lab: Lab, address: str, protocol: Protocol) -> None:
    """Each protocol from another machine: the router tells one no more than five times at once that there is no way.

    TCP asks again, on a busy machine more than once, and UDP does not.
    """
    where = Destination(address=ip_address(address), port=8080, protocol=protocol)
    asking = lab.outsiders["client" if protocol is Protocol.TCP else "stranger"]
    assert ask(asking, where, seconds=5).fate is Fate.UNREACHABLE


@pytest.mark.parametrize("asking", ["client-node-a", "pod-a-1", "pod-b-1"])
def test_translated_connections_find_their_way_back_on_the_same_bridge(lab: Lab, asking: str) -> None:
    """What Services need: a pod reaches its neighbour, itself and pods elsewhere through a translated address."""
    pod = lab.pods[asking]
    node = lab.nodes[pod.spec.node]
    rules = "*nat\n-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.0.11:8080\n"
    rules += "-A POSTROUTING -s 10.244.0.11/32 -d 10.244.0.11/32 -j MASQUERADE\nCOMMIT\n"
    node.exec(["iptables-restore", "--noflush"], stdin=rules)
    try:
        where = Destination(address=ip_address("10.96.0.1"), port=80, protocol=Protocol.TCP)
        outcome = ask(pod, where, seconds=5)
    finally:
        node.exec(["iptables", "-t", "nat", "-F"])
    assert outcome.reply is not None, outcome
    assert outcome.reply.pod == "pod-a-1"


def test_a_dropped_question_is_told_from_a_refused_one(lab: Lab) -> None:
    where = Destination(address=ip_address("10.244.2.11"), port=8080, protocol=Protocol.TCP)
    lab.nodes["node-c"].exec(["iptables", "-A", "FORWARD", "-d", "10.244.2.11", "-j", "DROP"])
    try:
        dropped = ask(lab.pods["client-node-a"], where, seconds=1)
    finally:
        lab.nodes["node-c"].exec(["iptables", "-F", "FORWARD"])
    refused = ask(
        lab.pods["client-node-a"], Destination(address=where.address, port=1, protocol=where.protocol), seconds=5
    )
    assert (dropped.fate, refused.fate) == (Fate.DROPPED, Fate.REFUSED)


def test_two_labs_stand_side_by_side(lab: Lab) -> None:
    with open_lab(plain_topology(1, 1, (HTTP,))) as other:
        assert other.prefix != lab.prefix
        where = Destination(address=ip_address("10.244.0.11"), port=8080, protocol=Protocol.TCP)
        assert ask(other.pods["client-node-a"], where, seconds=5).fate is Fate.ANSWERED
    assert netns.existing(lab.prefix)


def test_nothing_is_left_after_an_exception() -> None:
    prefixes: list[str] = []
    programs: list[subprocess.Popen[str]] = []

    def fail_inside() -> None:
        with open_lab(plain_topology(2, 1, (HTTP,))) as lab:
            programs.append(lab.nodes["node-a"].popen(["sleep", "60"]))
            prefixes.append(lab.prefix)
            assert netns.existing(lab.prefix)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert netns.existing(prefixes[0]) == []
    assert programs[0].returncode is not None


def test_a_lab_that_cannot_be_built_leaves_nothing() -> None:
    before = set(netns.existing("pkp-"))
    occupied = (HTTP, HTTP)  # the second server socket on one port cannot be opened
    with pytest.raises(LabError, match="did not open its ports"), open_lab(plain_topology(1, 1, occupied)):
        pytest.fail("the lab came up")
    assert set(netns.existing(f"pkp-{os.getpid()}-")) <= before


def test_a_failed_command_is_reported_in_one_line(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"^ip netns exec \S+ ls /nowhere: .*No such file") as caught:
        lab.nodes["node-a"].exec(["ls", "/nowhere"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_after_a_signal(number: signal.Signals) -> None:
    process, prefix = held_lab()
    process.send_signal(number)
    assert finish(process) != 0
    assert prefix
    assert netns.existing(prefix) == []


def test_after_a_kill_no_process_is_left_and_a_sweep_removes_the_namespaces() -> None:
    process, prefix = held_lab()
    process.kill()
    finish(process)
    left = netns.existing(prefix)
    assert left
    assert set(left) <= set(sweep.orphans())
    deadline = time.monotonic() + 10
    while any(map(netns.pids, left)):
        assert time.monotonic() < deadline, "a pod's server outlives its lab"
        time.sleep(0.02)
    sweep.main()
    assert netns.existing(prefix) == []


def test_a_sweep_spares_labs_that_are_in_use(lab: Lab) -> None:
    assert not [name for name in sweep.orphans() if name.startswith(lab.prefix)]
