"""Another program is at our rules, or holds their lock: all is put right within moments, and the log names it."""

import fcntl
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from e2e.asking import Destination, Fate, Resident
from e2e.topology import Protocol
from tests.chaos.bed import IS_FULL, PODS, REPAIRED, Bed, churning, on_legacy, pods_themselves, web

ROUNDS = 10 if IS_FULL else 1
OTHER, IDLE = 5, 6
# The promise is about a second; a repair that looks like one of a contest may wait for ten. What is tested is that
# nobody has to wait for an audit, which is every 30 s.
HEALED_SECONDS = 20.0
REFUSED = "sync failed; the rules in force stay, and it is tried again"

# By the arguments of iptables; those that no connection through a Service may notice.
HARMLESS = {
    "filter is flushed": ("-t", "filter", "-F"),
    "a jump in filter is deleted": ("-t", "filter", "-D", "FORWARD", "1"),
    "a chain of another Service is flushed": ("-t", "nat", "-F", "{chain}"),
    "a rule is inserted in ours": ("-t", "nat", "-I", "KUBE-SERVICES", "-d", "{nobody}", "-j", "RETURN"),
    "a rule is inserted in ours of filter": ("-t", "filter", "-I", "KUBE-SERVICES", "-d", "{nobody}", "-j", "DROP"),
}
# Those that cut the ways to Services off until they are put right.
CUTTING = {
    "nat is flushed": ("-t", "nat", "-F"),
    "a jump is deleted": ("-t", "nat", "-D", "PREROUTING", "1"),
    "pods are dropped": ("-t", "nat", "-I", "KUBE-SERVICES", "-p", "tcp", "-j", "RETURN"),
}
NOBODY = {"iptables": ip_network("192.0.2.1"), "ip6tables": ip_network("2001:db8::1")}


class Changed:
    """What another program does on the node, and how long it takes until it is put right."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        for number in (OTHER, IDLE):
            bed.load(number, PODS[1])
        bed.start()
        self._right = {tool: bed.dump(tool) for tool in bed.tools}
        self.seconds: list[float] = []

    def do(self, what: tuple[str, ...]) -> float:
        """Do something to each family and wait until it is undone; return when that was, in seconds since 1970."""
        for tool, address in zip(self.bed.tools, PODS[1].addresses, strict=True):
            self._do(tool, what, f"{address}")
        return time.time()

    def _do(self, tool: str, what: tuple[str, ...], endpoint: str) -> None:
        bed, right, told = self.bed, self._right[tool], len(self.bed.proxy.told(REPAIRED))
        # A chain that leads to an endpoint of the Services that are not asked.
        chain = next(line.split()[1] for line in right.splitlines() if "-j DNAT" in line and endpoint in line)
        command = [tool, *(word.format(chain=chain, nobody=NOBODY[tool.partition("-")[0]]) for word in what)]
        bed.node.exec(command)
        begun = time.monotonic()
        bed.cluster.wait(lambda: bed.dump(tool) == right, f"repair after {' '.join(command)}", HEALED_SECONDS)
        self.seconds.append(time.monotonic() - begun)
        bed.cluster.wait(lambda: len(bed.proxy.told(REPAIRED)) > told, "word of it")


def test_nobody_notices_what_does_not_concern_them(bed: Bed, record_property: Callable[[str, object], None]) -> None:
    changed = Changed(bed)
    with bed.unharmed() as sent:
        for what in ROUNDS * list(HARMLESS.values()):
            changed.do(what)
    bed.wait_converged()
    record_property("seconds until repaired", sorted(changed.seconds))
    record_property("connections meanwhile", sent.asked)


def test_what_cuts_connections_off_is_undone_and_pods_are_reached_meanwhile(
    bed: Bed, record_property: Callable[[str, object], None]
) -> None:
    changed = Changed(bed)
    with bed.traffic(pods_themselves()) as direct:
        with bed.traffic(web()) as through:
            healed = [changed.do(what) for what in ROUNDS * list(CUTTING.values())][-1]
        with churning(bed.api):
            for _ in range(3 * ROUNDS):
                bed.flush("nat")
                bed.cluster.wait(lambda: bed.answer(web()[0]).startswith("pod-"), "an answer", HEALED_SECONDS)
        with bed.unharmed():
            bed.wait_converged()
    assert direct.failures == []
    late = [each for each in through.failures if each.at - each.after > healed]
    assert late == [], "who asks after it was repaired is answered"
    record_property("seconds until repaired", sorted(changed.seconds))


def test_a_udp_client_that_began_while_nat_was_flushed_is_answered(bed: Bed) -> None:
    bed.start()
    # After the first sync, in each family: one pass, and another a little later.
    passes = "kubeproxy_conntrack_reconciler_sync_duration_seconds_count"
    bed.cluster.wait(lambda: bed.metric(passes) >= 4, "a node that has looked through its flows")
    bed.cluster.wait(lambda: bed.metric("pykubeproxy_conntrack_entries") > 0, "a count of its flows")
    client = Resident(bed.client)
    destinations = [each for each in web() if each.protocol is Protocol.UDP]

    def is_answered(destination: Destination) -> bool:
        """On one socket; so its packets are one flow to the kernel, which is judged by the first of them."""
        return client.put(destination, seconds=0.1, kept=True)[0].fate is Fate.ANSWERED

    os.kill(bed.pid, signal.SIGSTOP)
    for tool in bed.tools:
        bed.flush("nat", tool)
    assert not any(is_answered(destination) for destination in destinations), "there are no rules"
    os.kill(bed.pid, signal.SIGCONT)
    for destination in destinations:
        bed.cluster.wait(partial(is_answered, destination), f"answer from {destination}", seconds=20)
    bed.wait_in_sync()
    assert {line["family"] for line in bed.proxy.told(REPAIRED)} == {"IPv4", "IPv6"}


@on_legacy
def test_nobody_notices_that_the_lock_of_the_legacy_tools_is_held(bed: Bed) -> None:
    """For longer than the daemon waits for it."""
    bed.load(2, PODS[0])
    proxy = bed.start("--iptables-sync-period=2s")
    with bed.unharmed(), Path(os.environ["XTABLES_LOCKFILE"]).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with churning(bed.api):
            bed.load(2, PODS[1])
            bed.cluster.wait(lambda: {line["family"] for line in proxy.told(REFUSED)} == {"IPv4", "IPv6"}, "refusals")
        assert bed.answer(web(2)[0], seconds=5.0) == PODS[0].name, "the rules in force stay"
        told = len(proxy.told(REFUSED))
        # A round takes twelve seconds: five for each family, and two until the next one.
        again = "that it is tried again, though nothing changes"
        bed.cluster.wait(lambda: len(proxy.told(REFUSED)) >= told + 3, again, seconds=90.0)
        fcntl.flock(lock, fcntl.LOCK_UN)
        bed.wait_in_sync()
        bed.wait_converged()
    assert {line["error"].partition(": ")[2] for line in proxy.told(REFUSED)} == {
        "another program has held the xtables lock for 5 s"
    }
