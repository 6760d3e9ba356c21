"""A command that hangs: which one, and since when, is in the log while it does."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.watch.slow_commands import FIRST_REPORT, SlowCommands
from pykubeproxy.host import backend
from pykubeproxy.host.commands import running
from tests.daemon.fakes import Clock
from tests.daemon.node import KUBE_PROXY, Node
from tests.host.fake_tools import VERSIONS, FakeTools
from tests.kernel.machine import wait_until
from tests.kernel.stand_ins import StandIns


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    return FakeTools(tmp_path / "bin", monkeypatch)


@contextmanager
def hanging(tools: FakeTools, name: str, action: Callable[[], object], said: str = "") -> Iterator[None]:
    """While the block lasts, a thread waits for a tool called `name`, which waits for a file."""
    go_on = tools.folder / "go-on"
    os.mkfifo(go_on)
    tools.add(name, said, body=f"read line <{go_on}")
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(action)
        try:
            wait_until(running, "the command")
            yield
        finally:
            go_on.write_text("\n")
        done.result(10)


ACTIONS: dict[str, Callable[[FakeTools], tuple[str, Callable[[], object], str]]] = {
    "restore": lambda tools: ("restore", lambda: tools.host().restore(["*nat", "COMMIT"]), ""),
    "save": lambda tools: ("save", tools.host().save, ""),
    "version": lambda _: ("iptables-nft", lambda: backend._version("iptables-nft"), VERSIONS[backend.Backend.NFT]),
}


@pytest.mark.parametrize("what", ACTIONS)
def test_each_command_is_named_at_a_doubling_pace(tools: FakeTools, what: str) -> None:
    later = Clock()
    watch = SlowCommands(lambda: time.monotonic() + later.now)
    name, action, said = ACTIONS[what](tools)
    with capture_logs() as logs:
        with hanging(tools, name, action, said):
            for later.now in range(100):
                watch.look()
            told = [line["seconds"] for line in logs]
            assert told == pytest.approx([FIRST_REPORT, 2 * FIRST_REPORT, 4 * FIRST_REPORT, 8 * FIRST_REPORT], abs=2)
            assert {line["log_level"] for line in logs} == {"warning"}
            assert all(line["command"].split()[0] == name and line["pid"] and line["since"] for line in logs)
        watch.look()
        watch.look()
        assert [line["event"] for line in logs[4:]] == ["a command has ended that took long"]


def test_the_daemon_tells(node: Node, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    daemon = node.start(command=KUBE_PROXY, path=StandIns(tmp_path / "bin").waiting(go_on).path)
    told = daemon.wait_told("a command is still running")[0]
    assert told["command"].startswith("iptables-nft-restore -w 5")
    go_on.touch()
    daemon.wait_told("a command has ended that took long")
    daemon.wait_synced()
