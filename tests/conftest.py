"""What holds for all tests.

Property tests search the same examples every time, few enough for every run.
`HYPOTHESIS_PROFILE=thorough pytest tests/plan` searches further, at random.
"""

import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=400, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


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
