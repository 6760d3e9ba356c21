"""What the running proxy publishes about itself, as it follows the loop."""

from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.daemon.follow.status import StatusKeeper
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.daemon.sync.family import SyncResult
from pykubeproxy.daemon.sync.set_aside import RefusedReport, RefusedService
from pykubeproxy.explain.status.published import MOST_NAMED, MOST_REPAIRS, FamilySync, ObjectSource, ProxyStatus
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.service_traffic import ServiceTraffic, WithoutEndpoints
from tests.builders import NODE, ip, snapshot
from tests.daemon.fakes import PLAN, Clock, finished

SOURCE = ObjectSource(waits_for=("Node", "Service"))
TOOLS = Tools(family=Family.IPV4, backend=Backend.NFT, save="iptables-nft-save", restore="restore", version=(1, 8, 9))
IDLE = {ServiceKey("ns", "web"): ServiceTraffic(without_endpoints=WithoutEndpoints(refusing=2, dropping=1))}
ABOUT = ProxyStatus(
    program="p 1", kubernetes_version="v1", pid=7, started_at=0.0, node_name=NODE, dispatch="tree", commit="auto"
)


class Bed:
    def __init__(self) -> None:
        self.clock = Clock()
        self.keeper = StatusKeeper(ABOUT, [TOOLS], source=lambda: SOURCE, clock=self.clock)

    @property
    def family(self) -> FamilySync:
        (its,) = self.keeper.status().families
        return its

    def sync(self, plan: Plan = PLAN, *, error: str = "", cause: ForeignChange | None = None, **fields: Any) -> None:
        known = snapshot(Node(name=NODE, addresses=(ip("192.0.2.1"), ip("2001:db8::1"))))
        traffic = fields.pop("traffic", {})
        result = None if error else SyncResult(plan=plan, **fields)
        refusal = RestoreError("iptables-restore", error) if error else None
        self.keeper.synced(finished(result, snapshot=known, error=refusal, traffic=traffic, cause=cause))


@pytest.fixture
def bed() -> Bed:
    return Bed()


def test_a_sync_that_would_write_and_those_that_succeed_and_fail(bed: Bed) -> None:
    status = bed.keeper.status()
    assert (status.source, status.node_addresses) == (SOURCE, ())
    unsynced = FamilySync(family=Family.IPV4, backend="nft", tool="iptables-nft", tool_version="1.8.9")
    assert bed.family == unsynced
    bed.sync(is_written=False)
    assert (bed.family.pending_chains, bed.family.pending_rules) == (1, 1)
    bed.sync()
    assert bed.keeper.status().node_addresses == ("192.0.2.1", "2001:db8::1")
    synced = replace(unsynced, synced_at=1000.0, seconds=0.25)
    assert bed.family == synced
    for bed.clock.now in (1010.0, 1020.0):
        bed.sync(error="no such match", traffic=IDLE)
    assert bed.family == replace(synced, failing_since=1010.0, error="iptables-restore failed: no such match")
    bed.sync(Plan())
    assert bed.family == replace(synced, synced_at=1020.0, ports_refusing=2, ports_dropping=1)


def test_refused_services_are_named_until_they_are_back(bed: Bed) -> None:
    keys = [ServiceKey("ns", f"web-{number:02}") for number in range(MOST_NAMED + 2)]
    refused = tuple(RefusedService(service=key, cause="no", module="xt_recent") for key in keys)
    bed.sync(refused=RefusedReport(services=len(keys), new=refused))
    assert (bed.family.refused_count, len(bed.family.refused)) == (MOST_NAMED + 2, MOST_NAMED)
    bed.sync(refused=RefusedReport(services=2, back=tuple(keys[2:])))
    named = [(each.service, each.cause, each.module) for each in bed.family.refused]
    assert named == [("ns/web-00", "no", "xt_recent"), ("ns/web-01", "no", "xt_recent")]


def test_repairs_are_remembered_with_who_made_them_necessary(bed: Bed) -> None:
    chains = tuple(("nat", f"KUBE-SVC-{number}") for number in range(MOST_NAMED + 1))
    bed.sync(drifted=chains, cause=ForeignChange("nft", 99))
    (repair,) = bed.keeper.status().repairs
    assert (repair.time, repair.family, repair.program, repair.pid) == (1000.0, Family.IPV4, "nft", 99)
    assert (repair.chain_count, len(repair.chains), repair.chains[0]) == (MOST_NAMED + 1, MOST_NAMED, "nat KUBE-SVC-0")
    for bed.clock.now in range(2000, 2000 + MOST_REPAIRS):
        bed.sync(drifted=chains[:1])
    assert [each.time for each in bed.keeper.status().repairs] == list(range(2000, 2000 + MOST_REPAIRS))
