"""What holds for all tests, and in which tier each is.

Tests are in two tiers. Those marked `night` are slow, or are one of several alike (another backend, another layout, a
longer run): `make test` leaves them out (`-m "not night"`), `make test-all` runs all. Each worker takes a file, or all
files that use the same lab, as one group; groups that take long come first.

Property tests search the same examples every time, few enough for every run.
`HYPOTHESIS_PROFILE=thorough pytest tests/plan` searches further, at random.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings

from pykubeproxy.logger import before_first_line

ROOT = Path(__file__).parent.parent

settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=400, derandomize=False)
settings.register_profile("fuzz", settings.get_profile("thorough"), max_examples=10_000, print_blob=True)
# For who only wants to know whether a test fails: what fails is not made small.
settings.register_profile("as-found", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate])
# For `make mutants`, which runs the same tests thousands of times.
settings.register_profile("mutants", settings.get_profile("as-found"), max_examples=6)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# Folders whose tests wait for other processes, in the order in which they should begin; all others come later.
_FIRST = ("image", "e2e", "chaos", "kernel", "daemon", "security", "fuzz")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests belong together, and let those begin first that take longest."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_lab(item) or item.path.name))
    ranks = {folder: rank for rank, folder in enumerate(_FIRST)}
    items.sort(key=lambda item: (ranks.get(item.path.parts[len(ROOT.parts) + 1], len(ranks)), _lab(item)))


def _lab(item: pytest.Item) -> str:
    """The lab that a test shares with those of other files; empty if it shares none."""
    callspec = getattr(item, "callspec", None)
    combination = callspec.params.get("three_nodes") if callspec is not None else None
    return f"three-nodes-{combination}" if combination is not None else ""


@pytest.fixture(autouse=True, scope="session")
def _programs_hear_of_interrupts() -> None:
    """A shell that starts the tests in its background makes them ignore SIGINT, and so would all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _own_xtables_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The legacy tools share one lock between all network namespaces: this run, or its part of it, has one of its own.

    Nobody waits then for what else happens on this machine, nor it for the tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XTABLES_LOCKFILE", str(tmp_path_factory.mktemp("lock") / "xtables.lock"))
        yield


@pytest.fixture(autouse=True)
def _logs_as_usual() -> Iterator[None]:
    """A command sets up the logs of its process, which in tests is that of all tests."""
    yield
    structlog.reset_defaults()
    before_first_line(None)
