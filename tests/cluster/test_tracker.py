"""From wire objects to Changes: what is told, once, and what is kept."""

import json

import msgspec
import pytest

from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, own_node
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.model.snapshot import ObjectId, identify
from tests.cluster.talking import slice_json


def encoded(name: str, version: int, **fields: object) -> bytes:
    return json.dumps(slice_json(name, version, **fields)).encode()


def service(name: str, version: int, **spec: object) -> bytes:
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(version)}
    return json.dumps({"metadata": metadata, "spec": {"clusterIP": "10.96.0.7"} | spec}).encode()


def names(tracker: Tracker) -> tuple[list[str], list[str]]:
    change = tracker.take()
    return [identify(obj).name for obj in change.put], [name.name for name in change.removed]


def test_a_change_is_told_once() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    assert tracker.put(encoded("a", 1)) == "1"
    assert names(tracker) == (["a"], [])
    assert tracker.take().is_empty
    tracker.put(encoded("a", 1))
    assert tracker.take().is_empty


def test_only_the_last_state_of_an_object_is_told() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    tracker.put(encoded("a", 1))
    tracker.put(encoded("b", 2))
    tracker.remove(encoded("a", 3))
    tracker.remove(encoded("b", 4))
    tracker.put(encoded("b", 5))
    assert names(tracker) == (["b"], ["a"])


def test_what_was_never_there_is_not_removed() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    assert tracker.remove(encoded("a", 3)) == "3"
    assert tracker.take().is_empty


def test_a_list_removes_what_is_not_in_it_when_it_is_complete() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    for name in "abc":
        tracker.put(encoded(name, 1))
    tracker.take()
    tracker.begin_list()
    tracker.put(encoded("a", 1))
    tracker.put(encoded("c", 2))
    assert names(tracker) == (["c"], [])
    tracker.end_list()
    assert names(tracker) == ([], ["b"])


def test_a_slice_that_is_of_no_use_any_more_is_removed() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    tracker.put(encoded("a", 1))
    tracker.take()
    tracker.put(encoded("a", 2, addressType="FQDN"))
    change = tracker.take()
    assert change.removed == (ObjectId("EndpointSlice", "default", "a"),)
    assert [input_note_text(note) for note in change.notes] == [
        "EndpointSlice default/a: addressType: 'FQDN' is neither IPv4 nor IPv6; left out"
    ]
    assert not change.notes[0].is_error


def test_parts_that_are_left_out_are_noted_once_per_version() -> None:
    tracker = Tracker(SERVICES)
    for version in (1, 1, 2):
        tracker.put(service("web", version, externalIPs=["192.0.2.999"]))
    change = tracker.take()
    assert len(change.put) == 1
    assert [input_note_text(note) for note in change.notes] == 2 * [
        "Service default/web: spec.externalIPs[0]: '192.0.2.999' is not an IP address; left out"
    ]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"clusterIP": "x"}, "spec.clusterIP: 'x' is not an IP address, \"None\" or empty; skipped"),
        ({"ports": [{"port": "http"}]}, "spec.ports[0].port: Expected int, got str; skipped"),
        ({"ports": [{}]}, "spec.ports[0]: Object missing required field port; skipped"),
        ({"ports": [{"port": 99999}]}, "spec.ports[0].port: 99999 is not within 1 to 65535; skipped"),
    ],
)
def test_a_bad_object_is_noted_and_its_last_good_state_stays(bad: dict[str, object], problem: str) -> None:
    tracker = Tracker(SERVICES)
    tracker.put(service("web", 1))
    tracker.take()
    assert tracker.put(service("web", 2, **bad)) == "2"
    tracker.put(service("web", 2, **bad))
    change = tracker.take()
    assert (change.put, change.removed) == ((), ())
    assert [input_note_text(note) for note in change.notes] == [f"Service default/web: {problem}"]
    tracker.remove(service("web", 3, **bad))
    assert names(tracker) == ([], ["web"])


def test_a_bad_object_is_not_gone_from_a_list() -> None:
    tracker = Tracker(SERVICES)
    tracker.put(service("web", 1))
    tracker.take()
    tracker.begin_list()
    tracker.put(service("web", 2, ports="many"))
    tracker.end_list()
    assert names(tracker) == ([], [])


@pytest.mark.parametrize("data", [b"", b"{", b'{"metadata":', b'{"metadata":\x00}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Tracker(SERVICES).put(data)


@pytest.mark.parametrize("data", [b"{}", b'{"metadata":{"name":5}}', b"[]", b'"text"', b'{"metadata":null}'])
def test_what_has_no_name_is_noted(data: bytes) -> None:
    tracker = Tracker(SERVICES)
    assert tracker.put(data) == ""
    change = tracker.take()
    assert (change.put, len(change.notes)) == ((), 1)


def test_after_versions_have_begun_again_everything_is_news() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    tracker.put(encoded("a", 1))
    tracker.put(encoded("b", 1))
    tracker.take()
    tracker.distrust_versions()
    tracker.begin_list()
    tracker.put(encoded("a", 1))
    tracker.end_list()
    assert names(tracker) == (["a"], ["b"])


def test_nodes_have_no_namespace() -> None:
    tracker = Tracker(own_node("n1"))
    tracker.put(b'{"metadata":{"name":"n1","resourceVersion":"4"},"status":{"addresses":[]}}')
    assert names(tracker) == (["n1"], [])
    tracker.remove(b'{"metadata":{"name":"n1","resourceVersion":"5"}}')
    assert tracker.take().removed == (ObjectId("Node", "", "n1"),)
