"""What the loop makes of news: this node's object, others, and the options that follow from them."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from pykubeproxy.cluster.input_notes import UnreadableDocument, UnusedKind
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, POD_CIDRS, FatalError, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import ObjectId
from pykubeproxy.rules.options import RuleOptions
from tests.builders import NODE, at, cidr, options, service, slice_of
from tests.daemon.fakes import Clock, FakeProxy, Recorder, act_until, changed, loop_of
from tests.memory_host import MemoryHost

OptionsFor = Callable[[Node | None, Family], RuleOptions]

OWN = ObjectId("Node", "", NODE)
PODS = (cidr("10.244.1.0/24"),)


def zone_of_node(node: Node | None, family: Family) -> RuleOptions:
    return options(family, zone="" if node is None else node.zone)


@pytest.fixture
def host() -> MemoryHost:
    return MemoryHost()


def in_zone(zone: str, **fields: object) -> ObjectsChanged:
    return changed(Node(name=NODE, zone=zone, **fields))  # type: ignore[arg-type]


@pytest.fixture
def zoned(clock: Clock, host: MemoryHost) -> Loop:
    """In sync, with one endpoint in each of two zones, on a node in zone east."""
    loop = loop_of(clock, FamilyProxy(options(), host), options_for=zone_of_node)
    endpoints = [at(f"10.0.0.{number}", zones=(zone,)) for number, zone in ((1, "east"), (2, "west"))]
    loop.take(changed(service(), slice_of("ns1/svc1", *endpoints), Node(name=NODE, zone="east")))
    loop.act()
    return loop


def endpoints_in(host: MemoryHost) -> set[str]:
    return {
        line.split()[-1]
        for lines in host.ruleset.tables["nat"].chains.values()
        for line in lines
        if "DNAT --to" in line
    }


def test_another_zone_changes_the_rules(zoned: Loop, clock: Clock, host: MemoryHost) -> None:
    assert endpoints_in(host) == {"10.0.0.1:80"}
    zoned.take(in_zone("west"))
    act_until(zoned, clock, clock.now + 1)
    assert endpoints_in(host) == {"10.0.0.2:80"}


def test_a_node_that_is_gone_leaves_everything_as_it_was(zoned: Loop, clock: Clock, host: MemoryHost) -> None:
    with capture_logs() as logs:
        zoned.take(changed(removed=[OWN]))
    assert [line["event"] for line in logs] == ["this node's Node object is gone; its last state stays in force"]
    zoned.take(changed(service("ns1/svc2", "172.30.0.42")))
    act_until(zoned, clock, clock.now + 100)
    assert endpoints_in(host) == {"10.0.0.1:80"}
    zoned.take(in_zone("west"))
    act_until(zoned, clock, clock.now + 1)
    assert endpoints_in(host) == {"10.0.0.2:80"}


def test_other_nodes_and_other_news_of_this_one_are_no_reason_to_sync(zoned: Loop, clock: Clock) -> None:
    recorder = Recorder()
    zoned.follow(recorder)
    clock.now += 5
    zoned.take(changed(Node(name="other", zone="west")))
    zoned.take(changed(removed=[ObjectId("Node", "", "other")]))
    zoned.take(in_zone("east", being_deleted=True))
    assert zoned.time_to_next > 5
    assert (len(recorder.changes), recorder.asked_times) == (3, 0)


def test_followers_hear_when_a_sync_is_asked_for(clock: Clock) -> None:
    """Health-and-metrics.md section 3: before the first sync, only another topology asks for one."""
    loop, recorder = loop_of(clock, FakeProxy(clock), options_for=zone_of_node, wait_for=ALL_KINDS), Recorder()
    loop.follow(recorder)
    loop.take(changed(service()))
    assert recorder.asked_times == 0
    loop.take(in_zone("east"))
    assert recorder.asked_times == 1
    loop.take(ObjectsListed(ALL_KINDS))
    loop.act()
    loop.take(changed(service("ns1/svc2", "172.30.0.42")))
    assert recorder.asked_times == 2


def test_what_was_touched_is_told_with_the_sync_and_only_once(clock: Clock) -> None:
    loop, recorder = loop_of(clock, FakeProxy(clock)), Recorder()
    loop.follow(recorder)
    loop.take(changed(service(), slice_of("ns1/other", "10.0.0.1")))
    loop.sync()
    loop.sync()
    assert [set(sync.touched) for sync in recorder.syncs] == [
        {ServiceKey("ns1", "svc1"), ServiceKey("ns1", "other")},
        set(),
    ]


def test_notes_are_logged(clock: Clock) -> None:
    loop = loop_of(clock, FakeProxy(clock))
    with capture_logs() as logs:
        loop.take(ObjectsChanged(ObjectChanges(notes=(UnreadableDocument(problem="bad"), UnusedKind(kind="Pod")))))
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("bad", "error"),
        ("Pod is not used here; skipped", "info"),
    ]


def test_addresses_are_looked_at_in_every_sync_where_rules_depend_on_them(clock: Clock) -> None:
    addresses, proxy = ["192.0.2.1"], FakeProxy(clock)

    def options_for(node: Node | None, family: Family) -> RuleOptions:
        del node
        return options(family, node_port_addresses=tuple(addresses))

    loop = loop_of(clock, proxy, options_for=options_for, follows_addresses=True)
    loop.act()
    assert addresses_of(proxy) == ["192.0.2.1"]
    addresses.append("192.0.2.2")
    loop.take(changed(service()))
    act_until(loop, clock, clock.now + 1)
    assert addresses_of(proxy) == ["192.0.2.1", "192.0.2.2"]
    addresses.clear()
    act_until(loop, clock, clock.now + 30)
    assert addresses_of(proxy) == [], "at the latest when the live rules are read"


def addresses_of(proxy: FamilyProxy) -> list[str]:
    return list(proxy.options.node_port_addresses or ())


def test_addresses_that_cannot_be_read_stay_as_they_were(clock: Clock) -> None:
    proxy = FakeProxy(clock)

    def refuse(node: Node | None, family: Family) -> RuleOptions:
        raise HostError("no")

    loop = loop_of(clock, proxy, options_for=refuse, follows_addresses=True)
    loop.act()
    loop.take(in_zone("west"))
    assert proxy.options == options()
    assert len(proxy.syncs) == 1


def with_pods(node: Node | None, family: Family) -> RuleOptions:
    return replace(options(family), zone=str(node.pod_cidrs) if node else "")


@pytest.fixture
def waiting(clock: Clock) -> Loop:
    """It needs the pod networks of this node."""
    return loop_of(clock, FakeProxy(clock), options_for=with_pods, wait_for=ALL_KINDS | {POD_CIDRS})


def test_pod_networks_are_waited_for(waiting: Loop, clock: Clock) -> None:
    waiting.take(ObjectsListed(ALL_KINDS))
    act_until(waiting, clock, clock.now + 299)
    assert waiting.waits_for == {POD_CIDRS}
    waiting.take(changed(Node(name="other", pod_cidrs=PODS)))
    assert waiting.waits_for == {POD_CIDRS}
    waiting.take(changed(Node(name=NODE, pod_cidrs=PODS)))
    assert waiting.waits_for == set()
    act_until(waiting, clock, clock.now + 10)


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([], f'timeout waiting for node "{NODE}" to exist'),
        ([Node(name=NODE)], f'timeout waiting for PodCIDR allocation on node "{NODE}"'),
    ],
)
def test_pod_networks_are_given_up_after_five_minutes(waiting: Loop, clock: Clock, nodes: list[Node], why: str) -> None:
    act_until(waiting, clock, clock.now + 1000)
    waiting.take(changed(*nodes))
    waiting.take(ObjectsListed(frozenset({"Node"})))
    act_until(waiting, clock, clock.now + 299.9)
    with pytest.raises(FatalError) as ended:
        act_until(waiting, clock, clock.now + 0.2)
    assert str(ended.value) == why


def test_lists_are_waited_for_without_limit(waiting: Loop, clock: Clock) -> None:
    waiting.take(changed(Node(name=NODE, pod_cidrs=PODS)))
    waiting.take(ObjectsListed(frozenset({"Node", "Service"})))
    act_until(waiting, clock, clock.now + 10_000)
    assert waiting.waits_for == {"EndpointSlice"}


class FetchedHost(MemoryHost):
    """Notes what is fetched beforehand: whether early, and None for an end of it."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[bool | None] = []

    def prefetch(self, *, with_counters: bool = False, early: bool = False) -> None:
        del with_counters
        self.fetched.append(early)

    def forget(self) -> None:
        self.fetched.append(None)


def test_rules_are_fetched_from_the_first_object_on_and_once_more_looked_at_before_compiling(clock: Clock) -> None:
    host = FetchedHost()
    loop = loop_of(clock, FamilyProxy(options(), host), wait_for=ALL_KINDS)
    assert host.fetched == []
    loop.take(changed(service()))
    loop.take(changed(slice_of("ns1/svc1", "10.0.0.1")))
    assert host.fetched == [True]
    loop.take(ObjectsListed(ALL_KINDS))
    loop.act()
    assert host.fetched == [True, False]
    loop.take(changed(slice_of("ns1/svc1", "10.0.0.2")))
    loop.act()
    assert host.fetched == [True, False]


def test_rules_that_were_fetched_for_objects_that_do_not_come_are_given_up(clock: Clock) -> None:
    host = FetchedHost()
    loop = loop_of(clock, FamilyProxy(options(), host), wait_for=ALL_KINDS)
    loop.take(changed(service()))
    act_until(loop, clock, clock.now + 60)
    assert host.fetched == [True, None]
    loop.take(ObjectsListed(ALL_KINDS))
    loop.act()
    assert host.fetched == [True, None, False]
