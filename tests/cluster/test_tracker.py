"""From wire objects to Changes: what is told, once, and what is kept."""

import json

import pytest

from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, Resource, own_node
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.model.snapshot import ObjectId
from tests.cluster.talking import names, slice_json


def encoded(name: str, version: int, **fields: object) -> bytes:
    return json.dumps(slice_json(name, version, **fields)).encode()


def service(name: str, version: int, **spec: object) -> bytes:
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(version)}
    return json.dumps({"metadata": metadata, "spec": {"clusterIP": "10.96.0.7"} | spec}).encode()


def tracker_of(resource: Resource, *objects: bytes) -> Tracker:
    """A tracker that has told of these objects."""
    tracker = Tracker(resource)
    for obj in objects:
        tracker.put(obj)
    tracker.take()
    return tracker


def test_the_last_state_of_an_object_is_told_once() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    assert tracker.put(encoded("a", 1)) == "1"
    tracker.put(encoded("b", 2))
    assert names(tracker.take()) == (["a", "b"], [])
    tracker.put(encoded("a", 1))
    assert tracker.remove(encoded("never there", 3)) == "3"
    assert tracker.take().is_empty
    tracker.remove(encoded("a", 3))
    tracker.remove(encoded("b", 4))
    tracker.put(encoded("b", 5))
    assert names(tracker.take()) == (["b"], ["a"])


def test_a_slice_that_is_of_no_use_any_more_is_removed() -> None:
    tracker = tracker_of(ENDPOINT_SLICES, encoded("a", 1))
    tracker.put(encoded("a", 2, addressType="FQDN"))
    change = tracker.take()
    assert change.removed == (ObjectId("EndpointSlice", "default", "a"),)
    assert [(input_note_text(note), note.is_error) for note in change.notes] == [
        ("EndpointSlice default/a: addressType: 'FQDN' is neither IPv4 nor IPv6; left out", False)
    ]


def test_parts_that_are_left_out_are_noted_once_per_version() -> None:
    tracker = Tracker(SERVICES)
    for version in (1, 1, 2):
        tracker.put(service("web", version, externalIPs=["192.0.2.999"]))
    change = tracker.take()
    note = "Service default/web: spec.externalIPs[0]: '192.0.2.999' is not an IP address; left out"
    assert (len(change.put), [input_note_text(it) for it in change.notes]) == (1, [note, note])


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
    tracker = tracker_of(SERVICES, service("web", 1))
    assert tracker.put(service("web", 2, **bad)) == "2"
    tracker.begin_list()
    tracker.put(service("web", 2, **bad))
    tracker.end_list()
    change = tracker.take()
    assert (change.put, change.removed) == ((), ())
    assert [input_note_text(note) for note in change.notes] == [f"Service default/web: {problem}"]
    tracker.remove(service("web", 3, **bad))
    assert names(tracker.take()) == ([], ["web"])


@pytest.mark.parametrize("data", [b"{}", b'{"metadata":{"name":5}}', b"[]", b'"text"', b'{"metadata":null}'])
def test_what_has_no_name_is_noted(data: bytes) -> None:
    tracker = Tracker(SERVICES)
    assert tracker.put(data) == ""
    change = tracker.take()
    assert (change.put, len(change.notes)) == ((), 1)


def test_nodes_have_no_namespace() -> None:
    tracker = tracker_of(own_node("n1"), b'{"metadata":{"name":"n1","resourceVersion":"4"},"status":{"addresses":[]}}')
    tracker.remove(b'{"metadata":{"name":"n1","resourceVersion":"5"}}')
    assert tracker.take().removed == (ObjectId("Node", "", "n1"),)
