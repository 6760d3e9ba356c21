"""Another program is at our rules: what it changed is put right within moments, and the log names it."""

import time
from collections.abc import Callable

import pytest

from pykubeproxy.host.backend import Backend
from tests.chaos.bed import IS_FULL, PODS, Bed, cluster_ips, pods_themselves
from tests.chaos.churn import churning

ROUNDS = 10 if IS_FULL else 1
REPAIRED = "rules were changed by another program; repaired"
OTHER, IDLE = 5, 6
# The promise is about a second. What is tested is that nobody has to wait for an audit, which is every 30 s.
HEALED_SECONDS = 10.0

# By the arguments of iptables; those that no connection through a Service may notice.
HARMLESS = {
    "filter is flushed": ("-t", "filter", "-F"),
    "a chain of filter is flushed": ("-t", "filter", "-F", "KUBE-FORWARD"),
    "a jump in filter is deleted": ("-t", "filter", "-D", "FORWARD", "1"),
    "a chain of another Service is flushed": ("-t", "nat", "-F", "{chain}"),
    "a rule is inserted in ours": ("-t", "nat", "-I", "KUBE-SERVICES", "-d", "{nobody}", "-j", "RETURN"),
    "a rule is appended to ours": ("-t", "nat", "-A", "KUBE-POSTROUTING", "-s", "{nobody}", "-j", "RETURN"),
    "a rule is inserted in ours of filter": ("-t", "filter", "-I", "KUBE-SERVICES", "-d", "{nobody}", "-j", "DROP"),
}
# Those that cut the ways to Services off until they are put right.
CUTTING = {
    "nat is flushed": ("-t", "nat", "-F"),
    "a dispatch chain is flushed": ("-t", "nat", "-F", "KUBE-SERVICES"),
    "a jump is deleted": ("-t", "nat", "-D", "PREROUTING", "1"),
    "pods are dropped": ("-t", "nat", "-I", "KUBE-SERVICES", "-p", "tcp", "-j", "RETURN"),
}


@pytest.fixture(name="changed")
def fixture_changed(bed: Bed) -> "Changed":
    for number in (OTHER, IDLE):
        bed.load(number, PODS[1])
    bed.start()
    return Changed(bed)


class Changed:
    """What another program does on the node, and how it is put right."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.backend = Backend(bed.backend)
        self.right = {tool: bed.dump(tool) for tool in self.tools}
        self.seconds: list[float] = []

    @property
    def tools(self) -> tuple[str, str]:
        return f"iptables-{self.backend}", f"ip6tables-{self.backend}"

    def do(self, what: tuple[str, ...]) -> float:
        """Do something to each family and wait until it is undone; return when that was, in seconds since 1970."""
        for tool in self.tools:
            self._do(tool, what)
        return time.time()

    def _do(self, tool: str, what: tuple[str, ...]) -> None:
        bed, right, before = self.bed, self.right[tool], self._word()
        is_ipv6 = tool.startswith("ip6")
        chain = endpoint_chain(right, PODS[1].addresses[is_ipv6])
        nobody = "2001:db8::1/128" if is_ipv6 else "192.0.2.1/32"
        command = [tool, *(word.format(chain=chain, nobody=nobody) for word in what)]
        bed.node.exec(command)
        begun = time.monotonic()
        bed.cluster.wait(lambda: bed.dump(tool) == right, f"repair after {' '.join(command)}", HEALED_SECONDS)
        self.seconds.append(time.monotonic() - begun)
        bed.cluster.wait(lambda: self._word() != before, "word of it")
        if self.backend is Backend.NFT:
            # Where the machine is slow, what was changed may be found in two looks, and told of twice. Of two changes
            # that one look at all families finds, the one that was announced first is named.
            for told in self._word()[len(before) :]:
                assert told.startswith(tuple(f"{each} (pid " for each in self.tools)), told

    def _word(self) -> list[str]:
        """Who the log says has changed rules."""
        return [line["by"] for line in self.bed.proxy.told(REPAIRED)]


def endpoint_chain(dump: str, address: object) -> str:
    """A chain that leads to an endpoint of the Services that are not asked."""
    return next(line.split()[1] for line in dump.splitlines() if "-j DNAT" in line and f"{address}" in line)


def test_nobody_notices_what_does_not_concern_them(changed: Changed, figure: Callable[[str, object], None]) -> None:
    with changed.bed.unharmed() as sent:
        for _ in range(ROUNDS):
            for what in HARMLESS.values():
                changed.do(what)
    changed.bed.wait_converged()
    figure("seconds until repaired", rounded(changed.seconds))
    figure("connections meanwhile", sent.asked)


def test_what_cuts_connections_off_is_undone_and_pods_are_reached_meanwhile(
    changed: Changed, figure: Callable[[str, object], None]
) -> None:
    bed = changed.bed
    with bed.traffic(pods_themselves()) as direct:
        with bed.traffic(cluster_ips()) as through:
            for _ in range(ROUNDS):
                for what in CUTTING.values():
                    healed = changed.do(what)
        with bed.unharmed():
            bed.wait_converged()
    assert direct.failures == []
    late = [each for each in through.failures if each.at - each.after > healed]
    assert late == [], "who asks after it was repaired is answered"
    figure("seconds until repaired", rounded(changed.seconds))


def test_a_change_and_a_flush_at_the_same_time(bed: Bed) -> None:
    bed.start()
    with churning(bed.api), bed.traffic(pods_themselves()) as direct:
        for _ in range(3 * ROUNDS):
            bed.node.exec([f"iptables-{bed.backend}", "-t", "nat", "-F"])
            bed.cluster.wait(lambda: bed.answer(cluster_ips()[0]) is not None, "an answer", HEALED_SECONDS)
    with bed.unharmed():
        bed.wait_converged()
    assert direct.failures == []


def rounded(seconds: list[float]) -> dict[str, float]:
    """The least, the middle and the most."""
    ordered = sorted(seconds)
    return {"least": round(ordered[0], 2), "p50": round(ordered[len(ordered) // 2], 2), "most": round(ordered[-1], 2)}
