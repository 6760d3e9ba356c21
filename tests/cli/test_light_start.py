"""What a daemon has no use for is not loaded with it: it would take memory on every node."""

import subprocess
import sys
from pathlib import Path

import pytest

START = "import pykubeproxy.cli.main, pykubeproxy.daemon.node_daemon, pykubeproxy.cli.run, sys; print(*sys.modules)"


@pytest.mark.parametrize("package", ["rich", "kubernetes"])
def test_a_daemon_does_without(package: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", START], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert "structlog" in loaded.stdout.split()
    assert package not in loaded.stdout.split()
