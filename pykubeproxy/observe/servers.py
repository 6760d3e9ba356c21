"""The HTTP servers of the proxy: its health, its metrics, and the health checks of Services.

Source: `docs/reference/health-and-metrics.md` sections 1 and 4, `docs/reference/lifecycle.md` section 14. One thread
serves all of them.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from pykubeproxy import logger
from pykubeproxy.config.types import KubeProxyConfiguration
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.observe.check_server import CheckServer, HealthCheckFailed
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.rules.service_traffic import HealthCheck
from pykubeproxy.web.binding import CannotListen, listen
from pykubeproxy.web.messages import Handler
from pykubeproxy.web.server import Listener, WebThread

log = logger.get()


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen.

    `health` and `metrics` are `IP:port`, or empty for no such server. With `hard_fail`, a port that cannot be bound
    ends the program; otherwise it is tried again every `retry_seconds`.
    """

    health: str
    metrics: str
    hard_fail: bool = False
    retry_seconds: float = 5.0


def addresses_of(config: KubeProxyConfiguration) -> Addresses:
    """The addresses of a configuration."""
    return Addresses(
        health=config.healthz_bind_address,
        metrics=config.metrics_bind_address,
        hard_fail=config.bind_address_hard_fail,
    )


class ServerFailed(Exception):
    """A server cannot listen, and is not to be tried again. `server` is its name: `healthz` or `metrics`."""

    def __init__(self, text: str, server: str) -> None:
        super().__init__(text)
        self.server = server


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    address: str
    handler: Handler
    failure_prefix: str = ""


class Servers:
    """Serves from `start` to `stop`. All methods are for the one thread that it belongs to."""

    def __init__(
        self,
        addresses: Addresses,
        health: ProxyHealth,
        *,
        health_pages: Handler,
        metrics_pages: Handler,
        on_check_failed: Callable[[HealthCheckFailed], None],
    ) -> None:
        """`on_check_failed` is called on the web thread for each health check of a Service that cannot be served."""
        self._addresses = addresses
        self._web = WebThread()
        self._servers = [
            _Server(
                name="healthz",
                address=addresses.health,
                handler=health_pages,
                failure_prefix="healthz server failed: ",
            ),
            _Server(name="metrics", address=addresses.metrics, handler=metrics_pages),
        ]
        self._ports: dict[str, int] = {}
        # Without a health server, the proxy counts as healthy; kube-proxy crashes in this case.
        self._checks = {
            family: CheckServer(family, self._web, health if addresses.health else None, on_check_failed)
            for family in Family
        }

    def start(self) -> None:
        """Listen and serve. Raises ServerFailed if a port cannot be bound and `hard_fail` is set."""
        self._web.start()
        try:
            for server in self._servers:
                if server.address:
                    self._web.call(partial(self._open, server))
        except ServerFailed:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop serving; nothing stays open."""
        self._web.stop()

    def port(self, name: str) -> int | None:
        """The port that `healthz` or `metrics` listens on by now."""
        return self._ports.get(name)

    def serve_checks(
        self, family: Family, checks: Mapping[ServiceKey, HealthCheck], addresses: tuple[str, ...] | None
    ) -> None:
        """After each successful sync: serve these health checks and no others, on `addresses`; None is all.

        That is done soon, and not waited for.
        """
        self._checks[family].serve(checks, addresses)

    def serves_all_checks(self, family: Family) -> bool:
        """True if the health checks of a family are served as was asked for last."""
        return self._checks[family].serves_all

    def _open(self, server: _Server) -> None:
        try:
            sock = listen(server.address)
        except CannotListen as error:
            text = f"{server.failure_prefix}{error}"
            if self._addresses.hard_fail:
                raise ServerFailed(text, server.name) from error
            log.error("cannot serve, trying again", server=server.name, error=text)
            self._web.later(self._addresses.retry_seconds, partial(self._open, server))
            return
        listener = Listener(sock, server.handler)
        self._web.add(listener)
        self._ports[server.name] = listener.port
        log.info("serving", server=server.name, address=server.address)
