"""The Service proxy that runs on this node, asked over its own HTTP servers: /configz, /metrics, /healthz and others.

Source: `docs/reference/health-and-metrics.md` sections 2, 5 and 6. kube-proxy and this program answer alike, but for
the page that `explain.status.published` describes.
"""

import io
import math
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pykubeproxy.config.addresses import HEALTHZ_PORT, METRICS_PORT, is_port, split_host_port, with_port
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.load import load
from pykubeproxy.explain.status.node_state import Health, KubeProxyMetrics, ProxyAnswer, ProxyProcess
from pykubeproxy.explain.status.published import PATH, ProxyStatus
from pykubeproxy.host.listeners import SOCKETS, listening
from pykubeproxy.host.processes import process_at, service_proxies
from pykubeproxy.model.ip import IP, parse_ip

_COMPONENT = "kubeproxy.config.k8s.io"
_SECONDS = 1.0
"""For all servers that may be a proxy's, and again for all pages of the one that is."""
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what is listened on, and where it is asked

_MOST_BYTES = 8 * 1024 * 1024
_MOST_CONFIG_BYTES = 1024 * 1024
_LONGEST_MODE = 32
_CHUNK = 256 * 1024
# Statuses of HTTP, as http.HTTPStatus has them: loading that takes longer than this module.
_OK, _UNAVAILABLE = 200, 503
_ALL_ADDRESSES = ("0" * 8, "0" * 32)

_R = TypeVar("_R")


class _SilentError(OSError):
    """A server that takes a connection, and does not answer in time."""


class _ForeignError(OSError):
    """An answer that none of a Service proxy's servers gives."""


