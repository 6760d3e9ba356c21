"""Removes stale UDP flows from the kernel's conntrack table after a sync.

Rules decide about new flows only. For a flow that exists already, the kernel remembers the endpoint, though it may be
gone (`flows.stale` says which flows are stale). The table may be large, so a thread of its own reads it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from pykubeproxy import logger
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.flows.live_frontends import live_udp_frontends
from pykubeproxy.flows.stale import FlowCheck, UdpFrontends
from pykubeproxy.host.conntrack import ConntrackTable, DeletionResult
from pykubeproxy.host.errors import HostError, ReadOnly
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import Ruleset

log = logger.get()

# Seconds after which the table is read once more.
_AGAIN_AFTER = 1.0

OnRemoval = Callable[[Family, DeletionResult, float], None]
"""Called with the result of a pass over the flows of one family, and the seconds that it took."""


class FlowCleaner(Follower):
    """Follows syncs, and gives a thread the checks of UDP flows that they make necessary."""

    def __init__(
        self, table: ConntrackTable, node_addresses: Callable[[], tuple[IP, ...]], on_removal: OnRemoval | None = None
    ) -> None:
        self._frontends: dict[Family, UdpFrontends] = {}
        self._unsynced: dict[Family, FlowCheck] = {}
        self._has_synced: set[Family] = set()
        self._worker = _Worker(table, node_addresses, on_removal)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def finish(self) -> None:
        """Do the checks that wait, once; then end the thread, and wait for that."""
        self._worker.finish()

    def close(self) -> None:
        """End the thread, and drop the checks that wait."""
        self._worker.stop()

    def synced(self, sync: FinishedSync) -> None:
        """Have the flows of the touched Services checked, as soon as their rules are in force."""
        family = sync.family
        frontends = self._frontends.setdefault(family, UdpFrontends(family))
        check = frontends.update(sync.traffic)
        if sync.result is not None and family not in self._has_synced:
            # Also the frontends that another proxy, or an earlier run, has served.
            check = check.then(frontends.check(live_udp_frontends(_before(sync.result.plan))))
            self._has_synced.add(family)
        if sync.result is not None and sync.result.drifted:
            # Flows that began while rules were missing were not translated, and never would be.
            check = check.then(frontends.everything())
        waiting = self._unsynced.pop(family, None)
        if waiting is not None:
            check = waiting.then(check)
        if sync.result is None:
            self._unsynced[family] = check
        elif not check.is_empty:
            self._worker.put(check)


def _before(plan: Plan) -> Ruleset:
    """The rules that a Plan replaces or removes: in a first sync, also those of Services that were deleted before."""
    ruleset = Ruleset(tables={})
    for change in plan.chains:
        ruleset.table(change.table).chains[change.chain] = change.before or ()
    return ruleset


class _Worker:
    """A thread that does checks; those of one family that wait are done as one.

    Each is done twice, a second apart: the first pass misses a flow whose packet had passed the old rules, but was not
    yet in the table.
    """

    def __init__(
        self, table: ConntrackTable, node_addresses: Callable[[], tuple[IP, ...]], on_removal: OnRemoval | None
    ) -> None:
        self._table = table
        self._node_addresses = node_addresses
        self._on_removal = on_removal
        self._inbox: SimpleQueue[FlowCheck | None] = SimpleQueue()
        self._is_hurried = False
        self._thread = threading.Thread(target=self._run, name="conntrack", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    def stop(self) -> None:
        self._is_hurried = True
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def put(self, check: FlowCheck) -> None:
        self._inbox.put(check)

    def _run(self) -> None:
        again: dict[Family, FlowCheck] = {}
        while True:
            checks = list(self._receive(_AGAIN_AFTER if again else None))
            is_last = None in checks
            if is_last and self._is_hurried:
                return
            fresh = _merged(check for check in checks if check is not None)
            for check in (fresh or again).values():
                self._clean(check)
            if is_last:
                return
            again = _merged([*again.values(), *fresh.values()]) if fresh else {}

    def _receive(self, timeout: float | None) -> Iterator[FlowCheck | None]:
        """Wait for a check up to `timeout` seconds, then take all that have come together."""
        try:
            yield self._inbox.get(timeout=timeout)
            while True:
                yield self._inbox.get_nowait()
        except Empty:
            return

    def _clean(self, check: FlowCheck) -> None:
        start = time.monotonic()
        try:
            removal = self._table.remove_stale(check.on_node(self._node_addresses()))
        except ReadOnly as refusal:
            log.info("stale UDP flows found", family=check.family, why_not_removed=str(refusal))
            return
        except HostError as error:
            log.error("cannot clean up stale UDP flows", family=check.family, error=str(error))
            return
        if self._on_removal is not None:
            self._on_removal(check.family, removal, time.monotonic() - start)
        if removal.deleted or removal.refused:
            refused = ", ".join(f"{count} x {why}" for why, count in removal.refused.items()) or None
            log.info("stale UDP flows removed", family=check.family, flows=removal.deleted, refused=refused)


def _merged(checks: Iterable[FlowCheck]) -> dict[Family, FlowCheck]:
    """One check per family in place of several, oldest first."""
    merged: dict[Family, FlowCheck] = {}
    for check in checks:
        waiting = merged.get(check.family)
        merged[check.family] = check if waiting is None else waiting.then(check)
    return merged
