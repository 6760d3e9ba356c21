"""Stopping, whatever a reflector is waiting for."""

import threading
import time
from pathlib import Path

import pytest

from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.outage import Backoff
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.server import ApiServer
from tests.cluster.following import Follow, wait_until

AT_ONCE = 3.0
"""Seconds: far from what a watch may last, and not so little that a busy machine fails."""
LONG_BACKOFF = Backoff(probe_interval=60.0, initial=60.0, maximum=60.0)


def follows() -> bool:
    return any(thread.name.startswith("follow-") for thread in threading.enumerate())


def test_while_it_reads(api: ApiServer, follow: Follow) -> None:
    told = follow(api).wait_listed()
    told.stop()
    assert not follows()
    assert told.reflector.error is None, "stopping is no trouble"


def test_while_no_answer_comes(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.stall()
    told = follow(api)
    assert api.requests.wait(1)
    told.stop()
    assert not follows()


@pytest.mark.parametrize("fault", ["fail", "refuse"])
def test_while_it_pauses(api: ApiServer, faults: Faults, follow: Follow, tmp_path: Path, fault: str) -> None:
    if fault == "fail":
        faults.fail(500, count=None)
    else:
        faults.refuse()
    path = api.kubeconfig(tmp_path / "config")
    told = follow.through(connect(ClientConnection(kubeconfig=str(path), qps=-1), backoff=LONG_BACKOFF))
    wait_until(lambda: told.reflector.error is not None, "the trouble")
    told.stop()
    assert not follows()


def test_before_it_was_started(api: ApiServer, follow: Follow) -> None:
    told = follow(api)
    told.stop()
    told.stop()
    assert not follows()


def test_at_once(api: ApiServer, follow: Follow) -> None:
    told = follow(api).wait_listed()
    begun = time.monotonic()
    told.stop()
    assert time.monotonic() - begun < AT_ONCE
    assert not follows()