class RunningProxy(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies on this node. `process` is the one that gave the `answer`; either is None if it is not known.

    `config` is the configuration in force, as a configuration file would have it; empty if nothing answered. `asked`
    are the addresses at which no proxy answered: one that takes connections in silence is in `silent` as well, and one
    that answers as no proxy does in `foreign`. If shadow mode answered, `writer_address` is where a proxy that writes
    does, the process of which may be hidden from a container; empty if none does.
    """

    processes: tuple[ProxyProcess, ...] = ()
    process: ProxyProcess | None = None
    answer: ProxyAnswer | None = None
    config: bytes = b""
    asked: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    writer_address: str = ""


class _Servers(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of the metrics and health servers of a process, by its command line and its configuration file."""

    metrics: str
    health: str


def find_running(metrics: str = "", health: str = "") -> RunningProxy:
    """The Service proxy that runs on this node.

    `metrics` and `health` are the addresses of its servers; if they are empty, they are those that its command line or
    its configuration file names. Takes little more than two seconds, whatever those servers do.
    """
    processes = service_proxies()
    candidates = tuple(_candidates(processes, metrics, health))
    deadline = time.monotonic() + _SECONDS
    found = _at_once(
        [
            partial(_config_or_error, servers.metrics, deadline, is_guess=process is None and not metrics)
            for process, servers in candidates
        ]
    )
    for (process, servers), config in zip(candidates, found, strict=True):
        if isinstance(config, dict):
            answer = _answer(servers.metrics, health or str(config.get("healthzBindAddress") or servers.health))
            others = (
                its.metrics
                for (owner, its), shown in zip(candidates, found, strict=True)
                if not owner and isinstance(shown, dict)
            )
            return RunningProxy(
                processes=processes,
                process=process or (processes[0] if len(processes) == 1 else _process_of(answer.status)),
                answer=answer,
                config=msgspec.json.encode(config),
                writer_address=_writer(others) if _is_shadow(answer.status) else "",
            )
    asked = {servers.metrics: error for (_, servers), error in zip(candidates, found, strict=True)}
    return RunningProxy(
        processes=processes,
        asked=tuple(asked),
        silent=tuple(address for address, error in asked.items() if isinstance(error, _SilentError)),
        foreign=tuple(address for address, error in asked.items() if isinstance(error, _ForeignError)),
    )


def _is_shadow(status: ProxyStatus | None) -> bool:
    return status is not None and status.is_shadow


def _writer(addresses: Iterable[str]) -> str:
    """The first of some proxies that is not in shadow mode; empty if there is none."""
    deadline = time.monotonic() + _SECONDS
    return next((each for each in addresses if not _is_shadow(_status(_get(each, PATH, deadline)))), "")


def _process_of(status: ProxyStatus | None) -> ProxyProcess | None:
    """The process that published this `status`; None if it runs in another PID namespace."""
    return None if status is None else process_at(status.pid, status.started_at)


def _candidates(
    processes: Iterable[ProxyProcess], metrics: str, health: str
) -> Iterator[tuple[ProxyProcess | None, _Servers]]:
    """The processes to ask, with their servers: shadow mode comes last, and after it the default addresses."""
    known = set()
    for process in sorted(processes, key=lambda each: each.is_shadow):
        servers = _servers_of(process, metrics, health)
        known.add(servers.metrics)
        # A stopped process takes connections, but does not answer.
        if not process.is_stopped:
            yield process, servers
    for address in ("127.0.0.1", "::1") if not metrics else (metrics,):
        place = with_port(address, METRICS_PORT)
        if place not in known:
            yield None, _Servers(metrics=place, health=with_port(health or address, HEALTHZ_PORT))


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


def _config_or_error(address: str, deadline: float, *, is_guess: bool) -> dict[str, Any] | OSError:
    """The configuration that a metrics server shows, or why there is none."""
    # Where nobody has said that there is one, no packet is sent to find out: it would be counted by rules.
    if is_guess and not _listeners(address):
        return ConnectionRefusedError()
    try:
        status, body = _read(_exchange(address, "/configz", deadline))
        shown = msgspec.json.decode(body)
    except OSError as error:
        return error
    except (msgspec.DecodeError, RecursionError):
        return _ForeignError()
    config = shown.get(_COMPONENT) if isinstance(shown, dict) and status == _OK else None
    return config if isinstance(config, dict) else _ForeignError()


def _answer(address: str, health_address: str) -> ProxyAnswer:
    deadline, owner = time.monotonic() + _SECONDS, owner_of(address)
    its, health = _at_once(
        [
            partial(_get, address, PATH, deadline),
            partial(_get, health_address, "/healthz", deadline, _UNAVAILABLE),
        ]
    )
    status = _status(its)
    return ProxyAnswer(
        address=address,
        owner=owner,
        is_trusted=owner is not None and owner in (0, os.geteuid()),
        status=status,
        metrics=_metrics(address, deadline) if status is None else None,
        health_address=health_address,
        health=_health(health_address, health),
    )


def _status(page: bytes | None) -> ProxyStatus | None:
    """What one of ours says of itself; None for another proxy, and for a version that says it in another way."""
    try:
        return msgspec.json.decode(page or b"null", type=ProxyStatus | None)
    except (msgspec.DecodeError, RecursionError):
        return None


def _health(address: str, page: bytes | None) -> Health | None:
    try:
        fields = msgspec.json.decode(page or b"null")
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    # Releases before 1.29 tell the two apart by the status only.
    is_healthy = bool(fields.get("healthy", True))
    return Health(address=address, is_healthy=is_healthy, is_eligible=bool(fields.get("nodeEligible", True)))


def _metrics(address: str, deadline: float) -> KubeProxyMetrics:
    """What kube-proxy's metrics say. Only the few lines that matter are read."""
    page, mode = _at_once([partial(_get, address, path, deadline) for path in ("/metrics", "/proxyMode")])
    build, started_at, failures = "unknown", None, 0
    synced_at: dict[str, float] = {}
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    dropping: dict[str, int] = {}
    for name, labels, value in _samples(page or b""):
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
            case "no_local_endpoints_total":
                # Both traffic policies of a port may be Local: the larger number counts no port twice.
                dropping[family] = max(dropping.get(family, 0), int(value))
    return KubeProxyMetrics(
        version=build,
        mode=(mode or b"")[:_LONGEST_MODE].decode(errors="replace"),
        started_at=started_at,
        synced_at=synced_at,
        mean_seconds={family: its / counts[family] for family, its in sums.items() if counts.get(family)},
        restore_failures=failures,
        ports_dropping=dropping,
    )


def _samples(page: bytes) -> Iterator[tuple[str, dict[str, str], float]]:
    """The samples of the text format that are about the build, the process and syncs, up to one that is malformed."""
    # Like prometheus_client itself, this takes long to import, and only kube-proxy is asked for its metrics.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    wanted = ("kubernetes_build_info", "process_start_time_seconds", "kubeproxy_sync_proxy_rules_")
    text = page.decode(errors="replace").splitlines(keepends=True)
    lines = (line for line in text if line.startswith(wanted) and "_bucket{" not in line)
    with suppress(ValueError):
        for family in text_string_to_metric_families("".join(lines)):
            for sample in family.samples:
                if math.isfinite(sample.value):
                    yield sample.name, sample.labels, sample.value


def _at_once(asks: Iterable[Callable[[], _R]]) -> list[_R]:
    """Call all functions at the same time, in a thread each; return their results in the same order. None may raise."""
    found: dict[int, _R] = {}

    def keep(place: int, ask: Callable[[], _R]) -> None:
        found[place] = ask()

    threads = [
        threading.Thread(target=keep, args=(place, ask), name=f"ask-{place}", daemon=True)
        for place, ask in enumerate(asks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[place] for place in range(len(threads))]


def _get(address: str, path: str, deadline: float, *also: int) -> bytes | None:
    """The body at a path, if the answer has status 200 or one of `also`; None if there is no such answer in time."""
    try:
        status, body = _read(_exchange(address, path, deadline))
    except OSError:
        return None
    return body if status in (_OK, *also) else None


def _exchange(address: str, path: str, deadline: float) -> bytes:
    """All that a server answers until it closes the connection. Raises OSError, also after the `deadline`."""
    parts = split_host_port(address)
    if parts is None or not is_port(parts[1]):
        raise ConnectionRefusedError
    place = (_LOOPBACK.get(parts[0], parts[0]), int(parts[1]))
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    received = bytearray()
    with socket.create_connection(place, _left(deadline)) as connection:
        try:
            connection.sendall(request.encode())
            while data := connection.recv(_CHUNK):
                received += data
                if len(received) > _MOST_BYTES:
                    raise _ForeignError
                # However slowly it comes: nobody keeps a command waiting for long.
                connection.settimeout(_left(deadline))
        except TimeoutError:
            raise _SilentError from None
        except ConnectionError:
            raise _ForeignError from None
    return bytes(received)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _read(received: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer. Raises OSError if it is none."""
    # This takes long to import, and is needed only where something answers.
    from http.client import HTTPException, HTTPResponse  # noqa: PLC0415

    response = HTTPResponse(_Received(received))  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read()
    except (HTTPException, ValueError) as error:
        raise _ForeignError(str(error)) from error


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
