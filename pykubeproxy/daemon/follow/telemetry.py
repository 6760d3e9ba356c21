"""Reports what the loop does to the metrics, to /healthz, and to the health checks of Services."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable

from pykubeproxy import logger
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.sync.family import SyncResult
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, ServiceKey
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.servers import Servers
from pykubeproxy.observe.service_health import HealthChecks
from pykubeproxy.observe.without_endpoints import WithoutEndpointsCounter
from pykubeproxy.traffic.connections import rule_owners

log = logger.get()


# So many changes of one Service are remembered until the next sync. Without a limit, memory would grow until the first
# sync, which may come late.
_REMEMBERED_CHANGES = 100


class ProgrammingTimes:
    """How long changes of endpoints take to become rules, per family that is served.

    Source: `docs/reference/endpoints.md` section 10.

    Of each Service, only the newest changes are remembered.
    """

    def __init__(self, families: Iterable[Family], since: float) -> None:
        """Changes before `since`, in seconds since 1970, are not counted: another process has synced them."""
        self._since = since
        self._waiting: dict[Family, dict[ServiceKey, deque[float]]] = {family: {} for family in families}

    def changed(self, slice_: EndpointSlice) -> None:
        """A slice was added or changed."""
        waiting = self._waiting.get(slice_.family)
        if waiting is not None and slice_.triggered_at is not None and slice_.triggered_at > self._since:
            times = waiting.setdefault(slice_.service, deque(maxlen=_REMEMBERED_CHANGES))
            times.append(slice_.triggered_at)

    def removed(self, slice_: EndpointSlice) -> None:
        """A slice was removed. As in kube-proxy, all changes of its Service are dropped, those of other slices too."""
        self._waiting.get(slice_.family, {}).pop(slice_.service, None)

    def take(self, family: Family, now: float) -> Iterable[float]:
        """The seconds that each change of a family, which has been synced now, has waited."""
        waiting, self._waiting[family] = self._waiting[family], {}
        return [now - then for times in waiting.values() for then in times]


AddressesFor = Callable[[Node | None, Family], tuple[str, ...] | None]
"""The addresses of a family on which health checks are answered, given this node's Node object, if there is one; None
for all. May raise HostError."""


class Telemetry(Follower):
    """Follows the loop for metrics, health, and health checks of Services.

    `check_addresses` is called after each sync, since the node's addresses may change; kube-proxy finds them once
    (`docs/reference/health-and-metrics.md` section 4).
    """

    def __init__(  # noqa: PLR0913  all those that get reports
        self,
        *,
        families: Collection[Family],
        node_name: str,
        metrics: Metrics,
        health: ProxyHealth,
        servers: Servers,
        check_addresses: AddressesFor,
    ) -> None:
        self._families = families
        self._node_name = node_name
        self._metrics = metrics
        self._health = health
        self._servers = servers
        self._check_addresses = check_addresses
        self._checks = {family: HealthChecks() for family in families}
        self._without_endpoints = {family: WithoutEndpointsCounter() for family in families}
        self._times = ProgrammingTimes(families, time.time())
        self._pending: set[ServiceKey] = set()
        self._has_synced: set[Family] = set()
        self._unserved = set(families)
        self._served_on: dict[Family, tuple[str, ...] | None] = {}

    def started(self) -> None:
        """The loop begins. Until the first sync, the node counts as up to date from now on."""
        for family in self._families:
            self._metrics.queued(family)
            self._health.updated(family)

    def objects_changed(self, change: ObjectChanges, touched: Collection[ServiceKey]) -> None:
        """Count the objects, and the changes that wait for a sync."""
        for obj in change.put:
            if isinstance(obj, Node):
                if obj.name == self._node_name:
                    self._health.saw_node(obj)
            elif isinstance(obj, Service):
                self._service_changed(obj.key, touched)
            elif isinstance(obj, EndpointSlice):
                is_change = obj.service in touched
                if is_change:
                    self._times.changed(obj)
                self._metrics.slice_changed(is_change=is_change)
        for name in change.removed:
            if name.kind == "Service":
                self._service_changed(ServiceKey(name.namespace, name.name), touched)
            elif name.kind == "EndpointSlice":
                self._metrics.slice_changed(is_change=True)

    def slices_removed(self, slices: Collection[EndpointSlice]) -> None:
        """Drop the changes of their Services."""
        for slice_ in slices:
            self._times.removed(slice_)

    def sync_requested(self) -> None:
        """From now on, /healthz waits for a sync."""
        for family in self._families:
            self._queued(family)

    def synced(self, sync: FinishedSync) -> None:
        """Report how a sync went."""
        self._pending.clear()
        self._metrics.drained()
        if self._checks[sync.family].update(sync.traffic):
            self._unserved.add(sync.family)
        self._without_endpoints[sync.family].update(sync.traffic)
        for refusal in sync.refused_plans:
            self._metrics.restore_failed(sync.family, is_full=refusal.is_full)
        waited = self._times.take(sync.family, time.time())
        if sync.result is None:
            is_full = all(refusal.is_full for refusal in sync.refused_plans)
            self._metrics.sync_failed(sync.family, seconds=sync.seconds, is_full=is_full)
            # Also if nobody had requested it, as the first sync or a repair: if syncs go on failing, the node is not
            # healthy.
            self._queued(sync.family)
            return
        self._read(sync, sync.result)
        if sync.result.is_written:
            self._written(sync, sync.result)
            for seconds in waited:
                self._metrics.programmed(sync.family, seconds)

    def _queued(self, family: Family) -> None:
        self._metrics.queued(family)
        self._health.queued(family)

    def _service_changed(self, key: ServiceKey, touched: Collection[ServiceKey]) -> None:
        if key in touched:
            self._pending.add(key)
        self._metrics.service_changed(len(self._families), len(self._pending))

    def _read(self, sync: FinishedSync, result: SyncResult) -> None:
        """Report what a sync has found."""
        family = sync.family
        if result.was_read:
            self._metrics.counters_read(
                family,
                result.counters,
                lambda: rule_owners(sync.snapshot, sync.proxy.options, sync.proxy.desired),
                sync.proxy.desired,
            )
        self._metrics.planned(family, result.plan, sync.proxy.rule_counts)
        if result.drifted:
            program = sync.cause.program if sync.cause is not None else ""
            self._metrics.drift_detected(family, program)
            self._metrics.drift_repaired(family, program)
        self._health.updated(family)

    def _written(self, sync: FinishedSync, result: SyncResult) -> None:
        """Report what a sync has written. Not in shadow mode: there, another proxy writes and serves health checks."""
        family = sync.family
        self._metrics.synced(family, result.plan, seconds=sync.seconds, is_full=result.was_read)
        self._metrics.services_refused(family, result.refused.services)
        if result.is_sectioned:
            self._metrics.restored_in_sections(family)
        if family not in self._has_synced:
            self._has_synced.add(family)
            self._metrics.adopted(family, result.plan, sync.proxy.desired)
        self._metrics.dropped_without_local_endpoints(family, self._without_endpoints[family].total)
        self._serve_checks(family, sync.snapshot.nodes.get(self._node_name))

    def _serve_checks(self, family: Family, node: Node | None) -> None:
        """Serve the health checks of Services, if checks or addresses have changed, or some failed before."""
        addresses = self._addresses(node, family)
        is_as_before = family not in self._unserved and self._served_on[family] == addresses
        if is_as_before and self._servers.serves_all_checks(family):
            return
        self._servers.serve_checks(family, self._checks[family].checks, addresses)
        self._served_on[family] = addresses
        self._unserved.discard(family)

    def _addresses(self, node: Node | None, family: Family) -> tuple[str, ...] | None:
        """The addresses on which to serve health checks; None for all.

        If the node's addresses cannot be read, they are as before; at first all, as in kube-proxy.
        """
        try:
            return self._check_addresses(node, family)
        except HostError as error:
            log.warning("cannot look at the node's addresses; health checks stay where they are", error=str(error))
            return self._served_on.get(family)
