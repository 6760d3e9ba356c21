"""ServicePorts whose traffic policy is Local while this node has no endpoint for them: their traffic is dropped.

Counted for a metric (`docs/reference/iptables-rules.md` section 6).
"""

from collections.abc import Mapping

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.rules.service_traffic import Dropped, ServiceTraffic

_NONE = Dropped()


class DroppedTraffic:
    """The counts of one family; `total` is over all Services."""

    def __init__(self) -> None:
        self._dropped: dict[ServiceKey, Dropped] = {}
        self.total = _NONE

    def update(self, services: Mapping[ServiceKey, ServiceTraffic]) -> None:
        """Take in how some Services are routed now."""
        for key, traffic in services.items():
            before, after = self._dropped.pop(key, _NONE), traffic.dropped
            if any(after):
                self._dropped[key] = after
            self.total = Dropped(
                self.total.internal + after.internal - before.internal,
                self.total.external + after.external - before.external,
            )
