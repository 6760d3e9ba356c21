"""Whether this proxy keeps up: what /healthz and /livez answer.

Source: `docs/reference/health-and-metrics.md` sections 2 and 3.

A family is unhealthy if a sync of it has been due for too long. One for which no sync is due is healthy, however long
ago its last sync was.
"""

from http import HTTPStatus

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.observe.clock import NEVER, Clock, Timestamp, now, rfc3339
from pykubeproxy.web.messages import Response, json_response


class FamilyStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One family in a report."""

    last_updated: str
    healthy: bool


class ProxyHealth:
    """The health of one proxy. Each change is one operation on a dict, so any thread may ask at any time.

    `timeout`, in seconds, is how long a sync may be due: twice the syncPeriod.
    """

    def __init__(self, timeout: float, clock: Clock = now) -> None:
        self._timeout = timeout
        self._clock = clock
        self._last_updated: dict[Family, Timestamp] = {}
        self._oldest_queued: dict[Family, float] = {}
        self._node: Node | None = None

    def updated(self, family: Family) -> None:
        """The rules of a family are up to date: at the start of its sync loop, and after each successful sync."""
        self._last_updated[family] = self._clock()
        self._oldest_queued.pop(family, None)

    def queued(self, family: Family) -> None:
        """A change asks for a sync of a family."""
        self._oldest_queued.setdefault(family, self._clock().monotonic)

    def saw_node(self, node: Node) -> None:
        """This node's Node object is new or different. When it is removed, the last one still counts."""
        self._node = node

    @property
    def is_healthy(self) -> bool:
        """True if no family has been waiting for too long."""
        return self._is_healthy(self._clock())

    @property
    def is_eligible(self) -> bool:
        """True if load balancers may send new traffic to this node: its Node object exists and stays."""
        return self._node is not None and not self._node.being_deleted

    def livez(self) -> Response:
        """What /livez answers: whether the proxy is healthy."""
        moment = self._clock()
        is_healthy = self._is_healthy(moment)
        return self._report(moment, is_good=is_healthy, healthy=is_healthy)

    def healthz(self) -> Response:
        """What /healthz answers: whether the proxy is healthy, and the node should get new traffic."""
        moment = self._clock()
        is_healthy, is_eligible = self._is_healthy(moment), self.is_eligible
        return self._report(moment, is_good=is_healthy and is_eligible, nodeEligible=is_eligible, healthy=is_healthy)

    def _report(self, moment: Timestamp, *, is_good: bool, **verdicts: bool) -> Response:
        latest = max((update.wall for update in list(self._last_updated.values())), default=None)
        status = {
            family: FamilyStatus(last_updated=rfc3339(update.wall), healthy=not self._is_overdue(family, moment))
            for family in Family
            if (update := self._last_updated.get(family)) is not None
        }
        body = {
            "lastUpdated": rfc3339(moment.wall) if is_good else NEVER if latest is None else rfc3339(latest),
            "currentTime": rfc3339(moment.wall),
            **verdicts,
            "status": status,
        }
        return json_response(msgspec.json.encode(body), HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE)

    def _is_healthy(self, moment: Timestamp) -> bool:
        return not any(self._is_overdue(family, moment) for family in Family)

    def _is_overdue(self, family: Family, moment: Timestamp) -> bool:
        queued = self._oldest_queued.get(family)
        return family in self._last_updated and queued is not None and moment.monotonic - queued >= self._timeout
