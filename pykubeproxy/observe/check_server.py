"""The health check node ports, on which load balancers ask whether this node has endpoints of a Service.

Source: `docs/reference/health-and-metrics.md` section 4.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from pykubeproxy import logger
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.service_health import health_check_response
from pykubeproxy.rules.service_traffic import HealthCheck
from pykubeproxy.web.binding import CannotListen, listen_in_family
from pykubeproxy.web.messages import Request, Response
from pykubeproxy.web.server import Listener, WebThread

log = logger.get()


class HealthCheckFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The health check of a Service cannot be served: a warning event for it, FailedToStartServiceHealthcheck."""

    service: ServiceKey
    port: int
    error: str

    def note(self, node: str) -> str:
        """The event's text."""
        return f'node {node} failed to start healthcheck "{self.service}" on port {self.port}: {self.error}'


class _Place(msgspec.Struct, frozen=True):
    """Where a check is served; `addresses` None is all of the family."""

    port: int
    addresses: tuple[str, ...] | None


class _OpenCheck(msgspec.Struct, frozen=True, kw_only=True):
    place: _Place
    listeners: tuple[Listener, ...]


class CheckServer:
    """The listeners of one family's health checks, opened and closed as Services come and go.

    `serve` and `serves_all` are for the thread that syncs, which is never kept waiting; the web thread does the work.
    """

    def __init__(
        self, family: Family, web: WebThread, health: ProxyHealth | None, on_failed: Callable[[HealthCheckFailed], None]
    ) -> None:
        """`on_failed` is called on the web thread for each check that cannot be served, once until it can be."""
        self._family = family
        self._web = web
        self._health = health
        self._on_failed = on_failed
        # Replaced as a whole, never changed: one thread writes, the other reads.
        self._checks: Mapping[ServiceKey, HealthCheck] = {}
        self._wanted: Mapping[ServiceKey, _Place] = {}
        self._served: Mapping[ServiceKey, _Place] = {}
        self._is_posted = False
        # Used by the web thread only.
        self._open: dict[ServiceKey, _OpenCheck] = {}
        self._failed: frozenset[HealthCheckFailed] = frozenset()

    def serve(self, checks: Mapping[ServiceKey, HealthCheck], addresses: tuple[str, ...] | None) -> None:
        """Soon serve these checks and no others, on `addresses`; None is all of the family.

        A port that cannot be bound is tried again with every call.
        """
        self._checks = dict(checks)
        self._wanted = {service: _Place(check.port, addresses) for service, check in checks.items()}
        if not self.serves_all and not self._is_posted:
            self._is_posted = True
            self._web.post(self._change)

    @property
    def serves_all(self) -> bool:
        """True if what was asked for last is served, and nothing else."""
        return self._wanted == self._served

    def _change(self) -> None:
        # Reset first, so that a change of `_wanted` from now on is posted again.
        self._is_posted = False
        wanted = self._wanted
        # Closed first: a port may pass from one Service to another.
        for service, check in list(self._open.items()):
            if wanted.get(service) != check.place:
                del self._open[service]
                for listener in check.listeners:
                    self._web.remove(listener)
                log.info("health check closed", service=str(service), port=check.place.port, family=self._family)
        known, failed = (
            self._failed,
            [self._listen(key, place) for key, place in wanted.items() if key not in self._open],
        )
        self._failed = frozenset(failure for failure in failed if failure is not None)
        self._served = {service: check.place for service, check in self._open.items()}
        for failure in self._failed - known:
            self._on_failed(failure)

    def _listen(self, service: ServiceKey, place: _Place) -> HealthCheckFailed | None:
        port = place.port
        try:
            sockets = listen_in_family(self._family, place.addresses, port)
        except CannotListen as error:
            log.error("cannot serve a health check", service=str(service), port=port, error=str(error))
            return HealthCheckFailed(service=service, port=port, error=str(error))
        listeners = tuple(Listener(sock, partial(self._answer, service)) for sock in sockets)
        for listener in listeners:
            self._web.add(listener)
        self._open[service] = _OpenCheck(place=place, listeners=listeners)
        log.info("health check opened", service=str(service), port=port, family=self._family)
        return None

    def _answer(self, service: ServiceKey, request: Request) -> Response:
        """Any path and any method get the same answer."""
        del request
        check = self._checks.get(service)
        is_healthy = self._health is None or self._health.is_healthy
        return health_check_response(
            service, 0 if check is None else check.local_endpoints, proxy_is_healthy=is_healthy
        )
