"""What the running proxy publishes about itself, as it follows the loop."""

from typing import Any

from pykubeproxy.daemon.follow.status import StatusKeeper
from pykubeproxy.daemon.follower import FinishedSync
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.daemon.sync.family import SyncResult
from pykubeproxy.daemon.sync.set_aside import RefusedReport, RefusedService
from pykubeproxy.explain.status.published import MOST_NAMED, MOST_REPAIRS, FamilySync, ObjectSource, ProxyStatus
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.diff import ChainChange, Plan
from tests.builders import NODE, ip
from tests.daemon.fakes import Clock, FakeProxy

IN_SYNC = Plan()
PLAN = Plan(chains=(ChainChange(table="nat", chain="KUBE-SVC-X", before=None, after=("-A KUBE-SVC-X -j ACCEPT",)),))
TOOLS = Tools(
    family=Family.IPV4, backend=Backend.NFT, save="iptables-nft-save", restore="iptables-nft-restore", version=(1, 8, 9)
)


class Bed:
    def __init__(self) -> None:
        about = ProxyStatus(
            program="pykubeproxy 1",
            kubernetes_version="v1.37.0",
            pid=7,
            started_at=0.0,
            node_name=NODE,
            dispatch="tree",
            commit="auto",
        )
        self.clock = Clock()
        self.source = ObjectSource(waits_for=("Node", "Service"))
        self.keeper = StatusKeeper(about, [TOOLS], source=lambda: self.source, clock=self.clock)

    @property
    def family(self) -> FamilySync:
        (its,) = self.keeper.status().families
        return its

    def sync(self, *, plan: Plan = IN_SYNC, error: str = "", cause: ForeignChange | None = None, **fields: Any) -> None:
        snapshot = Snapshot()
        snapshot.put(Node(name=NODE, addresses=(ip("192.0.2.1"), ip("2001:db8::1"))))
        self.keeper.synced(
            FinishedSync(
                family=Family.IPV4,
                proxy=FakeProxy(self.clock),
                snapshot=snapshot,
                touched=(),
                seconds=0.25,
                result=None if error else SyncResult(plan=plan, **fields),
                error=RestoreError("iptables-restore", error) if error else None,
                cause=cause,
            )
        )


def test_before_the_first_sync() -> None:
    bed = Bed()
    status = bed.keeper.status()
    assert status.source == bed.source
    assert (status.node_addresses, status.repairs) == ((), ())
    assert bed.family == FamilySync(family=Family.IPV4, backend="nft", tool="iptables-nft", tool_version="1.8.9")


def test_a_sync_that_succeeds_fails_and_succeeds_again() -> None:
    bed = Bed()
    bed.sync(plan=PLAN)
    assert bed.keeper.status().node_addresses == ("192.0.2.1", "2001:db8::1")
    assert (bed.family.synced_at, bed.family.seconds, bed.family.pending_chains) == (1000.0, 0.25, 0)
    for bed.clock.now in (1010.0, 1020.0):
        bed.sync(error="no such match")
    assert bed.family.synced_at == 1000.0
    assert (bed.family.failing_since, bed.family.error) == (1010.0, "iptables-restore failed: no such match")
    bed.sync()
    assert (bed.family.synced_at, bed.family.failing_since, bed.family.error) == (1020.0, None, "")


def test_in_shadow_mode_what_would_be_written_is_pending() -> None:
    bed = Bed()
    bed.sync(plan=PLAN, is_written=False)
    assert (bed.family.pending_chains, bed.family.pending_rules) == (1, 1)
    bed.sync(is_written=False)
    assert (bed.family.pending_chains, bed.family.pending_rules) == (0, 0)


def test_refused_services_are_named_until_they_are_back() -> None:
    bed = Bed()
    keys = [ServiceKey("ns", f"web-{number:02}") for number in range(MOST_NAMED + 2)]
    refused = tuple(RefusedService(service=key, cause="no", module="xt_recent") for key in keys)
    bed.sync(refused=RefusedReport(services=len(keys), new=refused))
    assert bed.family.refused_count == MOST_NAMED + 2
    assert len(bed.family.refused) == MOST_NAMED
    first = bed.family.refused[0]
    assert (first.service, first.cause, first.module) == ("ns/web-00", "no", "xt_recent")
    bed.sync(refused=RefusedReport(services=2, back=tuple(keys[2:])))
    assert [each.service for each in bed.family.refused] == ["ns/web-00", "ns/web-01"]


def test_repairs_are_remembered_with_who_made_them_necessary() -> None:
    bed = Bed()
    chains = tuple(("nat", f"KUBE-SVC-{number}") for number in range(MOST_NAMED + 1))
    bed.sync(plan=PLAN, drifted=chains, cause=ForeignChange("nft", 99))
    (repair,) = bed.keeper.status().repairs
    assert (repair.time, repair.family, repair.program, repair.pid) == (1000.0, Family.IPV4, "nft", 99)
    assert (repair.chain_count, len(repair.chains), repair.chains[0]) == (MOST_NAMED + 1, MOST_NAMED, "nat KUBE-SVC-0")
    for bed.clock.now in range(2000, 2000 + MOST_REPAIRS):
        bed.sync(plan=PLAN, drifted=chains[:1])
    times = [each.time for each in bed.keeper.status().repairs]
    assert times == list(range(2000, 2000 + MOST_REPAIRS))
    assert bed.keeper.status().repairs[-1].program == ""
