from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.testing import endpoint_slice, node, official, official_connection, service

ROOT = Path(__file__).parents[2]
_SECONDS = 20


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.apiserver", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=_SECONDS)


def listening(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening at https://"), line
    return line.removeprefix("listening at ").strip()


def write(path: Path, *objects: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump_all(objects))


def test_it_serves_a_folder_and_stops_on_sigterm(tmp_path: Path) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    write(manifests / "a.yaml", service("web"), pod, service("bad", ports=[]))
    items = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [endpoint_slice("web", "10.244.0.5"), node("n1", "192.0.2.1")],
    }
    write(manifests / "b.yml", items)
    file = tmp_path / "kubeconfig"
    with running("--load", manifests, "--kubeconfig", file, "--no-kubernetes-service") as process:
        url = listening(process)
        connection = official_connection(file)
        assert connection.configuration.host == url
        core = official.CoreV1Api(connection)
        assert [item.metadata.name for item in core.list_service_for_all_namespaces().items] == ["web"]
        assert [item.metadata.name for item in core.list_node().items] == ["n1"]
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=_SECONDS)
        assert process.returncode == 0
    assert "Pod /p: not served, left out" in complaints
    assert 'Service default/bad: Service "bad" is invalid: spec.ports: Required value' in complaints


def test_a_port_that_is_taken_is_one_line_and_exit_1() -> None:
    with running() as first:
        port = listening(first).rsplit(":", 1)[1]
        with running("--port", port) as second:
            _, complaints = second.communicate(timeout=_SECONDS)
            assert second.returncode == 1
    assert complaints.startswith(f"cannot listen at 127.0.0.1 port {port}: ")
    assert complaints.count("\n") == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running() as process:
        listening(process)
        process.send_signal(signum)
        assert process.wait(_SECONDS) == 0
    assert list(tmp_path.iterdir()) == []
