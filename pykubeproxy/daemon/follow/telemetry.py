"""What the loop does, told to metrics, health, and the health checks of Services."""

import time
from collections import deque
from collections.abc import Collection, Iterable

import structlog

from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.follow.check_addresses import CheckAddresses
from pykubeproxy.daemon.follower import Follower, Outcome
from pykubeproxy.daemon.sync.family import Synced
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, ServiceKey
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.no_local_endpoints import NoLocalEndpoints
from pykubeproxy.observe.servers import Servers
from pykubeproxy.observe.service_health import HealthChecks
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.traffic.connections import rule_owners

log = structlog.get_logger()


# Changes of one Service that may wait for a sync. Before the first one, which may be long in coming, each would add
# to what is remembered.
_REMEMBERED_CHANGES = 100


class ProgrammingTimes:
    """How long changes of endpoints take to become rules, per family that is served.

    Source: `docs/reference/endpoints.md` section 10.

    Only changes that a sync will take are remembered: none of other families, and the newest ones of each Service.
    """

    def __init__(self, families: Iterable[Family], since: float) -> None:
        """Changes that happened before `since`, in seconds since 1970, are another process's."""
        self._since = since
        self._waiting: dict[Family, dict[ServiceKey, deque[float]]] = {family: {} for family in families}

    def changed(self, slice_: EndpointSlice) -> None:
        """A slice has changed."""
        waiting = self._waiting.get(slice_.family)
        if waiting is not None and slice_.triggered_at is not None and slice_.triggered_at > self._since:
            times = waiting.setdefault(slice_.service, deque(maxlen=_REMEMBERED_CHANGES))
            times.append(slice_.triggered_at)

    def removed(self, slice_: EndpointSlice) -> None:
        """A slice is gone, and with it, as in kube-proxy, all that its Service waits for, in other slices as well."""
        self._waiting.get(slice_.family, {}).pop(slice_.service, None)

    def take(self, family: Family, now: float) -> Iterable[float]:
        """The seconds that the changes of one family have waited, which have now been synced."""
        waiting, self._waiting[family] = self._waiting[family], {}
        return [now - then for times in waiting.values() for then in times]


