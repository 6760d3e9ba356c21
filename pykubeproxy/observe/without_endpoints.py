"""ServicePorts whose connections are refused or dropped, since they have no endpoints, or none on this node.

Counted for a metric (`docs/reference/iptables-rules.md` section 6) and for the status.
"""

from collections.abc import Mapping

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.rules.service_traffic import ServiceTraffic, WithoutEndpoints

_NONE = WithoutEndpoints()


class WithoutEndpointsCounter:
    """The counts of one family; `total` is over all Services."""

    def __init__(self) -> None:
        self._counts: dict[ServiceKey, WithoutEndpoints] = {}
        self.total = _NONE

    def update(self, services: Mapping[ServiceKey, ServiceTraffic]) -> None:
        """Take in how some Services are routed now."""
        for key, traffic in services.items():
            before, after = self._counts.pop(key, _NONE), traffic.without_endpoints
            if any(after):
                self._counts[key] = after
            if after != before:
                changes = zip(self.total, after, before, strict=True)
                self.total = WithoutEndpoints(*(total + new - old for total, new, old in changes))
