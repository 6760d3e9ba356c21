"""An API server with a whole cluster in it: the test bed's, or where KUBEBUILDER_ASSETS names them, the real programs.

It runs in the measured node's own namespace, as a process of its own.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.netns import Namespace

PATIENCE_SECONDS = 300.0


@contextmanager
def api_server(node: Namespace, source: Path, folder: Path) -> Iterator[Path]:
    """The test bed's API server with the objects of a manifest; yields the path of its kubeconfig."""
    kubeconfig = folder / "kubeconfig"
    command = [sys.executable, "-m", "tests.apiserver", "--no-kubernetes-service", "--load", str(source)]
    server = node.popen([*command, "--kubeconfig", str(kubeconfig)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(kubeconfig, server)
        yield kubeconfig
    finally:
        server.terminate()
        server.wait()
        kubeconfig.unlink(missing_ok=True)


def _wait_for(kubeconfig: Path, server: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not kubeconfig.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the test API server did not start")
        time.sleep(0.05)
