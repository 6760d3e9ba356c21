"""A fault of ours does not end a reflector."""

import msgspec
import structlog

from pykubeproxy.cluster.resources import ENDPOINT_SLICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice
from tests.cluster.following import Follow


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
