"""Ends TCP connections to endpoints that are gone for good, by having the kernel forget them, if that is asked for.

`flows.gone` says which endpoints those are. A thread of its own counts them and reads the connection table, which may
be large.
"""

import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

import msgspec

from pykubeproxy import logger
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.flows.gone import GoneEndpoints, ListedEndpoints
from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.host.errors import HostError, ReadOnly
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.rules.service_traffic import ServiceTraffic

log = logger.get()


class _Synced(msgspec.Struct, frozen=True):
    """A sync of one family; the rules for `traffic` are in force if it succeeded."""

    family: Family
    traffic: Mapping[ServiceKey, ServiceTraffic]
    has_succeeded: bool


class ConnectionEnder(Follower):
    """Follows syncs, and has a thread end connections some seconds after their endpoints have gone."""

    def __init__(self, table: ConntrackTable, node_addresses: Callable[[], tuple[IP, ...]]) -> None:
        self._table = table
        self._node_addresses = node_addresses
        self._inbox: SimpleQueue[_Synced | None] = SimpleQueue()
        self._listed: dict[Family, ListedEndpoints] = {}
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; what waits is dropped."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def synced(self, sync: FinishedSync) -> None:
        """Take note of the endpoints of the touched Services."""
        self._inbox.put(_Synced(sync.family, sync.traffic, sync.result is not None))

    def _run(self) -> None:
        while True:
            try:
                synced = self._inbox.get(timeout=self._seconds_to_wait())
            except Empty:
                self._end_connections()
                continue
            if synced is None:
                return
            listed = self._listed.setdefault(synced.family, ListedEndpoints(synced.family))
            listed.update(synced.traffic)
            if synced.has_succeeded:
                listed.in_force(time.monotonic())

    def _seconds_to_wait(self) -> float | None:
        times = [at for listed in self._listed.values() if (at := listed.next_at) is not None]
        return max(min(times) - time.monotonic(), 0) if times else None

    def _end_connections(self) -> None:
        for listed in self._listed.values():
            gone = listed.take_gone(time.monotonic())
            if not gone.is_empty:
                self._forget(gone.on_node(self._node_addresses()))

    def _forget(self, gone: GoneEndpoints) -> None:
        try:
            removal = self._table.remove_stale(gone)
        except ReadOnly as refusal:
            log.info("connections to endpoints that are gone", family=gone.family, why_not_ended=str(refusal))
            return
        except HostError as error:
            log.error("cannot end connections to endpoints that are gone", family=gone.family, error=str(error))
            return
        if removal.deleted or removal.refused:
            refused = ", ".join(f"{count} x {why}" for why, count in removal.refused.items()) or None
            log.info(
                "connections to endpoints that are gone were ended",
                family=gone.family,
                connections=removal.deleted,
                refused=refused,
            )
