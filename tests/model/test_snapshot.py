"""The cluster as known now, and which Services a change touches."""

from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, ServiceKey
from pykubeproxy.model.snapshot import ObjectId, Snapshot, identify
from tests.builders import service, slice_of, snapshot
from tests.strategies import Event, events, name_of

WEB, DB = ServiceKey("ns", "web"), ServiceKey("ns", "db")


def addresses(cluster: Snapshot, key: ServiceKey, family: Family = Family.IPV4) -> list[str]:
    by_port = cluster.endpoints(key, family, "n1")
    return [endpoint.ip for endpoints in by_port.values() for endpoint in endpoints]


def test_an_object_that_is_new_changed_or_gone_touches_its_service_once() -> None:
    """A slice does so whether or not there is the Service; a Node touches none."""
    cluster = Snapshot()
    for obj, changed in (
        (service("ns/web"), service("ns/web", "10.0.0.9")),
        (slice_of("ns/web", "10.0.0.1"), slice_of("ns/web", "10.0.0.2")),
    ):
        touched = [cluster.put(each) for each in (obj, obj, changed)]
        touched += [cluster.remove(identify(obj)) for _ in range(2)]
        assert touched == [{WEB}, set(), {WEB}, {WEB}, set()]
    assert cluster.put(Node(name="n1", zone="a")) == cluster.remove(ObjectId("Node", "", "n1")) == set()


def test_a_slice_that_changes_hands_touches_both_services() -> None:
    """kube-proxy keeps such an endpoint under its old Service for ever; here it goes."""
    before = slice_of("ns/web", "10.0.0.1")
    after = slice_of("ns/db", "10.0.0.1", key=before.key)
    cluster = snapshot(before)
    assert cluster.put(after) == {WEB, DB}
    assert (addresses(cluster, WEB), addresses(cluster, DB)) == ([], ["10.0.0.1"])


@given(st.lists(events, max_size=25))
def test_the_order_of_events_leaves_no_trace(history: list[Event]) -> None:
    """What is known equals what the last event about each name says."""
    cluster, last = Snapshot(), {}
    for event in history:
        before = {key: cluster.services.get(key) for key in cluster.services.keys() | {ServiceKey("x", "web")}}
        touched = cluster.put(event[1]) if event[0] else cluster.remove(name_of(event))
        assert {key for key in before if before[key] != cluster.services.get(key)} <= touched
        last[name_of(event)] = event[1] if event[0] else None
    left = [obj for obj in last.values() if obj is not None]
    assert cluster.services == {obj.key: obj for obj in left if isinstance(obj, Service)}
    assert cluster.nodes == {obj.name: obj for obj in left if isinstance(obj, Node)}
    slices = {obj.key: obj for obj in left if isinstance(obj, EndpointSlice)}
    assert {slice_.key: slice_ for slice_ in cluster.slices()} == slices
    for key in {slice_.service for slice_ in slices.values()} | {WEB}:
        for family in Family:
            assert cluster.endpoints(key, family, "n1") == snapshot(*slices.values()).endpoints(key, family, "n1")
