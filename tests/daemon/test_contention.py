"""Another Service proxy on the same node: repairs slow down, and the log says once who it is."""

import itertools
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from e2e.proxies import FLAGS
from pykubeproxy.daemon.follow import contention
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import Lines
from tests.daemon.fakes import Clock, FakeProxy, act_until, loop_of
from tests.daemon.node import Daemon, Node
from tests.kernel.machine import COMMAND
from tests.kernel.objects import web, write

T0 = 1000.0
ENDPOINTS = ("10.244.0.1:8080", "10.244.0.2:8080")
RIVAL = ForeignChange("iptables-nft-re", 7)
FIREWALLD = ForeignChange("firewalld", 8)
OTHERS: Lines = ("-A KUBE-SERVICES -j SOMETHING",)
CONTENDED = "another Service proxy seems to be at work on this node"
REPAIRED = "rules were changed by another program; repaired"


@pytest.fixture(autouse=True)
def neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention.Contention.__init__, "__defaults__", (lambda: ("kube-proxy (pid 12)",),))


def contend(clock: Clock, proxy: FakeProxy, seconds: float) -> tuple[list[float], list[str]]:
    """Have another program undo each repair at once; return the pauses between repairs, and what was said of it."""
    loop = loop_of(clock, proxy)
    loop.act()
    with capture_logs() as logs:
        while clock.now < T0 + seconds:
            loop.take(RIVAL)
            act_until(loop, clock, clock.now + 0.125)
    told = [line["process"] for line in logs if line["event"].startswith(CONTENDED)]
    return [after - before for before, after in itertools.pairwise(proxy.reads)], told


def test_repairs_that_follow_each_other_slow_down_to_a_bound(clock: Clock, proxy: FakeProxy) -> None:
    proxy.found = OTHERS
    pauses, told = contend(clock, proxy, 60)
    assert pauses[:9] == [0.25] * 4 + [1.0, 2.0, 4.0, 8.0, 10.0]
    assert max(pauses) == 10.0
    assert told == ["kube-proxy (pid 12)"], "once"


def test_what_was_taken_away_is_put_back_at_once(clock: Clock, proxy: FakeProxy) -> None:
    """Connections fail without it."""
    proxy.found = ()
    assert contend(clock, proxy, 10) == ([0.25] * 40, [])


def test_other_programs_are_not_kept_waiting(clock: Clock, proxy: FakeProxy) -> None:
    proxy.found = OTHERS
    loop = loop_of(clock, proxy)
    loop.act()
    for _ in range(7):
        loop.take(RIVAL)
        clock.now += loop.time_to_next
        loop.act()
    loop.take(RIVAL)
    assert loop.time_to_next == 4.0 * 2
    for messages in ((FIREWALLD,), (FIREWALLD, RIVAL), (ForeignChange(), RIVAL)):
        for message in messages:
            loop.take(message)
        assert loop.time_to_next <= 0.25
        clock.now += loop.time_to_next
        proxy.found = None
        loop.act()
        proxy.found = OTHERS
        loop.take(RIVAL)
        assert loop.time_to_next > 1


def test_two_daemons_on_one_node(node: Node) -> None:
    """They do not agree on which addresses are pods'."""
    source = write(node.folder / "objects.json", web(Family.IPV4))

    def start(cidr: str, port: int) -> Daemon:
        its = ("--hostname-override=node-a", "--family=ipv4", "--backend=nft", f"--cluster-cidr={cidr}")
        servers = (f"--healthz-bind-address=127.0.0.1:{port}", f"--metrics-bind-address=127.0.0.1:{port + 1}")
        return node.run(*COMMAND, "run", f"--source={source}", *its, *servers, *FLAGS)

    one, other = start("10.244.0.0/16", 11000).wait_synced(1), start("10.0.0.0/8", 12000)
    daemons = {one: other, other: one}
    for daemon, rival in daemons.items():
        (told,) = daemon.wait_told(CONTENDED)
        assert f"(pid {rival.process.pid})" in told["process"]
        daemon.wait_told(REPAIRED, len(daemon.told(REPAIRED)) + 2)
    for daemon in daemons:
        times = [datetime.fromisoformat(line["timestamp"]) for line in daemon.told(REPAIRED)]
        assert (times[-1] - times[-2]).total_seconds() > 0.9
        assert len(daemon.told(CONTENDED)) == 1
    other.end()
    chains = node.chains()
    node.machine.exec(["iptables-nft", "-t", "nat", "-F"])
    one.wait(lambda: node.chains().keys() == chains.keys() and node.sends_to(*ENDPOINTS), "a flush")
