"""ServicePorts whose traffic policy is Local while this node has no endpoint for them: their traffic is dropped.

Counted for a metric (`docs/reference/iptables-rules.md` section 6).
"""

from collections.abc import Iterable
from typing import NamedTuple

from pykubeproxy.model.endpoint import PortKey
from pykubeproxy.model.service import ServiceKey, service_ports
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Refusal, route


class Dropped(NamedTuple):
    """Number of ServicePorts, by the policy that drops their traffic."""

    internal: int
    external: int


_NONE = Dropped(0, 0)


class NoLocalEndpoints:
    """The counts of one family, kept up to date with a Snapshot in proportion to what changes in it."""

    def __init__(self) -> None:
        self._dropped: dict[ServiceKey, Dropped] = {}
        self.total = _NONE
        """The counts over all Services."""

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey], options: RuleOptions) -> None:
        """Take in a change of the Snapshot that touches some Services; all of them, if the options have changed."""
        for key in touched:
            before, after = self._dropped.pop(key, _NONE), _count(snapshot, key, options)
            if any(after):
                self._dropped[key] = after
            self.total = Dropped(
                self.total.internal + after.internal - before.internal,
                self.total.external + after.external - before.external,
            )


def _count(snapshot: Snapshot, key: ServiceKey, options: RuleOptions) -> Dropped:
    service = snapshot.services.get(key)
    if service is None or not (service.internal_traffic_local or service.external_policy_local):
        return _NONE
    by_port = snapshot.endpoints(key, options.family, options.node_name)
    routings = [
        route(port, by_port.get(PortKey(port.name, port.protocol), ()), options)
        for port in service_ports(service, options.family)
    ]
    return Dropped(
        sum(routing.internal.refusal is Refusal.NO_LOCAL_ENDPOINTS for routing in routings),
        sum(routing.external.refusal is Refusal.NO_LOCAL_ENDPOINTS for routing in routings),
    )
