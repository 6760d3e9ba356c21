"""How long a reflector pauses, without pausing; and that a fault of ours does not end it."""

import msgspec
import pytest
import structlog
import tenacity

from pykubeproxy.cluster.reflector import FollowOptions, Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES
from pykubeproxy.cluster.trouble import Trouble
from tests.apiserver.cluster import Cluster
from tests.apiserver.testing import endpoint_slice
from tests.cluster.conftest import Connect
from tests.cluster.following import Follow


def pause(reflector: Reflector, attempt: int, retry_after: float | None = None) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    trouble = Trouble("busy", kind="busy", retry_after=retry_after)
    state.set_exception((Trouble, trouble, None))
    return reflector._pause(state)


@pytest.fixture
def idle(api: Cluster, connect_to: Connect) -> Reflector:
    return Reflector(
        connect_to(api),
        ENDPOINT_SLICES,
        on_change=lambda _: None,
        on_listed=lambda _: None,
        options=FollowOptions(),
    )


def test_pauses_double_up_to_half_a_minute_and_as_much_again(idle: Reflector) -> None:
    bounds = [(0.8, 1.6), (1.6, 3.2), (3.2, 6.4), (6.4, 12.8), (12.8, 25.6), (25.6, 51.2), (30, 60), (30, 60)]
    for attempt, (least, most) in enumerate(bounds, 1):
        assert all(least <= pause(idle, attempt) <= most for _ in range(20))


def test_pauses_are_not_all_the_same(idle: Reflector) -> None:
    assert len({pause(idle, 3) for _ in range(20)}) > 1


def test_a_server_may_ask_for_more_but_not_for_less(idle: Reflector) -> None:
    assert pause(idle, 1, retry_after=17) == 17
    assert pause(idle, 7, retry_after=1) >= 30


def test_a_fault_of_ours_is_logged_and_others_are_told(api: Cluster, follow: Follow) -> None:
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
