"""The Service proxy that runs on this node, asked over its own HTTP servers: /configz, /metrics, /healthz and others.

Source: `docs/reference/health-and-metrics.md` sections 2, 5 and 6. kube-proxy and this program answer alike, but for
the page that `explain.status.published` describes.
"""

import io
import os
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from pykubeproxy.config.addresses import HEALTHZ_PORT, METRICS_PORT, is_port, split_host_port, with_port
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.load import load
from pykubeproxy.explain.status.node_state import Health, KubeProxyMetrics, ProxyAnswer, ProxyProcess
from pykubeproxy.explain.status.published import PATH, ProxyStatus
from pykubeproxy.host.listeners import SOCKETS, listening
from pykubeproxy.host.processes import service_proxies
from pykubeproxy.model.ip import IP, parse_ip

_COMPONENT = "kubeproxy.config.k8s.io"
_SECONDS = 2.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what is listened on, and where it is asked

_MOST_BYTES = 64 * 1024 * 1024
_MOST_CONFIG_BYTES = 1024 * 1024
_CHUNK = 256 * 1024
_ALL_ADDRESSES = ("0" * 8, "0" * 32)


class RunningProxy(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies on this node. `process` is the one that gave the `answer`; either is None if it is not known.

    `config` is the configuration in force, as a configuration file would have it; empty if nothing answered. `asked`
    are the addresses at which nothing answered.
    """

    processes: tuple[ProxyProcess, ...] = ()
    process: ProxyProcess | None = None
    answer: ProxyAnswer | None = None
    config: bytes = b""
    asked: tuple[str, ...] = ()


class _Servers(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of the metrics and health servers of a process, by its command line and its configuration file."""

    metrics: str
    health: str


def find_running(metrics: str = "", health: str = "") -> RunningProxy:
    """The proxy that runs here; the addresses of its servers, if they are given, are believed."""
    processes = service_proxies()
    asked = []
    for process, servers in _candidates(processes, metrics, health):
        # Where nobody has said that there is one, no packet is sent to find out: it would be counted by rules.
        is_guess = process is None and not metrics
        config = None if is_guess and not _listeners(servers.metrics) else _config(servers.metrics)
        if config is None:
            asked.append(servers.metrics)
            continue
        return RunningProxy(
            processes=processes,
            process=process or (processes[0] if len(processes) == 1 else None),
            answer=_answer(servers.metrics, health or str(config.get("healthzBindAddress") or servers.health)),
            config=msgspec.json.encode(config),
        )
    return RunningProxy(processes=processes, asked=tuple(dict.fromkeys(asked)))


def _candidates(
    processes: Iterable[ProxyProcess], metrics: str, health: str
) -> Iterator[tuple[ProxyProcess | None, _Servers]]:
    """The processes to ask, with their servers: shadow mode comes last, and after it the default addresses."""
    for process in sorted(processes, key=lambda each: each.is_shadow):
        yield process, _servers_of(process, metrics, health)
    for address in ("127.0.0.1", "::1") if not metrics else (metrics,):
        yield (
            None,
            _Servers(metrics=with_port(address, METRICS_PORT), health=with_port(health or address, HEALTHZ_PORT)),
        )


def _servers_of(process: ProxyProcess, metrics: str, health: str) -> _Servers:
    config = _config_file(process)

    def address(given: str, flag: str, field: str, port: int) -> str:
        return with_port(given or config.get(field) or process.value_of(flag) or "127.0.0.1", port)

    return _Servers(
        metrics=address(metrics, "metrics-bind-address", "metricsBindAddress", METRICS_PORT),
        health=address(health, "healthz-bind-address", "healthzBindAddress", HEALTHZ_PORT),
    )


def _config_file(process: ProxyProcess) -> Mapping[str, str]:
    """The addresses in the configuration file of a process, seen from its own root; none if it cannot be read."""
    path = process.value_of("config")
    if not path:
        return {}
    proc = Path("/proc", str(process.pid))
    place = proc / "root" / path.lstrip("/") if path.startswith("/") else proc / "cwd" / path
    try:
        # Anybody can give a process of such a name a pipe for its file, which nobody ever writes to.
        if not place.is_file() or place.stat().st_size > _MOST_CONFIG_BYTES:
            return {}
        config = load(place.read_bytes()).config
    except (OSError, ConfigError):
        return {}
    return {"metricsBindAddress": config.metrics_bind_address, "healthzBindAddress": config.healthz_bind_address}


def _config(address: str) -> dict[str, Any] | None:
    """The configuration that a metrics server shows; None if no proxy answers there."""
    try:
        shown = msgspec.json.decode(_get(address, "/configz") or b"null")
    except msgspec.DecodeError:
        return None
    config = shown.get(_COMPONENT) if isinstance(shown, dict) else None
    return config if isinstance(config, dict) else None


def _answer(address: str, health_address: str) -> ProxyAnswer:
    status, owner = _status(address), owner_of(address)
    return ProxyAnswer(
        address=address,
        owner=owner,
        is_trusted=owner is not None and owner in (0, os.geteuid()),
        status=status,
        metrics=_metrics(address) if status is None else None,
        health_address=health_address,
        health=_health(health_address),
    )


def _status(address: str) -> ProxyStatus | None:
    """What one of ours says of itself; None for another proxy, and for a version that says it in another way."""
    try:
        return msgspec.json.decode(_get(address, PATH) or b"null", type=ProxyStatus | None)
    except msgspec.DecodeError:
        return None


def _health(address: str) -> Health | None:
    try:
        fields = msgspec.json.decode(_get(address, "/healthz", HTTPStatus.SERVICE_UNAVAILABLE) or b"null")
    except msgspec.DecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    # Releases before 1.29 tell the two apart by the status only.
    is_healthy = bool(fields.get("healthy", True))
    return Health(address=address, is_healthy=is_healthy, is_eligible=bool(fields.get("nodeEligible", True)))


def _metrics(address: str) -> KubeProxyMetrics:
    """What kube-proxy's metrics say. Only the few lines that matter are read."""
    build, started_at, failures = "unknown", None, 0
    synced_at: dict[str, float] = {}
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for name, labels, value in _samples((_get(address, "/metrics") or b"").decode(errors="replace")):
        family = labels.get("ip_family", "")
        match name.removeprefix("kubeproxy_sync_proxy_rules_"):
            case "kubernetes_build_info":
                build = labels.get("git_version", build)
            case "process_start_time_seconds":
                started_at = value
            case "last_timestamp_seconds":
                synced_at[family] = value
            case "duration_seconds_sum":
                sums[family] = value
            case "duration_seconds_count":
                counts[family] = value
            case "iptables_restore_failures_total":
                failures += int(value)
    return KubeProxyMetrics(
        version=build,
        mode=(_get(address, "/proxyMode") or b"").decode(errors="replace"),
        started_at=started_at,
        synced_at=synced_at,
        mean_seconds={family: its / counts[family] for family, its in sums.items() if counts.get(family)},
        restore_failures=failures,
    )


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """The samples of the text format that are about the build, the process and syncs."""
    # Like prometheus_client itself, this takes long to import, and only kube-proxy is asked for its metrics.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    wanted = ("kubernetes_build_info", "process_start_time_seconds", "kubeproxy_sync_proxy_rules_")
    lines = (line for line in text.splitlines(keepends=True) if line.startswith(wanted) and "_bucket{" not in line)
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _get(address: str, path: str, *also: HTTPStatus) -> bytes | None:
    """The body at a path, if the answer has status 200 or one of `also`; None if there is no such answer in time."""
    parts = split_host_port(address)
    if parts is None or not is_port(parts[1]):
        return None
    place = (_LOOPBACK.get(parts[0], parts[0]), int(parts[1]))
    try:
        status, body = _read(_exchange(place, path, time.monotonic() + _SECONDS))
    except OSError:
        return None
    return body if status in (HTTPStatus.OK, *also) else None


def _exchange(place: tuple[str, int], path: str, deadline: float) -> bytes:
    """All that a server answers until it closes the connection. Raises OSError, also after the `deadline`."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    received = bytearray()
    with socket.create_connection(place, _SECONDS) as connection:
        connection.sendall(request.encode())
        while len(received) < _MOST_BYTES:
            # However slowly it comes: nobody keeps a command waiting for long.
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            data = connection.recv(_CHUNK)
            if not data:
                break
            received += data
    return bytes(received)


def _read(received: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer. Raises OSError if it is none."""
    # This takes long to import, and is needed only where something answers.
    from http.client import HTTPException, HTTPResponse  # noqa: PLC0415

    response = HTTPResponse(_Received(received))  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read()
    except HTTPException as error:
        raise OSError(str(error)) from error


class _Received:
    """Bytes that have been received, in place of the socket that http.client reads from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        """All of them as a file."""
        return io.BytesIO(self._data)


def owner_of(address: str, sockets: Path = SOCKETS) -> int | None:
    """The user id of whoever listens at an address of this network namespace; None if nobody does, or several do."""
    owners = _listeners(address, sockets)
    return owners.pop() if len(owners) == 1 else None


def _listeners(address: str, sockets: Path = SOCKETS) -> set[int]:
    """The user ids of those who listen at an address."""
    parts = split_host_port(address)
    ip = parse_ip(parts[0]) if parts is not None else None
    if parts is None or ip is None:
        return set()
    # Of what is listened on at all addresses, only loopback ones are known to be this node's own.
    places = {_in_hex(ip)} if not (ip.is_loopback or ip.is_unspecified) else {_in_hex(ip), *_ALL_ADDRESSES}
    wanted = {f"{place}:{int(parts[1]):04X}" for place in places}
    return {owner for place, owner in listening("tcp", sockets) if place in wanted}


def _in_hex(ip: IP) -> str:
    """An address as proc_pid_net(5) prints it: words of four bytes, each in the byte order of the machine."""
    packed = socket.inet_pton(ip.family.address_family, ip.text)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words)
