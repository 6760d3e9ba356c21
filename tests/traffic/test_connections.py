"""Totals of connections: they never shrink, they miss nothing that was read, and they stay few."""

from collections import Counter
from collections.abc import Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.compile import compile_ruleset
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
    chain_owners,
    rule_owners,
)
from pykubeproxy.traffic.counters import sends_to_endpoint
from tests.builders import options, port, service, slice_of, slice_port, snapshot

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


def test_sums_per_service_port() -> None:
    counts = counted({}, {WEB_1: 3, WEB_2: 4, DNS_1: 5})
    assert counts.services == {WEB: 7, DNS: 5}
    assert counts.endpoints == {
        EndpointName(WEB, "10.0.0.1:80"): 3,
        EndpointName(WEB, "10.0.0.2:80"): 4,
        EndpointName(DNS, "10.0.0.1:53"): 5,
    }
    assert counts.invalid is None


def test_what_is_refused_is_summed_per_service_and_reason() -> None:
    counts = counted({NOT_HERE: 1}, {NOBODY_80: 3, NOBODY_443: 4, NOT_HERE: 6, WEB_1: 1})
    nobody, not_here = (RefusedName("ns1", "web", reason) for reason in ("no_endpoints", "no_local_endpoints"))
    assert counts.refused == {nobody: 7, not_here: 5}
    assert counts.services == {WEB: 1}
    assert counted({NOBODY_80: 3}).refused == {nobody: 0}


def test_refused_services_beyond_the_limit_are_counted_together() -> None:
    rules = [refusing("KUBE-SERVICES", f"ns1/s{number} has no endpoints") for number in range(4)]
    counts = counted({}, dict.fromkeys(rules, 5), limits=Limits(services=2))
    assert len(counts.refused) == 3
    assert counts.refused[OTHER_REFUSED] == 10
    assert counted({}, dict.fromkeys(rules, 5), limits=Limits(services=0)).refused == {}


def test_what_exists_is_shown_before_it_counts() -> None:
    counts = counted({WEB_1: 100, DNS_1: 5})
    assert counts.services == {WEB: 0, DNS: 0}
    assert counts.endpoints == {EndpointName(WEB, "10.0.0.1:80"): 0, EndpointName(DNS, "10.0.0.1:53"): 0}


def test_a_service_keeps_its_total_when_endpoints_go() -> None:
    counts = counted({}, {WEB_1: 3, WEB_2: 4}, {WEB_2: 5}, {})
    assert counts.services == {WEB: 8}


def test_packets_of_no_connection() -> None:
    assert counted({DROP: 100}).invalid == 0
    assert counted({DROP: 100}, {DROP: 107}, {DROP: 2}).invalid == 9
    assert counted({DROP: 100}, {DROP: 107}, {}).invalid == 7


def test_rules_of_nobody_are_not_counted() -> None:
    counts = counted({}, {dnat("KUBE-SEP-9", "", "10.0.0.1:80"): 3, "-A KUBE-SVC-1 -j X": 4})
    assert (counts.services, counts.endpoints, counts.invalid) == ({}, {}, None)


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


def test_owners_are_those_of_the_compiled_chains() -> None:
    cluster = snapshot(
        service("ns1/web", "172.30.0.1", ports=(port("http", 80), port("https", 443))),
        service("ns1/dns", "172.30.0.2", ports=(port("", 53),)),
        slice_of("ns1/web", "10.0.0.1", "10.0.0.2", ports=(slice_port("http", 8080), slice_port("https", 8443))),
        slice_of("ns1/dns", "10.0.0.3", ports=(slice_port("", 53),)),
    )
    ruleset = compile_ruleset(cluster, options(Family.IPV4))
    endpoint_chains = {chain for chain in ruleset.tables["nat"].chains if chain.startswith("KUBE-SEP-")}
    owners = dict(chain_owners(cluster, options(Family.IPV4)))
    assert owners.keys() == endpoint_chains
    by_rule = dict(rule_owners(cluster, options(Family.IPV4), ruleset))
    assert {chain_of(rule): owner for rule, owner in by_rule.items()} == owners
    assert all(sends_to_endpoint(rule) for rule in by_rule)
    assert Counter(owners.values()) == {
        PortName("ns1", "web", "http", "TCP"): 2,
        PortName("ns1", "web", "https", "TCP"): 2,
        PortName("ns1", "dns", "", "TCP"): 1,
    }


def test_no_series_with_a_limit_of_zero() -> None:
    counts = counted({}, {WEB_1: 3}, limits=Limits(services=0, endpoints=0))
    assert (counts.services, counts.endpoints) == ({}, {})


def test_above_the_limit_the_rest_is_counted_together() -> None:
    names = [dnat(f"KUBE-SEP-{n}", f"ns1/svc{n}", f"10.0.0.{n}:80") for n in range(10)]
    counts = counted({}, dict.fromkeys(names, 1), dict.fromkeys(names, 3), limits=Limits(services=4, endpoints=2))
    assert sorted(counts.services.values()) == [3, 3, 3, 3, 18]
    assert counts.services[OTHER_PORTS] == 18
    assert sorted(counts.endpoints.values()) == [3, 3, 24]
    assert counts.endpoints[OTHER_ENDPOINTS] == 24


