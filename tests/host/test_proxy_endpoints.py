"""Asking the Service proxy that runs here: a stand-in serves the pages of kube-proxy, or of this program."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

from pykubeproxy.explain.status.node_state import Health, KubeProxyMetrics, ProxyProcess
from pykubeproxy.explain.status.published import PATH, ProxyStatus
from pykubeproxy.host import proxy_endpoints
from pykubeproxy.host.proxy_endpoints import find_running, owner_of
from pykubeproxy.web.messages import Request, Response
from tests.explain.status.nodes import STATUS
from tests.observe.client import served

METRICS = """\
# HELP kubernetes_build_info [ALPHA] A metric with a constant '1' value.
# TYPE kubernetes_build_info gauge
kubernetes_build_info{build_date="",git_version="v1.36.2",go_version="go1.26"} 1
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
# TYPE kubeproxy_sync_proxy_rules_last_timestamp_seconds gauge
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1.70000001e+09
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv6"} 0
# TYPE kubeproxy_sync_proxy_rules_duration_seconds histogram
kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family="IPv4",le="0.001"} 0
kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family="IPv4",le="+Inf"} 4
kubeproxy_sync_proxy_rules_duration_seconds_sum{ip_family="IPv4"} 2
kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"} 4
# TYPE kubeproxy_sync_proxy_rules_iptables_restore_failures_total counter
kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"} 3
kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv6"} 1
# TYPE kubeproxy_sync_proxy_rules_no_local_endpoints_total gauge
kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="internal"} 1
kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 2
"""
HEALTHZ = {"lastUpdated": "2026-11-22T12:34:34Z", "nodeEligible": False, "healthy": True}
Pages = Mapping[str, tuple[int, str]]


@contextmanager
def serving(pages: Pages) -> Iterator[str]:
    """A server of these pages; its address."""

    def answer(request: Request) -> Response:
        status, body = pages.get(request.path, (404, "404 page not found\n"))
        return Response(status=HTTPStatus(status), content_type="text/plain", body=body.encode())

    with served(answer) as port:
        yield f"127.0.0.1:{port}"


def configz(**fields: object) -> tuple[int, str]:
    return 200, json.dumps({"kubeproxy.config.k8s.io": {"kind": "KubeProxyConfiguration", **fields}})


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> list[ProxyProcess]:
    """The Service proxies that seem to run here."""
    found: list[ProxyProcess] = []
    monkeypatch.setattr(proxy_endpoints, "service_proxies", lambda: tuple(found))
    return found


def test_kube_proxy() -> None:
    with serving({"/healthz": (503, json.dumps(HEALTHZ))}) as health:
        pages = {"/configz": configz(healthzBindAddress=health), "/metrics": (200, METRICS)}
        with serving({**pages, "/proxyMode": (200, "iptables")}) as metrics:
            running = find_running(metrics)
    answer = running.answer
    assert answer is not None
    assert answer.metrics == KubeProxyMetrics(
        version="v1.36.2",
        mode="iptables",
        started_at=1.7e9,
        synced_at={"IPv4": 1_700_000_010.0, "IPv6": 0.0},
        mean_seconds={"IPv4": 0.5},
        restore_failures=4,
        ports_dropping={"IPv4": 2},
    )
    assert (answer.address, answer.status) == (metrics, None)
    assert answer.health == Health(address=health, is_healthy=True, is_eligible=False)
    assert json.loads(running.config) == {"kind": "KubeProxyConfiguration", "healthzBindAddress": health}
    assert (answer.owner, answer.is_trusted) == (os.geteuid(), True)


@pytest.mark.parametrize(
    ("page", "status"),
    [(msgspec.json.encode(STATUS).decode(), STATUS), ('{"version": 2}', None)],
    ids=["this version", "another version"],
)
def test_one_of_ours(page: str, status: ProxyStatus | None) -> None:
    with serving({"/configz": configz(), PATH: (200, page)}) as address:
        answer = find_running(address, health="127.0.0.1:1").answer
    assert answer is not None
    assert (answer.status, answer.health, answer.health_address) == (status, None, "127.0.0.1:1")
    assert answer.metrics is None or status is None


@pytest.mark.parametrize(
    "page", [(200, "hello"), (200, "[1]"), (200, "[" * 100_000), (200, '{"other": {}}'), (500, "{}")]
)
def test_a_server_that_is_no_proxy(page: tuple[int, str]) -> None:
    with serving({"/configz": page}) as address:
        running = find_running(address)
    assert (running.answer, running.config, running.asked, running.foreign) == (None, b"", (address,), (address,))
    for none in ("nonsense", "127.0.0.1:http", "127.0.0.1:99999"):
        assert find_running(none).answer is None


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", "silent"),
        (HEAD + b"Content-Length: 9\r\n\r\n{", "silent"),
        (HEAD + b"Content-Length: 9\r\n\r\n{", "foreign"),
        (b"\xff\0\r\n" * 100, "foreign"),
        (HEAD + b"\r\n" + bytes(9_000_000), "foreign"),
    ],
)
def test_servers_that_keep_nobody_waiting(
    sent: bytes, kind: str, processes: list[ProxyProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five that are asked at the same time, and one which is not asked, since its process is stopped."""
    seconds = 0.7 if kind == "silent" else 30.0
    monkeypatch.setattr(proxy_endpoints, "_SECONDS", seconds)
    connections: list[socket.socket] = []

    def answer(server: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            connections.append(connection)
            connection.sendall(sent)
            if kind == "foreign":
                connection.close()

    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(6)]
        addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
        for pid, state in enumerate("SSSSST"):
            command = ("kube-proxy", f"--metrics-bind-address={addresses[pid]}")
            processes.append(ProxyProcess(pid=pid, name="kube-proxy", command=command, state=state))
            threading.Thread(target=answer, args=(servers[pid],), daemon=True).start()
        began = time.monotonic()
        running = find_running()
    assert time.monotonic() - began < 4 * seconds, "one after the other they would take longer"
    assert (running.answer, set(getattr(running, kind))) == (None, set(addresses[:5]))
    assert addresses[5] not in running.asked


