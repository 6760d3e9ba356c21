from collections.abc import Iterator

import pytest

from pykubeproxy.host.backend import Backend
from tests.kernel.machine import IPV4_KINDS, KINDS, KINDS_BY_DAY, Kind, Machine, machine, why_no_machine, why_without

BY_DAY_AND_NIGHT = [kind if kind in KINDS_BY_DAY else pytest.param(kind, marks=pytest.mark.night) for kind in KINDS]


@pytest.fixture(name="machine")
def fixture_machine() -> Iterator[Machine]:
    """A fresh machine for one test."""
    if lack := why_no_machine():
        pytest.skip(lack)
    with machine() as fresh:
        yield fresh


@pytest.fixture(
    params=[kind if kind in KINDS_BY_DAY else pytest.param(kind, marks=pytest.mark.night) for kind in KINDS], ids=str
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each family with each backend that this machine has."""
    return _available(request.param)


IPV4_BY_DAY_AND_NIGHT = [
    kind if kind.backend is Backend.NFT else pytest.param(kind, marks=pytest.mark.night) for kind in IPV4_KINDS
]


@pytest.fixture(params=IPV4_BY_DAY_AND_NIGHT, ids=str)
def kind4(request: pytest.FixtureRequest) -> Kind:
    """The same for IPv4 alone, where the family makes no difference."""
    return _available(request.param)


@pytest.fixture(params=[kind for kind in KINDS if kind not in IPV4_KINDS], ids=str)
def kind6(request: pytest.FixtureRequest) -> Kind:
    """The same for IPv6 alone."""
    return _available(request.param)


def _available(kind: Kind) -> Kind:
    if lack := why_without(kind):
        pytest.skip(lack)
    return kind
