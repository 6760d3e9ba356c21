"""Health checks of Services: whether this node has endpoints of its own for a load balancer's traffic.

A Service of type LoadBalancer with externalTrafficPolicy Local has a port on which the load balancer asks every node.
Source: `docs/reference/health-and-metrics.md` section 4, `docs/reference/endpoints.md` section 9,
`docs/reference/services.md` section 10.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey, service_ports
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.web.messages import JSON, NOSNIFF, Response


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked on which port: the number of ready endpoints on this node, each address counted once."""

    port: int
    local_endpoints: int


class HealthChecks:
    """The health checks of one family, kept up to date with a Snapshot in proportion to what changes in it."""

    def __init__(self, family: Family, node_name: str) -> None:
        self._family = family
        self._node_name = node_name
        self._checks: dict[ServiceKey, HealthCheck] = {}

    @property
    def checks(self) -> dict[ServiceKey, HealthCheck]:
        """All health checks as of now; the caller's own copy."""
        return dict(self._checks)

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> bool:
        """Take in a change of the Snapshot that touches some Services; True if it changes any check."""
        is_other = False
        for key in touched:
            before, after = self._checks.pop(key, None), self._check(snapshot, key)
            if after is not None:
                self._checks[key] = after
            is_other |= before != after
        return is_other

    def _check(self, snapshot: Snapshot, key: ServiceKey) -> HealthCheck | None:
        service = snapshot.services.get(key)
        if service is None or not service.health_check_node_port:
            return None
        port = next((port.health_check_node_port for port in service_ports(service, self._family)), 0)
        if not port:
            return None
        by_port = snapshot.endpoints(key, self._family, self._node_name)
        ready = {one.ip for endpoints in by_port.values() for one in endpoints if one.is_local and one.ready}
        return HealthCheck(port=port, local_endpoints=len(ready))


def health_check_response(service: ServiceKey, local_endpoints: int, *, proxy_is_healthy: bool) -> Response:
    """What a load balancer is told. It weighs the nodes by the header."""
    body = {
        "service": {"namespace": service.namespace, "name": service.name},
        "localEndpoints": local_endpoints,
        "serviceProxyHealthy": proxy_is_healthy,
    }
    return Response(
        status=HTTPStatus.OK if local_endpoints and proxy_is_healthy else HTTPStatus.SERVICE_UNAVAILABLE,
        content_type=JSON,
        headers=(NOSNIFF, ("X-Load-Balancing-Endpoint-Weight", str(local_endpoints))),
        body=json.dumps(body, indent="\t").encode(),
    )
