"""What the program counts and measures: one short call for each thing that happens.

The loop, the watchers and the health server call the methods; the metrics server reads. Any thread may do either, but
`counters_read` and `synced` have to be called by one thread.
"""

import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from pykubeproxy.config.gates import FeatureGates
from pykubeproxy.explain.summary import summarize
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.about import build
from pykubeproxy.observe.collectors import (
    BuildCollector,
    ConnectionCollector,
    ConntrackCollector,
    GateCollector,
    LocalhostCollector,
)
from pykubeproxy.observe.series import OwnSeries, ServerSeries, SyncSeries
from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import TABLES, Ruleset
from pykubeproxy.rules.service_traffic import WithoutEndpoints
from pykubeproxy.traffic.connections import OTHER, ConnectionCounter, Limits, Owners
from pykubeproxy.traffic.counters import Reading

# Programs that change rules are few; something that changes its name at every run must not make endless series.
_MAX_CAUSES = 20


class Metrics:
    """All metrics of the process.

    `limits` bounds the series of connections; `clock` gives seconds since 1970.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._sync = SyncSeries(self.registry)
        self._servers = ServerSeries(self.registry)
        self._own = OwnSeries(self.registry)
        self._causes: set[str] = set()
        self._connections = {family: ConnectionCounter(limits or Limits()) for family in Family}
        self.registry.register(ConnectionCollector(self._connections))
        self._table = ConntrackCollector()
        self.registry.register(self._table)
        self.registry.register(BuildCollector(build()))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def uses_gates(self, gates: FeatureGates) -> None:
        """These feature gates are in force. Called once."""
        self.registry.register(GateCollector(gates))

    def counts_localhost(self, packets: Callable[[], int | None]) -> None:
        """The kernel counts packets to node ports on localhost, and `packets` reads how many. Called once."""
        self.registry.register(LocalhostCollector(packets))

    def service_changed(self, families: int, pending: int) -> None:
        """A Service event for so many families; `pending` Services wait for a sync."""
        self._sync.services.inc(families)
        self._sync.services_pending.set(pending)

    def slice_changed(self, *, is_change: bool) -> None:
        """An EndpointSlice event; `is_change` if it differs from what was known."""
        self._sync.endpoints.inc()
        if is_change:
            self._sync.endpoints_pending.inc()

    def drained(self) -> None:
        """A sync has taken in all pending changes."""
        self._sync.services_pending.set(0)
        self._sync.endpoints_pending.set(0)

    def queued(self, family: Family) -> None:
        """A sync is requested; also called at the start of the loop."""
        self._sync.last_queued.labels(family).set(self._clock())

    def planned(self, family: Family, plan: Plan, rule_counts: Mapping[str, int]) -> None:
        """A sync has made `plan`; `rule_counts` are the rules that there are to be in chains of our own, by table."""
        for table in TABLES:
            self._sync.rules.labels(table, family).set(rule_counts[table])
            written = sum(len(change.after or ()) for change in plan.chains if change.table == table)
            self._sync.rules_written.labels(table, family).set(written)
        summary = summarize(plan)
        chains = summary.chains_added + summary.chains_changed + summary.chains_removed
        rules = summary.rules_added + summary.rules_removed
        self._own.pending_chains.labels(family).set(chains)
        self._own.pending_rules.labels(family).set(rules)
        if not plan.is_empty:
            self._own.plan_chains.labels(family).observe(chains)
            self._own.plan_rules.labels(family).observe(rules)

    def synced(self, family: Family, plan: Plan, *, seconds: float, is_full: bool) -> None:
        """A sync has succeeded with the `plan` given to `planned`. `is_full`: it compared with the live rules."""
        self._timed(family, seconds, is_full=is_full)
        self._sync.last.labels(family).set(self._clock())
        self._connections[family].rewritten((change.table, change.chain) for change in plan.chains)
        self.in_sync(family)

    def sync_failed(self, family: Family, *, seconds: float, is_full: bool) -> None:
        """A sync has failed, for whatever reason."""
        self._timed(family, seconds, is_full=is_full)

    def restore_failed(self, family: Family, *, is_full: bool) -> None:
        """iptables-restore has refused a Plan; the sync may still have succeeded with another one."""
        self._sync.restore_failures.labels(family).inc()
        if not is_full:
            self._sync.partial_restore_failures.labels(family).inc()

    def restored_in_sections(self, family: Family) -> None:
        """A Plan was so large that it was committed in sections."""
        self._own.sectioned.labels(family).inc()

    def services_refused(self, family: Family, number: int) -> None:
        """A sync has left so many Services as they were, since the node refuses their rules."""
        self._own.refused_services.labels(family).set(number)

    def in_sync(self, family: Family) -> None:
        """The rules in the kernel are as they should be: written by a sync, or found so when they were read."""
        self._own.last_in_sync.labels(family).set(self._clock())
        self._own.pending_chains.labels(family).set(0)
        self._own.pending_rules.labels(family).set(0)

    def adopted(self, family: Family, plan: Plan, desired: Ruleset) -> None:
        """The first sync of a family has taken over what it found."""
        summary = summarize(plan)
        total = sum(len(table.chains) for table in desired.tables.values())
        for result, number in (
            ("kept", total - summary.chains_added - summary.chains_changed),
            ("added", summary.chains_added),
            ("changed", summary.chains_changed),
            ("removed", summary.chains_removed),
        ):
            self._own.adopted.labels(family, result).set(number)

    def dropped_without_local_endpoints(self, family: Family, counts: WithoutEndpoints) -> None:
        """So many ServicePorts have policy Local and no endpoint on this node. Called after a sync."""
        self._sync.no_local_endpoints.labels("internal", family).set(counts.internal)
        self._sync.no_local_endpoints.labels("external", family).set(counts.external)

    def programmed(self, family: Family, seconds: float) -> None:
        """A change of endpoints has become rules, so long after it happened."""
        self._sync.programming_seconds.labels(family).observe(seconds)

    def drift_detected(self, family: Family, cause: str) -> None:
        """Another program, named `cause`, has changed rules of ours; empty if it is not known which."""
        self._own.drift_detected.labels(family, self._cause(cause)).inc()

    def drift_repaired(self, family: Family, cause: str) -> None:
        """Such a change was undone."""
        self._own.drift_repaired.labels(family, self._cause(cause)).inc()

    def conntrack_reconciled(self, family: Family, *, seconds: float, deleted: int) -> None:
        """Stale conntrack entries were looked for, and `deleted`."""
        self._servers.conntrack_seconds.labels(family).observe(seconds)
        self._servers.conntrack_deleted.labels(family).inc(deleted)

    def connections_tracked(self, *, entries: int, limit: int, dropped: int) -> None:
        """The kernel's table of connections was looked at; `dropped` counts packets since boot."""
        self._table.saw(entries, limit, dropped)

    def counters_read(self, family: Family, reading: Reading, owners: Owners, rules: Ruleset) -> None:
        """The counters of the rules were read, before any sync that comes after. `rules` are those that should be."""
        self._connections[family].take(reading, owners, rules)

    def healthz_answered(self, status: int) -> None:
        """/healthz was asked for."""
        self._servers.healthz.labels(int(status)).inc()

    def livez_answered(self, status: int) -> None:
        """/livez was asked for."""
        self._servers.livez.labels(int(status)).inc()

    def api_answered(self, host: str, method: str, code: str) -> None:
        """A request to the API server has ended; `code` is the HTTP status, or `<error>` if there was no answer."""
        self._servers.api_requests.labels(code, host, method).inc()

    def api_request_took(self, host: str, method: str, seconds: float) -> None:
        """A request that is not a watch has taken so long."""
        self._servers.api_seconds.labels(host, method).observe(seconds)

    def _timed(self, family: Family, seconds: float, *, is_full: bool) -> None:
        kind = self._sync.full_seconds if is_full else self._sync.partial_seconds
        for histogram in (self._sync.seconds, kind):
            histogram.labels(family).observe(seconds)

    def _cause(self, name: str) -> str:
        if len(self._causes) < _MAX_CAUSES:
            self._causes.add(name)
        return (name or "unknown") if name in self._causes else OTHER