def test_places_go_to_those_that_count() -> None:
    totals: Totals[str] = Totals(2)
    totals.exist({"a", "b", "c"})
    assert totals.series("rest") == {}
    totals.add("c", 5)
    totals.add("b", 1)
    assert totals.series("rest") == {"c": 5, "b": 1}
    totals.add("a", 2)
    assert totals.series("rest") == {"c": 5, "b": 1, "rest": 2}


def test_the_place_of_what_went_first_is_given_up_first() -> None:
    totals: Totals[str] = Totals(2)
    for names in ({"a", "b"}, {"b"}, set[str]()):
        totals.exist(names)
        for name in sorted(names):
            totals.add(name, 1)
    assert totals.series("rest") == {"a": 1, "b": 2}
    totals.exist({"c", "d", "e"})
    totals.add("c", 7)
    assert totals.series("rest") == {"b": 2, "c": 7}
    totals.add("d", 8)
    totals.add("e", 9)
    assert totals.series("rest") == {"c": 7, "d": 8, "rest": 9}


def test_what_comes_back_keeps_its_place() -> None:
    totals: Totals[str] = Totals(1)
    totals.add("a", 1)
    totals.exist({"b"})
    totals.exist({"a", "b"})
    totals.add("b", 5)
    totals.add("a", 1)
    assert totals.series("rest") == {"a": 2, "rest": 5}


KEYS = [dnat(f"KUBE-SEP-{n}", f"ns1/svc{n % 3}:p{n % 2}", f"10.0.0.{n}:80") for n in range(8)]


class Kernel(RuleBasedStateMachine):
    """Chains come, go and are rewritten while connections are made; readings come now and then."""

    @initialize(services=st.integers(1, 4), endpoints=st.integers(1, 4))
    def begin(self, services: int, endpoints: int) -> None:
        self.limits = Limits(services=services, endpoints=endpoints)
        self.counter = ConnectionCounter(self.limits)
        self.live: dict[str, int] = {}
        self.unread: Counter[str] = Counter()
        self.true_total = 0
        self.shown: dict[PortName | EndpointName, int] = {}
        self.counter.take({}, dict)

    @rule(key=st.sampled_from(KEYS))
    def add_chain(self, key: str) -> None:
        self.live.setdefault(key, 0)

    @rule(key=st.sampled_from(KEYS))
    def remove_chain(self, key: str) -> None:
        # What was counted and never read is lost with the rule; only the kernel knew it.
        self.live.pop(key, None)
        self.unread.pop(key, None)

    @rule(key=st.sampled_from(KEYS))
    def rewrite_chain(self, key: str) -> None:
        if key in self.live:
            self.live[key] = 0
            self.unread.pop(key, None)
            self.counter.rewritten([("nat", chain_of(key))])

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
    def no_series_ever_shrinks_and_they_are_few(self) -> None:
        counts = self.counter.counts
        assert len(counts.services) <= self.limits.services + 1
        assert len(counts.endpoints) <= self.limits.endpoints + 1
        shown: dict[PortName | EndpointName, int] = dict(counts.services.items())
        shown.update(counts.endpoints.items())
        # One that gave its place up may come back, from zero: a new series.
        assert all(shown[name] >= total for name, total in self.shown.items() if name in shown)
        self.shown = shown


class RoomyKernel(Kernel):
    """The same with room for all: then the totals are exactly what was read."""

    @initialize()
    def begin(self) -> None:
        super().begin(services=100, endpoints=100)

    @invariant()
    def nothing_is_missed_or_counted_twice(self) -> None:
        counts = self.counter.counts
        assert sum(counts.services.values()) == self.true_total
        assert sum(counts.endpoints.values()) == self.true_total


TestKernel = Kernel.TestCase
TestRoomyKernel = RoomyKernel.TestCase


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(0, 50), max_size=8), max_size=8))
def test_any_sequence_of_readings_gives_totals_that_only_grow(readings: list[dict[str, int]]) -> None:
    counter = ConnectionCounter(Limits())
    before: dict[PortName, int] = {}
    for reading in readings:
        counter.take(reading, dict)
        now = dict(counter.counts.services)
        assert now.keys() >= {name for name, total in before.items() if total}
        assert all(now.get(name, 0) >= total for name, total in before.items())
        before = now


def test_no_more_names_are_kept_than_could_be_shown() -> None:
    totals: Totals[str] = Totals(limit=2)
    totals.add("z", 1)
    totals.exist(["a", "b", "c", "d", "z"])
    assert totals.series("rest") == {"z": 1}, "there is no room for all that are silent"
    totals.exist(["a", "z"])
    assert totals.series("rest") == {"z": 1, "a": 0}
    totals.add("a", 1)
    totals.exist(["a", "b", "c", "d", "e"])
    totals.add("e", 5)
    assert totals.series("rest") == {"a": 1, "e": 5}, "of those with a total, the one that is gone gives way"
