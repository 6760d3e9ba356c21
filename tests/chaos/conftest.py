from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.lab import missing
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.chaos.bed import IS_FULL, Bed, open_bed
from tests.kernel.machine import Kind, why_without

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(params=[Backend.NFT, pytest.param(Backend.LEGACY, marks=pytest.mark.night)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend that this machine has."""
    for lack in (missing(), *(why_without(Kind(family=family, backend=request.param)) for family in Family)):
        if lack:
            pytest.skip(lack)
    return Backend(request.param)


@pytest.fixture
def bed(tmp_path: Path, backend: Backend) -> Iterator[Bed]:
    """A cluster on each backend, its daemon not started yet."""
    with open_bed(tmp_path, backend) as its:
        yield its


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Takes note of a measured figure, which a run of the full suite shows at its end."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda name, value: figures.append(f"{request.node.name}: {name}: {value}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_FIGURES, [])
    if figures and (IS_FULL or config.get_verbosity() > 0):
        terminalreporter.section("figures")
        terminalreporter.write("".join(f"{line}\n" for line in figures))
