"""The kernel's table of connections: finding the stale flows, and deleting their entries.

Needs no `conntrack` program, and is made for large tables: the kernel is asked for one protocol only, a flow takes
about two microseconds to read and judge, and deletions go out in batches.
"""

import errno
import os
import typing
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from pykubeproxy.flows.stale import Flow
from pykubeproxy.host.conntrack_wire import DELETE, GET, FlowReader, identity, only
from pykubeproxy.host.errors import ReadOnly
from pykubeproxy.host.netlink import DUMP_ATTEMPTS, NETFILTER, DumpInterrupted, Netlink
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol


class DeletionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a deletion: how many entries were deleted, and how many were not, by the reason why."""

    deleted: int = 0
    refused: dict[str, int] = {}


class FlowCheck(typing.Protocol):
    """What flows of one family and protocol are checked against, as `flows.stale` and `flows.gone` have it."""

    @property
    def family(self) -> Family:
        """The family."""

    @property
    def protocol(self) -> Protocol:
        """UDP or TCP."""

    @property
    def is_empty(self) -> bool:
        """True if no flow can be stale."""

    def is_stale(self, flow: Flow) -> bool:
        """True if `flow` is to be forgotten."""


class ConntrackTable:
    """The flows of the calling thread's network namespace. Blocking: large tables deserve a thread of their own.

    Needs CAP_NET_ADMIN. Raises NetlinkError where the kernel does not let the table be read or changed at all.
    """

    def remove_stale(self, check: FlowCheck) -> DeletionResult:
        """Find the flows that are stale by `check`, and delete their entries."""
        return self.delete(self.stale(check))

    def stale(self, check: FlowCheck) -> list[Flow]:
        """The flows that are stale by `check`. Does not read the table if there can be none."""
        found: list[Flow] = []
        for _ in range(0 if check.is_empty else DUMP_ATTEMPTS):
            found.clear()
            try:
                found.extend(flow for flow in self.flows(check.family, check.protocol) if check.is_stale(flow))
            except DumpInterrupted:
                continue
            break
        return found

    def flows(self, family: Family, protocol: Protocol) -> Iterator[Flow]:
        """All flows of one family and protocol, in no order. Raises DumpInterrupted after the last one."""
        read = FlowReader(family, protocol).read
        with Netlink(NETFILTER) as netlink:
            for message in netlink.dump(f"list {family} connections", GET, only(family, protocol)):
                flow = read(message.body)
                if flow is not None:
                    yield flow

    def delete(self, flows: Sequence[Flow]) -> DeletionResult:
        """Delete the entries of `flows`, each as it was found; those that have gone meanwhile count as deleted."""
        if not flows:
            return DeletionResult()
        with Netlink(NETFILTER) as netlink:
            refusals = netlink.batch("delete connections", DELETE, [identity(flow.entry) for flow in flows])
        reasons = Counter(os.strerror(refusal.number) for refusal in refusals if refusal.number != errno.ENOENT)
        return DeletionResult(deleted=len(flows) - reasons.total(), refused=dict(reasons))


class ReadOnlyConntrackTable(ConntrackTable):
    """The connection table in a mode that never writes: stale flows are found, and not deleted."""

    def delete(self, flows: Sequence[Flow]) -> DeletionResult:
        """Refuse."""
        raise ReadOnly(f"this mode never writes; {len(flows)} stale flows were not deleted")
