"""Objects of an API server are followed, however it lists them and whatever becomes of its watches and answers.

What is asked after which trouble has tests of its own: test_watch_protocol, test_outage.
"""

import time
from collections.abc import Callable

import msgspec
import pytest
import structlog

from pykubeproxy.cluster import list_parts
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, own_node
from pykubeproxy.cluster.timeouts import Backoff
from tests.apiserver.faults import BREAK_KINDS, LIST_FAULTS, BreakKind, Faults, ListFault
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, node, service
from tests.cluster.conftest import Follow
from tests.cluster.following import BACKOFF, Following, threads
from tests.kernel.machine import wait_until

LOUD_BREAKS: list[BreakKind] = [kind for kind in BREAK_KINDS if kind != "half-open"]
LONG_BACKOFF = Backoff(probe_interval=60.0, initial=60.0, maximum=60.0)
AT_ONCE = 3.0
"""Seconds: far from what a watch may last, and not so little that a busy machine fails."""
FOREIGN = {"service.kubernetes.io/service-proxy-name": "other"}


def with_three(api: ApiServer, follow: Follow) -> Following:
    for name in ("a", "b", "c"):
        api.create(endpoint_slice(name, "10.244.0.5"))
    told = follow(api).wait_listed()
    api.wait_watchers(1)
    return told


def streams_asked(api: ApiServer) -> list[tuple[str, str | None]]:
    return [(request.verb, request.query.get("sendInitialEvents")) for request in api.requests.requests()]


@pytest.mark.parametrize(
    ("count", "can_stream", "pieces"),
    [(20, True, (1,)), (20, False, (1,)), (1200, True, (2, 3)), (1200, False, (2, 3))],
)
def test_everything_is_told_before_it_is_said_to_be_listed(
    api: ApiServer,
    follow: Follow,
    monkeypatch: pytest.MonkeyPatch,
    *,
    count: int,
    can_stream: bool,
    pieces: tuple[int, ...],
) -> None:
    monkeypatch.setattr(list_parts, "PART_BYTES", 10_000)
    for number in range(count):
        api.create(endpoint_slice(f"s{number}", "10.244.0.5"))
    told = follow(api, can_stream=can_stream).wait_listed()
    assert told.listed == [("EndpointSlice", count)]
    assert len(told.changes) in pieces, "in one piece, or in few if it is long"
    assert not can_stream or streams_asked(api) == [("watch", "true")], "it is compressed, so there is no need of pages"


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
    assert streams_asked(api) == [("watch", "true"), ("list", None), ("watch", None)]
    assert logs == [], "nothing was wrong that anybody has to know of"


