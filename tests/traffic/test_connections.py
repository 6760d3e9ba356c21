"""Totals of connections: they never shrink, they miss nothing that was read, and they stay few."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pykubeproxy.rules.reading import chain_of
from pykubeproxy.traffic.connections import (
    OTHER_ENDPOINTS,
    OTHER_PORTS,
    OTHER_REFUSED,
    ConnectionCounter,
    ConnectionCounts,
    EndpointName,
    Limits,
    PortName,
    RefusedName,
    Totals,
)

WEB = PortName("ns1", "web", "http", "TCP")
DNS = PortName("ns1", "dns", "", "UDP")


def dnat(chain: str, title: str, endpoint: str, protocol: str = "tcp") -> str:
    note = f'-m comment --comment "{title}" ' if title else ""
    return f"-A {chain} -p {protocol} {note}-m {protocol} -j DNAT --to-destination {endpoint}"


WEB_1 = dnat("KUBE-SEP-1", "ns1/web:http", "10.0.0.1:80")
WEB_2 = dnat("KUBE-SEP-2", "ns1/web:http", "10.0.0.2:80")
DNS_1 = dnat("KUBE-SEP-3", "ns1/dns", "10.0.0.1:53", "udp")
DROP = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"


def refusing(chain: str, note: str, number: int = 80) -> str:
    return f'-A {chain} -p tcp -m comment --comment "{note}" -m tcp --dport {number} -j DROP'


NOBODY_80 = refusing("KUBE-SERVICES", "ns1/web:http has no endpoints")
NOBODY_443 = refusing("KUBE-SERVICES", "ns1/web:https has no endpoints", 443)
NOT_HERE = refusing("KUBE-EXTERNAL-SERVICES", "ns1/web:http has no local endpoints")


def counted(*readings: Mapping[str, int], limits: Limits | None = None) -> ConnectionCounts:
    counter = ConnectionCounter(limits or Limits())
    for reading in readings:
        counter.take(reading, dict)
    return counter.counts


WEB_E1, WEB_E2, DNS_E1 = (
    EndpointName(WEB, "10.0.0.1:80"),
    EndpointName(WEB, "10.0.0.2:80"),
    EndpointName(DNS, "10.0.0.1:53"),
)
NOBODY, NOBODY_HERE = (RefusedName("ns1", "web", reason) for reason in ("no_endpoints", "no_local_endpoints"))


@pytest.mark.parametrize(
    ("readings", "counts"),
    [
        (
            [{}, {WEB_1: 3, WEB_2: 4, DNS_1: 5}],
            {"services": {WEB: 7, DNS: 5}, "endpoints": {WEB_E1: 3, WEB_E2: 4, DNS_E1: 5}},
        ),
        ([{WEB_1: 100, DNS_1: 5}], {"services": {WEB: 0, DNS: 0}, "endpoints": {WEB_E1: 0, DNS_E1: 0}}),
        ([{}, {WEB_1: 3, WEB_2: 4}, {WEB_2: 5}, {}], {"services": {WEB: 8}, "endpoints": {WEB_E1: 3, WEB_E2: 5}}),
        (
            [{NOT_HERE: 1}, {NOBODY_80: 3, NOBODY_443: 4, NOT_HERE: 6, WEB_1: 1}],
            {"services": {WEB: 1}, "endpoints": {WEB_E1: 1}, "refused": {NOBODY: 7, NOBODY_HERE: 5}},
        ),
        ([{NOBODY_80: 3}], {"refused": {NOBODY: 0}}),
        ([{DROP: 100}], {"invalid": 0}),
        ([{DROP: 100}, {DROP: 107}, {DROP: 2}], {"invalid": 9}),
        ([{DROP: 100}, {DROP: 107}, {}], {"invalid": 7}),
        ([{}, {dnat("KUBE-SEP-9", "", "10.0.0.1:80"): 3, "-A KUBE-SVC-1 -j X": 4}], {}),
    ],
    ids=[
        "sums per Service port",
        "what exists is shown before it counts",
        "a Service keeps its total when endpoints go",
        "refused connections per Service and reason",
        "refused before it counts",
        "packets of no connection",
        "their rule written anew",
        "their rule gone",
        "rules of nobody",
    ],
)
def test_totals(readings: list[Mapping[str, int]], counts: dict[str, Any]) -> None:
    assert counted(*readings) == ConnectionCounts(**counts)


@pytest.mark.parametrize("limit", [0, 2, 4])
def test_above_the_limit_the_rest_is_counted_together(limit: int) -> None:
    sending = [dnat(f"KUBE-SEP-{n}", f"ns1/svc{n}", f"10.0.0.{n}:80") for n in range(10)]
    refusing_too = [refusing("KUBE-SERVICES", f"ns1/s{n} has no endpoints") for n in range(10)]
    rules = [*sending, *refusing_too]
    counts = counted({}, dict.fromkeys(rules, 1), dict.fromkeys(rules, 3), limits=Limits(services=limit, endpoints=2))
    rest = 3 * (10 - limit)
    for series in (counts.services, counts.refused):
        assert sorted(series.values()) == ([*[3] * limit, rest] if limit else [])
    if limit:
        assert counts.services[OTHER_PORTS] == counts.refused[OTHER_REFUSED] == rest
    assert counts.endpoints[OTHER_ENDPOINTS] == 24


def test_without_comments_the_rules_tell_the_service() -> None:
    silent = dnat("KUBE-SEP-1", "", "10.0.0.1:80")
    asked = 0

    def owners() -> Iterator[tuple[str, PortName]]:
        nonlocal asked
        asked += 1
        yield silent, WEB
        yield DNS_1.replace("10.0.0.1", "10.0.0.9"), DNS

    counter = ConnectionCounter(Limits())
    for packets in (0, 3, 5):
        counter.take({silent: packets, DNS_1: 0}, owners)
    assert counter.counts.services == {WEB: 5, DNS: 0}
    assert asked == 1


def test_the_place_of_what_went_first_is_given_up_first() -> None:
    totals: Totals[str] = Totals(2)
    for names in ("ab", "b", ""):
        totals.exist(names)
        for name in names:
            totals.add(name, 1)
    assert totals.series("rest") == {"a": 1, "b": 2}
    totals.exist("cde")
    totals.add("c", 7)
    assert totals.series("rest") == {"b": 2, "c": 7}
    totals.add("d", 8)
    totals.add("e", 9)
    assert totals.series("rest") == {"c": 7, "d": 8, "rest": 9}


KEYS = [dnat(f"KUBE-SEP-{n}", f"ns1/svc{n % 3}:p{n % 2}", f"10.0.0.{n}:80") for n in range(8)]


class Kernel(RuleBasedStateMachine):
    """Chains come, go and are rewritten while connections are made; readings come now and then."""

    # With room for all, the totals are exactly what was read.
    @initialize(services=st.sampled_from([1, 2, 4, 100]), endpoints=st.sampled_from([1, 2, 4, 100]))
    def begin(self, services: int, endpoints: int) -> None:
        self.limits = Limits(services=services, endpoints=endpoints)
        self.counter = ConnectionCounter(self.limits)
        self.live: dict[str, int] = {}
        self.unread: Counter[str] = Counter()
        self.true_total = 0
        self.shown: dict[PortName | EndpointName, int] = {}
        self.counter.take({}, dict)

    @rule(key=st.sampled_from(KEYS))
    def write_chain(self, key: str) -> None:
        # What was counted and never read is lost with the rule; only the kernel knew it.
        self.unread.pop(key, None)
        self.live[key] = 0
        self.counter.rewritten([("nat", chain_of(key))])

    @rule(key=st.sampled_from(KEYS))
    def remove_chain(self, key: str) -> None:
        self.unread.pop(key, None)
        self.live.pop(key, None)

    @rule(key=st.sampled_from(KEYS), packets=st.integers(1, 1000))
    def connect(self, key: str, packets: int) -> None:
        if key in self.live:
            self.live[key] += packets
            self.unread[key] += packets

    @rule()
    def read(self) -> None:
        self.true_total += self.unread.total()
        self.unread.clear()
        self.counter.take(dict(self.live), dict)

    @invariant()
    def no_series_ever_shrinks_and_they_are_few_and_nothing_is_missed(self) -> None:
        counts = self.counter.counts
        for series, limit in ((counts.services, self.limits.services), (counts.endpoints, self.limits.endpoints)):
            assert len(series) <= limit + 1
            assert limit < 100 or sum(series.values()) == self.true_total
        shown: dict[PortName | EndpointName, int] = dict(counts.services.items())
        shown.update(counts.endpoints.items())
        # One that gave its place up may come back, from zero: a new series.
        assert all(shown[name] >= total for name, total in self.shown.items() if name in shown)
        self.shown = shown


TestKernel = Kernel.TestCase
