"""What follows the loop: metrics, health, conntrack, and whatever else wants to know what was done."""

from collections.abc import Collection, Mapping

import msgspec

from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.daemon.sync.family import FamilyProxy, RefusedPlan, SyncResult
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.service_traffic import ServiceTraffic


class FinishedSync(msgspec.Struct, frozen=True, kw_only=True):
    """One sync of one family, for the Services `touched` since the last one, and how long it took in seconds.

    `traffic` is what was decided about the Services that were compiled for it: those touched, and all of them after a
    change of the options. Exactly one of `result` and `error` is set; `refused_plans` are those that iptables-restore
    did not take on the way. `cause` says which program made it necessary, if that was another one; `is_routine` that
    nothing in particular did.
    """

    family: Family
    proxy: FamilyProxy
    snapshot: Snapshot
    touched: Collection[ServiceKey]
    seconds: float
    traffic: Mapping[ServiceKey, ServiceTraffic] = {}
    result: SyncResult | None = None
    error: HostError | None = None
    refused_plans: tuple[RefusedPlan, ...] = ()
    cause: ForeignChange | None = None
    is_routine: bool = False


class Follower:
    """Something that is told, on the loop's thread, what happens. It must neither fail nor take long."""

    def objects_changed(self, change: ObjectChanges, touched: Collection[ServiceKey]) -> None:
        """Objects have changed."""

    def slices_removed(self, slices: Collection[EndpointSlice]) -> None:
        """EndpointSlices are gone, as they were last; told after the change that took them away."""

    def sync_requested(self) -> None:
        """A sync is asked for, which will be done soon."""

    def synced(self, sync: FinishedSync) -> None:
        """A family was synced, or could not be."""

    def close(self) -> None:
        """The loop has ended; let go of threads and sockets."""
