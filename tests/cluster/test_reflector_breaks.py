"""Watches that break: whatever happens in between is told, nothing vanishes, and there is no busy loop."""

import time
from pathlib import Path

import pytest
import structlog

from pykubeproxy.cluster.client import ApiClient, connect
from pykubeproxy.cluster.connections import Timeouts
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import BREAK_KINDS, BreakKind, Faults
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice
from tests.apiserver.watch import Pace
from tests.cluster.following import BACKOFF, Follow, Following, wait_until

LOUD_BREAKS: list[BreakKind] = [kind for kind in BREAK_KINDS if kind != "half-open"]


def with_three(api: ApiServer, follow: Follow) -> Following:
    for name in ("a", "b", "c"):
        api.create(endpoint_slice(name, "10.244.0.5"))
    told = follow(api).wait_listed()
    api.wait_watchers(1)
    return told


@pytest.mark.parametrize("how", LOUD_BREAKS)
def test_what_happens_meanwhile_is_told_and_nothing_else(
    api: ApiServer, faults: Faults, follow: Follow, how: BreakKind
) -> None:
    told = with_three(api, follow)
    faults.refuse(drop=False)
    faults.break_watches(how)
    api.delete("EndpointSlice", "default", "b")
    api.create(endpoint_slice("d", "10.244.0.6"))
    faults.accept()
    told.wait_names("a", "c", "d")
    assert told.removed == ["b"]
    assert sum(len(change.put) for change in told.changes) == 4, "what has not changed is not told again"


@pytest.mark.parametrize("how", LOUD_BREAKS)
def test_watches_that_break_at_once_are_no_busy_loop(
    api: ApiServer, faults: Faults, follow: Follow, how: BreakKind
) -> None:
    told = with_three(api, follow)
    api.requests.clear()
    faults.break_next_watches(how, count=None)
    faults.break_watches(how)
    assert api.requests.wait(8, "watch")
    times = [request.at for request in api.requests.requests("watch")]
    assert times[-1] - times[0] >= 3 * BACKOFF.initial, "a lost history is listed anew at once, but not again and again"
    api.create(endpoint_slice("d", "10.244.0.6"))
    faults.clear()
    told.wait_names("a", "b", "c", "d")
    assert told.removed == []


@pytest.mark.parametrize("how", LOUD_BREAKS)
def test_a_first_list_that_breaks_off_is_taken_again(
    api: ApiServer, faults: Faults, follow: Follow, how: BreakKind
) -> None:
    for number in range(10):
        api.create(endpoint_slice(f"s{number}", "10.244.0.5"))
    faults.break_next_watches(how, after=5)
    told = follow(api).wait_listed()
    assert told.objects_when_listed == 10
    assert told.removed == []


class Impatient:
    """Makes clients that take so many seconds of silence for death."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def __call__(self, server: ApiServer, silence: float = 0.25) -> ApiClient:
        settings = ClientConnection(kubeconfig=str(server.kubeconfig(self._kubeconfig)), qps=-1)
        return connect(settings, timeouts=Timeouts(connect=2.0, silence=silence, list_silence=silence), backoff=BACKOFF)


@pytest.fixture
def impatient(tmp_path: Path) -> Impatient:
    return Impatient(tmp_path / "config")


def test_a_half_open_watch_is_noticed(api: ApiServer, faults: Faults, follow: Follow, impatient: Impatient) -> None:
    told = follow.through(impatient(api))
    told.wait_listed()
    api.wait_watchers(1)
    faults.half_open()
    api.create(endpoint_slice("a", "10.244.0.5"))
    assert api.requests.wait(3, "watch"), "one fell silent, and so does the next"
    assert told.names() == set()
    faults.clear()
    told.wait_names("a")


def test_a_server_that_takes_a_list_and_says_nothing(
    api: ApiServer, faults: Faults, follow: Follow, impatient: Impatient
) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    faults.break_next_watches("half-open")
    told = follow.through(impatient(api))
    told.wait_listed()
    assert told.names() == {"a"}


def test_a_quiet_watch_with_bookmarks_is_left_alone(follow: Follow, impatient: Impatient) -> None:
    """Forty bookmarks are due before it counts as silent: the server shares this interpreter, and may be held up."""
    silence = 2.0
    with ApiServer(pace=Pace(bookmark_interval=silence / 40)) as server:
        told = follow.through(impatient(server, silence))
        told.wait_listed()
        watch = server.requests.requests("watch")[0]
        wait_until(lambda: time.monotonic() - watch.at > 1.5 * silence, "more than the silence allowed")
        assert server.requests.count("watch") == 1


def test_a_quiet_watch_without_bookmarks_loses_nothing(api: ApiServer, follow: Follow, impatient: Impatient) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    told = follow.through(impatient(api))
    told.wait_listed()
    assert api.requests.wait(3, "watch"), "a watch is replaced, and replaced again"
    api.create(endpoint_slice("b", "10.244.0.6"))
    told.wait_names("a", "b")
    assert [len(change.put) for change in told.changes] == [1, 1]


def test_a_slow_trickle_is_no_silence(api: ApiServer, faults: Faults, follow: Follow) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    faults.trickle(size=7, interval=0.001)
    told = follow(api).wait_listed()
    api.create(endpoint_slice("b", "10.244.0.6"))
    told.wait_names("a", "b")
    assert api.requests.count("watch") == 1


def test_a_storm_of_lost_history(api: ApiServer, faults: Faults, follow: Follow) -> None:
    told = with_three(api, follow)
    for number in range(10):
        faults.compact()
        faults.break_watches("expired")
        api.replace(endpoint_slice("b", f"10.244.1.{number}"))
    api.create(endpoint_slice("d", "10.244.0.6"))
    told.wait_names("a", "b", "c", "d")
    assert told.removed == []
    assert told.listed == ["EndpointSlice"], "the first list is told of once"


def test_trouble_is_logged_when_it_begins_and_when_it_ends(api: ApiServer, faults: Faults, follow: Follow) -> None:
    with structlog.testing.capture_logs() as logs:
        told = with_three(api, follow)
        faults.fail(503, count=None)
        faults.break_watches("reset")
        assert api.requests.wait(8)
        wait_until(lambda: told.reflector.error is not None, "the trouble")
        assert "the API server answers 503" in str(told.reflector.error)
        faults.clear()
        wait_until(lambda: told.reflector.error is None, "the end of the trouble")
    levels = [line["log_level"] for line in logs if "follow" in line["event"]]
    assert levels in (["warning", "info"], ["warning", "warning", "info"]), "the reset may come to be seen first"
