"""What is not needed is not loaded: it would take memory on every node, and time with every command."""

import subprocess
import sys
from pathlib import Path

import pytest

START = "import pykubeproxy.cli.main, pykubeproxy.daemon.node_daemon, pykubeproxy.cli.run, sys; print(*sys.modules)"
AT_EXIT = "import atexit, sys; atexit.register(lambda: print(*sys.modules))"


@pytest.mark.parametrize("package", ["rich", "kubernetes"])
def test_a_daemon_does_without(package: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", START], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert "structlog" in loaded.stdout.split()
    assert package not in loaded.stdout.split()


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)])
def test_help_loads_no_command(arguments: tuple[str, ...]) -> None:
    program = f"{AT_EXIT}; from pykubeproxy.__main__ import main; main()"
    loaded = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(loaded.stdout.splitlines()[-1].split())
    assert "pykubeproxy.cli.main" in modules
    assert not {"structlog", "msgspec", "yaml", "rich", "pykubeproxy.host", "pykubeproxy.cluster"} & modules