class Telemetry(Follower):
    """Follows the loop for those who ask how it is doing."""

    def __init__(  # noqa: PLR0913  all those who are told
        self,
        *,
        families: Collection[Family],
        node_name: str,
        metrics: Metrics,
        health: ProxyHealth,
        servers: Servers,
        check_addresses: CheckAddresses,
    ) -> None:
        self._families = families
        self._node_name = node_name
        self._metrics = metrics
        self._health = health
        self._servers = servers
        self._check_addresses = check_addresses
        self._checks = {family: HealthChecks(family, node_name) for family in families}
        self._local = {family: NoLocalEndpoints() for family in families}
        self._times = ProgrammingTimes(families, time.time())
        self._options: dict[Family, RuleOptions] = {}
        self._pending: set[ServiceKey] = set()
        self._has_synced: set[Family] = set()
        self._unserved = set(families)
        self._served_on: dict[Family, tuple[str, ...] | None] = {}

    def started(self) -> None:
        """The loop begins; until the first sync, that counts as being up to date."""
        for family in self._families:
            self._metrics.queued(family)
            self._health.updated(family)

    def took(self, change: ObjectChanges, touched: Collection[ServiceKey]) -> None:
        """Count what came in, and that it waits for a sync."""
        for obj in change.put:
            if isinstance(obj, Node):
                if obj.name == self._node_name:
                    self._health.saw_node(obj)
            elif isinstance(obj, Service):
                self._service_changed(obj.key, touched)
            else:
                is_change = obj.service in touched
                if is_change:
                    self._times.changed(obj)
                self._metrics.slice_changed(is_change=is_change)
        for name in change.removed:
            if name.kind == "Service":
                self._service_changed(ServiceKey(name.namespace, name.name), touched)
            elif name.kind == "EndpointSlice":
                self._metrics.slice_changed(is_change=True)

    def lost(self, slices: Collection[EndpointSlice]) -> None:
        """Nobody waits for what they brought."""
        for slice_ in slices:
            self._times.removed(slice_)

    def asked(self) -> None:
        """A sync is due from now on."""
        for family in self._families:
            self._queued(family)

    def synced(self, outcome: Outcome) -> None:
        """Tell how a sync went."""
        self._pending.clear()
        self._metrics.drained()
        if self._checks[outcome.family].update(outcome.snapshot, outcome.touched):
            self._unserved.add(outcome.family)
        self._local[outcome.family].update(outcome.snapshot, self._concerned(outcome), outcome.proxy.options)
        for refusal in outcome.refused_plans:
            self._metrics.restore_failed(outcome.family, is_full=refusal.is_full)
        waited = self._times.take(outcome.family, time.time())
        if outcome.synced is None:
            is_full = all(refusal.is_full for refusal in outcome.refused_plans)
            self._metrics.sync_failed(outcome.family, seconds=outcome.seconds, is_full=is_full)
            # Whatever it was for, be it the first one or a repair, is due from now on: if it goes on failing, the node
            # is not healthy.
            self._queued(outcome.family)
            return
        self._read(outcome, outcome.synced)
        if outcome.synced.is_written:
            self._written(outcome, outcome.synced)
            for seconds in waited:
                self._metrics.programmed(outcome.family, seconds)

    def _queued(self, family: Family) -> None:
        self._metrics.queued(family)
        self._health.queued(family)

    def _concerned(self, outcome: Outcome) -> Collection[ServiceKey]:
        """The Services for which it may have changed whether they have local endpoints: all, with other options."""
        options = outcome.proxy.options
        if self._options.get(outcome.family) == options:
            return outcome.touched
        self._options[outcome.family] = options
        return outcome.snapshot.services

    def _service_changed(self, key: ServiceKey, touched: Collection[ServiceKey]) -> None:
        if key in touched:
            self._pending.add(key)
        self._metrics.service_changed(len(self._families), len(self._pending))

    def _read(self, outcome: Outcome, synced: Synced) -> None:
        """Tell what a sync has found."""
        family = outcome.family
        if synced.was_read:
            self._metrics.counters_read(
                family,
                synced.counters,
                lambda: rule_owners(outcome.snapshot, outcome.proxy.options, outcome.proxy.desired),
            )
        self._metrics.planned(family, synced.plan, outcome.proxy.rule_counts)
        if synced.drifted:
            program = outcome.cause.program if outcome.cause is not None else ""
            self._metrics.drift_detected(family, program)
            self._metrics.drift_repaired(family, program)
        self._health.updated(family)

    def _written(self, outcome: Outcome, synced: Synced) -> None:
        """Tell what a sync has done. In shadow mode the proxy in charge does that, and serves the health checks."""
        family = outcome.family
        self._metrics.synced(family, synced.plan, seconds=outcome.seconds, is_full=synced.was_read)
        self._metrics.services_refused(family, synced.refused.services)
        if synced.is_sectioned:
            self._metrics.restored_in_sections(family)
        if family not in self._has_synced:
            self._has_synced.add(family)
            self._metrics.adopted(family, synced.plan, outcome.proxy.desired)
        self._metrics.dropped_without_local_endpoints(family, self._local[family].total)
        self._serve_checks(family, outcome.snapshot.nodes.get(self._node_name))

    def _serve_checks(self, family: Family, node: Node | None) -> None:
        """Serve the health checks of Services, if any of them, or their addresses, are others than before.

        Those that could not be served are tried again.
        """
        addresses = self._check_addresses(node, family)
        is_as_before = family not in self._unserved and self._served_on[family] == addresses
        if is_as_before and self._servers.serves_all_checks(family):
            return
        self._servers.serve_checks(family, self._checks[family].checks, addresses)
        self._served_on[family] = addresses
        self._unserved.discard(family)
