"""Health checks of Services: whether this node has endpoints of its own for a load balancer's traffic.

A Service of type LoadBalancer with externalTrafficPolicy Local has a port on which the load balancer asks every node.
Source: `docs/reference/health-and-metrics.md` section 4, `docs/reference/endpoints.md` section 9,
`docs/reference/services.md` section 10.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.rules.service_traffic import HealthCheck, ServiceTraffic
from pykubeproxy.web.messages import JSON, NOSNIFF, Response


class HealthChecks:
    """The health checks of one family, by Service."""

    def __init__(self) -> None:
        self._checks: dict[ServiceKey, HealthCheck] = {}

    @property
    def checks(self) -> dict[ServiceKey, HealthCheck]:
        """All health checks as of now; the caller's own copy."""
        return dict(self._checks)

    def update(self, services: Mapping[ServiceKey, ServiceTraffic]) -> bool:
        """Take in how some Services are routed now; True if that changes any check."""
        is_other = False
        for key, traffic in services.items():
            before, after = self._checks.pop(key, None), traffic.health_check
            if after is not None:
                self._checks[key] = after
            is_other |= before != after
        return is_other


def health_check_response(service: ServiceKey, local_endpoints: int, *, proxy_is_healthy: bool) -> Response:
    """The answer to a load balancer, which uses the header as the weight of this node."""
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
