"""The status that a running proxy publishes about itself, updated with each sync."""

import time
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.sync.family import SyncResult
from pykubeproxy.daemon.sync.set_aside import RefusedReport
from pykubeproxy.explain.status.published import (
    MOST_NAMED,
    MOST_REPAIRS,
    FamilySync,
    ObjectSource,
    ProxyStatus,
    RefusedRules,
    Repair,
)
from pykubeproxy.explain.summary import summarize
from pykubeproxy.host.backend import Tools
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.observe.without_endpoints import WithoutEndpointsCounter


class StatusKeeper(Follower):
    """Follows the loop, and gives the status to any thread that asks. `clock` gives seconds since 1970."""

    def __init__(
        self,
        about: ProxyStatus,
        tools: Iterable[Tools],
        *,
        source: Callable[[], ObjectSource],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`about` is what does not change; `source` is called for each request."""
        self._about = about
        self._source = source
        self._clock = clock
        # Replaced as a whole, since another thread may be reading them.
        self._families = {its.family: _beginning(its) for its in tools}
        self._refused: dict[Family, dict[ServiceKey, RefusedRules]] = {family: {} for family in self._families}
        self._without_endpoints = {family: WithoutEndpointsCounter() for family in self._families}
        self._repairs: tuple[Repair, ...] = ()
        self._addresses = about.node_addresses

    def status(self) -> ProxyStatus:
        """The status as of now."""
        return replace(
            self._about,
            node_addresses=self._addresses,
            families=tuple(self._families.values()),
            source=self._source(),
            repairs=self._repairs,
        )

    def synced(self, sync: FinishedSync) -> None:
        """Take note of a sync."""
        node = sync.snapshot.nodes.get(self._about.node_name)
        if node is not None:
            self._addresses = tuple(ip.text for ip in node.ips)
        without_endpoints = self._without_endpoints[sync.family]
        without_endpoints.update(sync.traffic)
        before, now = self._families[sync.family], self._clock()
        if sync.result is None:
            since = before.failing_since if before.failing_since is not None else now
            self._families[sync.family] = replace(before, failing_since=since, error=str(sync.error))
            return
        refused = self._take_refused(sync.family, sync.result.refused)
        summary = summarize(sync.result.plan)
        is_pending = not sync.result.is_written
        self._families[sync.family] = replace(
            before,
            services=len(sync.snapshot.services),
            synced_at=now,
            seconds=sync.seconds,
            failing_since=None,
            error="",
            pending_chains=is_pending * (summary.chains_added + summary.chains_changed + summary.chains_removed),
            pending_rules=is_pending * (summary.rules_added + summary.rules_removed),
            refused=tuple(refused[:MOST_NAMED]),
            refused_count=len(refused),
            ports_refusing=without_endpoints.total.refusing,
            ports_dropping=without_endpoints.total.dropping,
        )
        if sync.result.drifted:
            self._repairs = (*self._repairs, _repair(sync, sync.result, now))[-MOST_REPAIRS:]

    def _take_refused(self, family: Family, report: RefusedReport) -> Sequence[RefusedRules]:
        refused = self._refused[family]
        for service in report.back:
            refused.pop(service, None)
        for each in report.new:
            refused[each.service] = RefusedRules(service=str(each.service), cause=each.cause, module=each.module)
        return tuple(refused.values())


def _beginning(tools: Tools) -> FamilySync:
    return FamilySync(
        family=tools.family,
        backend=tools.backend,
        tool=tools.program,
        tool_version=tools.version_text,
    )


def _repair(sync: FinishedSync, result: SyncResult, now: float) -> Repair:
    cause = sync.cause
    return Repair(
        time=now,
        family=sync.family,
        chains=tuple(f"{table} {chain}" for table, chain in result.drifted[:MOST_NAMED]),
        chain_count=len(result.drifted),
        program=cause.program if cause is not None else "",
        pid=cause.pid if cause is not None else 0,
    )
