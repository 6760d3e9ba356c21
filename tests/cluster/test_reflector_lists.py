"""The first list, whichever way the server gives it, and what is in it."""

import pytest
import structlog

from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES
from tests.apiserver.faults import LIST_FAULTS, Faults, ListFault
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, service
from tests.cluster.conftest import Connect
from tests.cluster.following import Follow


@pytest.mark.parametrize("can_stream", [True, False])
def test_everything_is_told_before_it_is_said_to_be_listed(api: ApiServer, follow: Follow, *, can_stream: bool) -> None:
    names = [f"s{number}" for number in range(20)]
    for name in names:
        api.create(endpoint_slice(name, "10.244.0.5"))
    told = follow(api, can_stream=can_stream).wait_listed()
    assert told.names() == set(names)
    assert (told.listed, told.objects_when_listed) == (["EndpointSlice"], 20)
    assert len(told.changes) == 1, "the list is told in one piece, or in few"


def test_a_long_list_is_told_in_pieces(api: ApiServer, follow: Follow) -> None:
    for number in range(1200):
        api.create(endpoint_slice(f"s{number}", "10.244.0.5"))
    told = follow(api).wait_listed()
    assert told.objects_when_listed == 1200
    assert 2 <= len(told.changes) <= 3


def test_an_older_server_gives_pages(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.stream_lists(on=False)
    api.create(endpoint_slice("a", "10.244.0.5"))
    told = follow(api).wait_listed()
    api.create(endpoint_slice("b", "10.244.0.6"))
    told.wait_names("a", "b")
    asked = [(request.verb, request.query.get("sendInitialEvents")) for request in api.requests.requests()]
    assert asked == [("watch", "true"), ("list", None), ("watch", None)]


@pytest.mark.parametrize("how", LIST_FAULTS)
def test_a_server_that_cannot_stream_lists_is_followed_all_the_same(
    api: ApiServer, faults: Faults, follow: Follow, how: ListFault
) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    faults.break_streaming_lists(how)
    with structlog.testing.capture_logs() as logs:
        told = follow(api).wait_listed()
        api.create(endpoint_slice("b", "10.244.0.6"))
        told.wait_names("a", "b")
    asked = [(request.verb, request.query.get("sendInitialEvents")) for request in api.requests.requests()]
    assert asked == [("watch", "true"), ("list", None), ("watch", None)]
    assert logs == [], "nothing was wrong that anybody has to know of"


def test_streaming_lists_are_taken_compressed(api: ApiServer, connect_to: Connect) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    session = connect_to(api).session()
    query = {"watch": "true", "allowWatchBookmarks": "true", "sendInitialEvents": "true"}
    lines = session.watch(ENDPOINT_SLICES.path, query | {"resourceVersionMatch": "NotOlderThan"}, is_list=True)
    assert lines.is_compressed
    assert [b'"ADDED"' in line for line in lines.read()] == [True, False]
    api.create(endpoint_slice("b", "10.244.0.6"))
    assert len(lines.read()) == 1, "each event is read as it comes"
    lines.close()


def test_pages_are_followed_to_the_last_and_begun_again_if_they_expire(
    api: ApiServer, faults: Faults, follow: Follow
) -> None:
    for number in range(700):
        api.create(endpoint_slice(f"s{number}", "10.244.0.5"))
    told = follow(api, can_stream=False).wait_listed()
    api.wait_watchers(1)
    api.requests.clear()
    faults.delay(200, verb="list")
    faults.break_watches("expired")
    assert api.requests.wait(2, "list"), "the first page, and then the second one"
    faults.compact()
    api.delete("EndpointSlice", "default", "s3")
    told.wait(lambda it: it.removed == ["s3"], "the deletion")
    lists = [set(request.query) & {"limit", "continue"} for request in api.requests.requests("list")]
    assert lists == [{"limit"}, {"limit", "continue"}, set()]
    assert len(told.names()) == 699


def test_selectors_keep_out_what_is_not_for_a_proxy(api: ApiServer, follow: Follow) -> None:
    api.create(service("plain"))
    api.create(service("headless", clusterIP="None"))
    api.create(service("foreign", labels={"service.kubernetes.io/service-proxy-name": "other"}))
    told = follow(api, SERVICES).wait_listed()
    assert told.names() - {"kubernetes"} == {"plain"}
    label = {"metadata": {"labels": {"service.kubernetes.io/service-proxy-name": "other"}}}
    api.patch("Service", "default", "plain", label)
    told.wait_names()
    api.patch("Service", "default", "plain", {"metadata": {"labels": None}})
    told.wait_names("plain")


def test_slices_of_headless_services_are_kept_out(api: ApiServer, follow: Follow) -> None:
    headless = endpoint_slice("headless", "10.244.0.5")
    headless["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
    api.create(headless)
    api.create(endpoint_slice("plain", "10.244.0.5"))
    assert follow(api, ENDPOINT_SLICES).wait_listed().names() == {"plain"}


@pytest.mark.parametrize("can_stream", [True, False])
def test_a_bad_object_is_noted_once_per_version_and_others_are_told(
    api: ApiServer, faults: Faults, follow: Follow, *, can_stream: bool
) -> None:
    api.inject(service("bad", clusterIP="10.96.0.300"))
    api.inject(service("worse", ports="many"))
    api.create(service("good"))
    told = follow(api, SERVICES, can_stream=can_stream).wait_names("good")
    notes = [
        "Service default/bad: spec.clusterIP: '10.96.0.300' is not an IP address, \"None\" or empty; skipped",
        "Service default/worse: spec.ports: Expected array | null, got str; skipped",
    ]
    assert sorted(told.notes) == notes
    api.wait_watchers(1)
    faults.break_watches("expired")
    api.create(service("later"))
    told.wait_names("good", "later")
    assert sorted(told.notes) == notes, "a new list says nothing new"
    api.inject(service("bad", clusterIP="10.96.0.301"))
    told.wait(lambda it: len(it.notes) == 3, "a note for another version")


def test_an_object_that_turns_bad_stays_as_it_was_last_good(api: ApiServer, follow: Follow) -> None:
    api.create(service("web", clusterIP="10.96.0.7"))
    told = follow(api, SERVICES).wait_names("web")
    api.inject(service("web", clusterIP="10.96.0.300"))
    told.wait(lambda it: bool(it.notes), "the note")
    assert "web" in told.names()
    api.delete("Service", "default", "web")
    told.wait_names()
