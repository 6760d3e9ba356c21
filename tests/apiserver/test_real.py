"""The launcher of the real servers, tried on stand-ins: the flags it passes are enough for a server to run on."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from tests.apiserver.errors import ApiError
from tests.apiserver.real import ASSETS, RealApiServer, assets
from tests.apiserver.testing import endpoint_slice, node, service

ETCD = """
    import signal
    signal.pause()
"""
KUBE_APISERVER = """
    import re
    import signal
    import sys
    import threading
    from pathlib import Path

    from tests.apiserver import pki, server

    flags = dict(flag.removeprefix("--").split("=", 1) for flag in sys.argv[1:])
    read = lambda name: Path(flags[name]).read_bytes()
    for name in ("service-account-key-file", "service-account-signing-key-file"):
        if not re.match(b"-----BEGIN (EC|RSA) PRIVATE KEY-----", read(name)):
            sys.exit("data does not contain any valid RSA or ECDSA public keys")
    pair = pki.KeyPair(certificate=read("tls-cert-file"), key=read("tls-private-key-file"))
    pki.issue = lambda *_: pki.Pki(authority=read("client-ca-file"), server=pair, client=pair)
    token, user, uid, groups = read("token-auth-file").decode().strip().split(",")
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    with server.ApiServer(host=flags["bind-address"], port=int(flags["secure-port"]), token=token):
        done.wait()
"""
BROKEN = """
    import sys
    sys.exit("no such flag: --unknown")
"""


def stand_in(path: Path, source: str) -> None:
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(source)}")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    stand_in(tmp_path / "etcd", ETCD)
    stand_in(tmp_path / "kube-apiserver", KUBE_APISERVER)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_same_calls_work(programs: Path, tmp_path: Path) -> None:
    with RealApiServer(programs) as api:
        created = api.create(service("web", "shop", type="LoadBalancer") | lb_status("192.0.2.1"))
        assert created["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
        api.apply(endpoint_slice("web", "10.244.0.5", namespace="shop"))
        changed = api.apply(endpoint_slice("web", "10.244.0.6", namespace="shop"))
        assert changed["endpoints"][0]["addresses"] == ["10.244.0.6"]
        assert api.patch("Service", "shop", "web", {"metadata": {"labels": {"a": "b"}}})["metadata"]["labels"]
        assert api.get("Service", "shop", "web")["kind"] == "Service"
        api.apply(node("n1", "192.0.2.1"))
        assert api.patch("Node", "", "n1", {"status": {"addresses": []}}, subresource="status")
        assert [obj["metadata"]["name"] for obj in api.objects("EndpointSlice")] == ["web"]
        api.delete("EndpointSlice", "shop", "web")
        with pytest.raises(ApiError, match="not found"):
            api.get("EndpointSlice", "shop", "web")
        api.reset()
        assert [obj["metadata"]["name"] for obj in api.objects("Service")] == ["kubernetes"]
        assert api.url in api.kubeconfig(tmp_path / "kubeconfig").read_text()


def test_faults_skip_the_test_with_a_reason(programs: Path) -> None:
    with RealApiServer(programs) as api:
        for name in ("faults", "requests"):
            with pytest.raises(pytest.skip.Exception, match=f"need.* the test server: unset {ASSETS}"):
                getattr(api, name)


def test_closing_leaves_no_process_and_no_file(programs: Path) -> None:
    api = RealApiServer(programs)
    processes = [process.pid for process in api._processes]
    api.close()
    assert sorted(path.name for path in programs.iterdir()) == ["etcd", "kube-apiserver"]
    for pid in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_server_that_dies_is_reported_with_its_log(programs: Path) -> None:
    stand_in(programs / "kube-apiserver", BROKEN)
    with pytest.raises(RuntimeError, match="no such flag: --unknown"):
        RealApiServer(programs)
    assert sorted(path.name for path in programs.iterdir()) == ["etcd", "kube-apiserver"]


def test_the_folder_is_named_by_the_environment(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ASSETS, raising=False)
    assert assets() is None
    monkeypatch.setenv(ASSETS, str(programs))
    assert assets() == programs
    (programs / "etcd").unlink()
    with pytest.raises(FileNotFoundError, match="has no etcd; unset it for the test server"):
        assets()


def lb_status(address: str) -> dict[str, object]:
    return {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
