"""What the loop makes of news: this node's object, others, and the options that follow from them."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, POD_CIDRS, FatalError, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import ObjectId
from pykubeproxy.rules.options import RuleOptions
from tests.builders import NODE, at, cidr, options, service, slice_of
from tests.daemon.fakes import Clock, FakeProxy, Recorder, act_until, changed, loop_of
from tests.memory_host import MemoryHost

OptionsFor = Callable[[Node | None, Family], RuleOptions]

PODS = (cidr("10.244.1.0/24"),)


def zone_of_node(node: Node | None, family: Family) -> RuleOptions:
    return options(family, zone="" if node is None else node.zone)


def in_zone(zone: str, **fields: Any) -> ObjectsChanged:
    return changed(Node(name=NODE, zone=zone, **fields))


class Zoned:
    """In sync, with one endpoint in each of two zones, on a node in zone east."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.host = MemoryHost()
        self.loop = loop_of(clock, FamilyProxy(options(), self.host), options_for=zone_of_node)
        endpoints = [at(f"10.0.0.{number}", zones=(zone,)) for number, zone in ((1, "east"), (2, "west"))]
        self.loop.take(changed(service(), slice_of("ns1/svc1", *endpoints), Node(name=NODE, zone="east")))
        self.loop.act()

    def after(self, seconds: float) -> set[str]:
        """The endpoints that rules lead to some time later."""
        act_until(self.loop, self.clock, self.clock.now + seconds)
        lines = [line for lines in self.host.ruleset.tables["nat"].chains.values() for line in lines]
        return {line.split()[-1] for line in lines if "DNAT --to" in line}


@pytest.fixture
def zoned(clock: Clock) -> Zoned:
    return Zoned(clock)


def test_a_node_that_is_gone_leaves_everything_as_it_was_and_another_zone_changes_the_rules(zoned: Zoned) -> None:
    with capture_logs() as logs:
        zoned.loop.take(changed(removed=[ObjectId("Node", "", NODE)]))
    assert [line["event"] for line in logs] == ["this node's Node object is gone; its last state stays in force"]
    zoned.loop.take(changed(service("ns1/svc2", "172.30.0.42")))
    assert zoned.after(100) == {"10.0.0.1:80"}
    zoned.loop.take(in_zone("west"))
    assert zoned.after(1) == {"10.0.0.2:80"}


def test_other_nodes_and_other_news_of_this_one_are_no_reason_to_sync(zoned: Zoned, clock: Clock) -> None:
    recorder = Recorder()
    zoned.loop.follow(recorder)
    clock.now += 5
    zoned.loop.take(changed(Node(name="other", zone="west")))
    zoned.loop.take(changed(removed=[ObjectId("Node", "", "other")]))
    zoned.loop.take(in_zone("east", being_deleted=True))
    assert zoned.loop.time_to_next > 5
    assert (len(recorder.changes), recorder.asked_times) == (3, 0)


def with_pods(node: Node | None, family: Family) -> RuleOptions:
    return replace(options(family), zone=str(node.pod_cidrs) if node else "")


@pytest.fixture
def waiting(clock: Clock, proxy: FakeProxy) -> Loop:
    """It needs the pod networks of this node."""
    return loop_of(clock, proxy, options_for=with_pods, wait_for=ALL_KINDS | {POD_CIDRS})


def test_pod_networks_are_waited_for(waiting: Loop, clock: Clock) -> None:
    waiting.take(ObjectsListed(frozenset({"Node", "Service"})))
    act_until(waiting, clock, clock.now + 299)
    waiting.take(changed(Node(name="other", pod_cidrs=PODS)))
    assert waiting.waits_for == {POD_CIDRS, "EndpointSlice"}
    waiting.take(changed(Node(name=NODE, pod_cidrs=PODS)))
    act_until(waiting, clock, clock.now + 10_000)
    assert waiting.waits_for == {"EndpointSlice"}, "lists are waited for without limit"


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
