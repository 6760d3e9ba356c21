"""A server that goes away and comes back, perhaps as another one."""

import pytest

from tests.apiserver.faults import Faults
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice
from tests.cluster.following import Follow, Following


def with_three(api: ApiServer, follow: Follow, *, can_stream: bool = True) -> Following:
    for name in ("a", "b", "c"):
        api.create(endpoint_slice(name, "10.244.0.5"))
    told = follow(api, can_stream=can_stream).wait_listed()
    api.wait_watchers(1)
    return told


@pytest.mark.parametrize("can_stream", [True, False])
@pytest.mark.parametrize("revision", [None, 3, 1_000_000])
def test_a_restart_without_history(
    api: ApiServer, faults: Faults, follow: Follow, revision: int | None, *, can_stream: bool
) -> None:
    """As after a restore from a backup: the revisions go on from another point, and nobody knows the old ones."""
    told = with_three(api, follow, can_stream=can_stream)
    faults.refuse()
    api.delete("EndpointSlice", "default", "b")
    faults.restart(revision=revision)
    api.create(endpoint_slice("d", "10.244.0.6"))
    told.wait_names("a", "c", "d")
    assert told.removed == ["b"]


def test_being_away_for_a_while(api: ApiServer, faults: Faults, follow: Follow) -> None:
    told = with_three(api, follow)
    faults.refuse()
    api.replace(endpoint_slice("a", "10.244.0.9"))
    api.delete("EndpointSlice", "default", "b")
    api.create(endpoint_slice("b", "10.244.0.10"))
    api.delete("EndpointSlice", "default", "c")
    faults.accept()
    told.wait_names("a", "b")
    assert "a" not in told.removed


def test_an_outage_at_the_start(api: ApiServer, faults: Faults, follow: Follow) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    faults.refuse(0.3)
    assert follow(api).wait_listed().names() == {"a"}
