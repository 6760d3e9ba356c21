"""What holds for all tests.

Property tests search the same examples every time, few enough for every run.
`HYPOTHESIS_PROFILE=thorough pytest tests/plan` searches further, at random.
"""

import os
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


@pytest.fixture(autouse=True)
def _logs_as_usual() -> Iterator[None]:
    """A command sets up the logs of its process, which in tests is that of all tests."""
    yield
    structlog.reset_defaults()
