"""A log that cannot be written costs lines, and nothing else."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pykubeproxy.observe.logs import LogFormat, LossyStream, set_up


@pytest.fixture(name="full")
def fixture_full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard error goes to a full disk."""
    before = structlog.get_config()
    # Unbuffered, so that there is nothing left to write when it is closed.
    with io.TextIOWrapper(Path("/dev/full").open("wb", buffering=0), write_through=True) as stream:
        monkeypatch.setattr("sys.stderr", stream)
        yield
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.usefixtures("full")
def test_a_full_disk(log_format: LogFormat) -> None:
    set_up(log_format, 0)
    for _ in range(1000):
        structlog.get_logger().error("nobody is told", family="IPv4")


def test_what_can_be_written_is() -> None:
    text = io.StringIO()
    stream = LossyStream(text)
    assert stream.write("a line\n") == 7
    stream.flush()
    assert text.getvalue() == "a line\n"