def test_the_command_line_says_where_to_ask_and_one_in_charge_comes_first(processes: list[ProxyProcess]) -> None:
    with serving({"/configz": configz()}) as charge, serving({"/configz": configz()}) as shadow:
        for pid, address, mode in ((1, shadow, "--dry-run"), (2, charge, "-v=2")):
            command = ("pykubeproxy", "run", f"--metrics-bind-address={address}", mode)
            processes.append(ProxyProcess(pid=pid, name="pykubeproxy", command=command))
        running = find_running()
    assert running.process == processes[1]
    assert running.answer is not None
    assert running.answer.address == charge


def test_besides_shadow_mode_the_proxy_that_writes_is_found(
    processes: list[ProxyProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = msgspec.json.encode(msgspec.structs.replace(STATUS, is_shadow=True)).decode()
    with serving({"/configz": configz(), PATH: (200, page)}) as shadow, serving({"/configz": configz()}) as writer:
        for its, default, expected in ((shadow, writer, writer), (f"0.0.0.0:{shadow.rpartition(':')[2]}", shadow, "")):
            command = ("pykubeproxy", "run", f"--metrics-bind-address={its}", "--dry-run")
            processes[:] = [ProxyProcess(pid=1, name="pykubeproxy", command=command)]
            monkeypatch.setattr(proxy_endpoints, "METRICS_PORT", int(default.rpartition(":")[2]))
            assert find_running().writer_address == expected


def test_the_configuration_file_says_where_to_ask(processes: list[ProxyProcess], tmp_path: Path) -> None:
    file = tmp_path / "config"
    with serving({"/configz": configz()}) as address:
        identity = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        file.write_text(f"{identity}metricsBindAddress: {address}\n")
        processes.append(ProxyProcess(pid=os.getpid(), name="kube-proxy", command=("kube-proxy", f"--config={file}")))
        running = find_running()
    assert running.process == processes[0]


@pytest.mark.parametrize("owner", [None, os.geteuid() + 1000])
def test_a_server_that_belongs_to_another_user_is_not_trusted(
    owner: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_endpoints, "owner_of", lambda _: owner)
    with serving({"/configz": configz()}) as address:
        answer = find_running(address).answer
    assert answer is not None
    assert (answer.owner, answer.is_trusted) == (owner, False)


HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000  {}        0 1 1 0 100 0 0 10 0\n"


@pytest.mark.parametrize(
    ("sockets", "address", "owner"),
    [
        ([("0100007F:2809", "0A", 7)], "127.0.0.1:10249", 7),
        ([("00000000:2809", "0A", 7)], "127.0.0.1:10249", 7),
        ([("0" * 32 + ":2809", "0A", 7)], "127.0.0.1:10249", 7),
        ([("0100007F:2809", "01", 7)], "127.0.0.1:10249", None),
        ([("0100007F:2809", "0A", 0), ("00000000:2809", "0A", 7)], "127.0.0.1:10249", None),
        ([("010200C0:2809", "0A", 7)], "192.0.2.1:10249", 7),
    ],
)
def test_who_listens(sockets: list[tuple[str, str, int]], address: str, owner: int | None, tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(HEADING + "".join(ROW.format(*its) for its in sockets))
    assert owner_of(address, tmp_path) == owner