def test_what_is_not_for_this_proxy_is_not_told(api: ApiServer, follow: Follow) -> None:
    """`docs/reference/lifecycle.md` section 9."""
    headless = endpoint_slice("headless", "10.244.0.5")
    headless["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
    for obj in (headless, endpoint_slice("plain", "10.244.0.5"), node("n1", "192.0.2.1"), node("n2", "192.0.2.2")):
        api.create(obj)
    for obj in (service("plain"), service("headless", clusterIP="None"), service("foreign", labels=FOREIGN)):
        api.create(obj)
    assert follow(api, ENDPOINT_SLICES).wait_listed().names() == {"plain"}
    assert follow(api, own_node("n2")).wait_listed().names() == {"n2"}
    told = follow(api, SERVICES).wait_listed()
    assert told.names() == {"plain"}
    api.patch("Service", "default", "plain", {"metadata": {"labels": FOREIGN}})
    told.wait_names()
    api.patch("Service", "default", "plain", {"metadata": {"labels": None}})
    told.wait_names("plain")


@pytest.mark.parametrize("how", LOUD_BREAKS)
def test_what_happens_while_a_watch_is_broken_is_told_and_nothing_else(
    api: ApiServer, faults: Faults, follow: Follow, how: BreakKind
) -> None:
    told = with_three(api, follow)
    faults.refuse(drop=False)
    faults.break_watches(how)
    api.delete("EndpointSlice", "default", "b")
    api.create(endpoint_slice("d", "10.244.0.6"))
    faults.accept()
    told.wait_names("a", "c", "d")
    assert (told.removed, told.listed) == (["b"], [("EndpointSlice", 3)])
    assert sum(len(change.put) for change in told.changes) == 4, "what has not changed is not told again"


@pytest.mark.parametrize("how", LOUD_BREAKS)
def test_watches_that_break_at_once_are_no_busy_loop(
    api: ApiServer, faults: Faults, follow: Follow, how: BreakKind
) -> None:
    told = with_three(api, follow)
    api.requests.clear()
    faults.break_next_watches(how)
    faults.break_watches(how)
    assert api.requests.wait(8, "watch")
    times = [request.at for request in api.requests.requests("watch")]
    assert times[-1] - times[0] >= 3 * BACKOFF.initial, "a lost history is listed anew at once, but not again and again"
    api.create(endpoint_slice("d", "10.244.0.6"))
    faults.clear()
    told.wait_names("a", "b", "c", "d")
    assert told.removed == []


def test_a_watch_that_ends_after_a_while_is_no_trouble(api: ApiServer, faults: Faults, follow: Follow) -> None:
    told = with_three(api, follow)
    time.sleep(BACKOFF.stable_after)
    api.requests.clear()
    faults.break_watches("end")
    assert api.requests.wait(1, "watch")
    assert told.reflector.error is None


def fails(status: int, body: str | None = None) -> Callable[[Faults], None]:
    return lambda faults: faults.fail(status, count=None, body=body)


@pytest.mark.parametrize(
    ("order", "trouble"),
    [
        *((fails(status), f"the API server answers {status}: ") for status in (401, 404, 409, 429, 500, 503)),
        (fails(403), "RBAC has to allow list and watch on endpointslices.discovery.k8s.io: "),
        *((fails(200, body), "the API server") for body in ("<html>busy</html>", "{}", '{"kind":"Status"', "[]", "")),
        (Faults.refuse, "URL: Connection refused"),
        (Faults.stall, "URL: no answer in time"),
        (Faults.untrusted_certificate, "URL: its certificate is not accepted: "),
    ],
)
def test_trouble_is_told_until_it_is_over(
    api: ApiServer, faults: Faults, follow: Follow, order: Callable[[Faults], None], trouble: str
) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    order(faults)
    told = follow(api)
    told.wait_error(trouble.replace("URL", api.url))
    assert not told.listed
    faults.clear()
    told.wait_names("a")
    wait_until(lambda: told.reflector.error is None, "the end of the trouble")


def test_retry_after_is_honoured(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.fail(429, count=2, retry_after=1)
    follow(api).wait_listed()
    _, first, second = api.requests.requests()[:3]
    assert 1.0 <= second.at - first.at < 5.0


def test_a_fault_of_ours_is_logged_and_others_are_told(api: ApiServer, follow: Follow) -> None:
    def translate(obj: object) -> object:
        result = ENDPOINT_SLICES.translate(obj)
        if getattr(result[0], "key", None) == ("default", "cursed"):
            raise ZeroDivisionError
        return result

    api.create(endpoint_slice("a", "10.244.0.5"))
    with structlog.testing.capture_logs() as logs:
        told = follow(api, msgspec.structs.replace(ENDPOINT_SLICES, translate=translate)).wait_listed()
        api.create(endpoint_slice("cursed", "10.244.0.5"))
        api.create(endpoint_slice("b", "10.244.0.5"))
        told.wait_names("a", "b")
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "internal error while following the API server"
    ]


@pytest.mark.parametrize(
    "order", [None, Faults.stall, fails(500), Faults.refuse], ids=["reads", "waits", "pauses", "away"]
)
def test_it_stops_at_once_whatever_it_waits_for(
    api: ApiServer, faults: Faults, follow: Follow, order: Callable[[Faults], None] | None
) -> None:
    if order is not None:
        order(faults)
    before = threads("follow-")
    told = follow(api, silence=60.0, backoff=LONG_BACKOFF)
    wait_until(lambda: bool(told.listed or api.requests.count("list") or told.reflector.error), "the wait")
    begun = time.monotonic()
    told.stop()
    told.stop()
    assert time.monotonic() - begun < AT_ONCE
    assert threads("follow-") <= before
    assert order is not None or told.reflector.error is None, "stopping is no trouble"
