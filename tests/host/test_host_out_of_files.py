"""A process that may open no more files can run no tools, and says so: what goes on above is no matter of the host."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pykubeproxy.host.errors import HostError, NotStarted
from pykubeproxy.host.table_info import TableInfoError, table_info
from pykubeproxy.model.ip import Family
from tests.host.fake_tools import FakeTools


@contextmanager
def no_more_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(name="tools")
def fixture_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    tools = FakeTools(tmp_path / "bin", monkeypatch)
    tools.add("save", "*nat\nCOMMIT\n")
    tools.add("restore", body="/bin/cat >/dev/null")
    return tools


@pytest.mark.parametrize(
    "action", [lambda tools: tools.host().restore(["*nat", "COMMIT"]), lambda tools: tools.host().save()]
)
def test_a_tool_that_cannot_be_started(tools: FakeTools, action: Callable[[FakeTools], object]) -> None:
    with no_more_files(), pytest.raises(NotStarted, match="cannot start iptables: Too many open files") as caught:
        action(tools)
    assert isinstance(caught.value, HostError)
    action(tools)


def test_a_table_that_cannot_be_asked_about() -> None:
    with (
        no_more_files(),
        pytest.raises(TableInfoError, match="cannot ask about the legacy IPv4 table"),
    ):
        table_info(Family.IPV4, "nat")
