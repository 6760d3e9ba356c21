"""The interface of what follows the loop, such as metrics, health checks, and the removal of stale UDP flows."""

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
    """A sync of one family that has succeeded (`result`) or failed (`error`): exactly one of both is set.

    `traffic` is what was decided about the Services that were compiled for it: those that had changed since the sync
    before, and all of them after a change of the options. `seconds` is how long the sync took. `refused_plans` are
    Plans that iptables-restore refused before it took another one. `cause` is the change by another program that made
    the sync necessary, if it was one. `is_routine` is True if nothing in particular made it necessary.
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
    """Is called by the loop, on the main thread, after each change and each sync. It must neither fail nor take long.

    `touched` are the Services that a change concerns.
    """

    def objects_changed(self, change: ObjectChanges, touched: Collection[ServiceKey]) -> None:
        """The Snapshot has taken in a change of objects."""

    def slices_removed(self, slices: Collection[EndpointSlice]) -> None:
        """These EndpointSlices were in the Snapshot, and the last change has removed them."""

    def sync_requested(self) -> None:
        """A sync will be done soon: something has changed, or the live rules are to be read."""

    def synced(self, sync: FinishedSync) -> None:
        """A sync of a family has succeeded or failed."""
