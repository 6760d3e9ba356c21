"""What is not needed is not loaded: it would take memory on every node, and time with every command."""

import subprocess
import sys
from pathlib import Path

import pytest

START = "import pykubeproxy.cli.main, pykubeproxy.daemon.node_daemon, pykubeproxy.cli.run, sys; print(*sys.modules)"
ASKS_API = "from pykubeproxy.cluster.official_client import part; part(); import sys; print(*sys.modules)"
NOT_TO_ASK = {"kubernetes", "kubernetes.client.models", "pydantic", "requests", "oauthlib", "websocket", "asyncio"}
AT_EXIT = "import atexit, sys; atexit.register(lambda: print(*sys.modules))"
OFFLINE = "import pykubeproxy.cli.status, pykubeproxy.cli.trace, sys; print(*sys.modules)"
NOT_OFFLINE = {"urllib3", "http.client", "ssl", "yaml", "tenacity", "structlog", "rich", "difflib"}
NOT_OFFLINE |= {"pykubeproxy.explain.pictures", "pykubeproxy.rules.compile"}
STATUS = "import pykubeproxy.cli.status, sys; print(*sys.modules)"
MAIN = f"{AT_EXIT}; from pykubeproxy.__main__ import main; main()"
NOT_FOR_HELP = {"structlog", "msgspec", "yaml", "rich", "pykubeproxy.host", "pykubeproxy.cluster"}


@pytest.mark.parametrize(
    ("program", "arguments", "needed", "unneeded"),
    [
        (START, (), "structlog", {"rich", "asyncio", "kubernetes"}),
        (OFFLINE, (), "pykubeproxy.cli.trace", NOT_OFFLINE),
        (STATUS, (), "pykubeproxy.cli.status", {"pykubeproxy.host.conntrack", "hashlib"}),
        (ASKS_API, (), "urllib3", NOT_TO_ASK),
        *((MAIN, arguments, "pykubeproxy.cli.main", NOT_FOR_HELP) for arguments in ((), ("--help",), ("--version",))),
    ],
)
def test_a_daemon_and_help_load_only_what_they_need(
    program: str, arguments: tuple[str, ...], needed: str, unneeded: set[str]
) -> None:
    command = [sys.executable, "-c", program, *arguments]
    loaded = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    modules = set(loaded.stdout.splitlines()[-1].split())
    assert needed in modules
    assert not unneeded & modules
