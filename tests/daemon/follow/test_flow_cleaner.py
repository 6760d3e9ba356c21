"""Which UDP flows are looked for after which sync, and that they are looked for beside the loop."""

from collections.abc import Iterator
from itertools import repeat
from queue import Queue

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.follow import flows
from pykubeproxy.daemon.follow.flows import FlowCleaner
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.flows.stale import FlowCheck, pack_socket, socket_text
from pykubeproxy.host.conntrack import ConntrackTable, DeletionResult
from pykubeproxy.host.conntrack import FlowCheck as AnyCheck
from pykubeproxy.host.errors import HostError, ReadOnly
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, Service
from pykubeproxy.model.snapshot import Object, ObjectId
from tests.builders import ip, options, port, service, slice_of, slice_port
from tests.daemon.fakes import REFUSED, Clock, FailingHost, changed, loop_of

SECONDS = 10.0
DNS, OTHER = "172.30.0.10", "172.30.0.11"


class FakeTable(ConntrackTable):
    """Notes what it is asked for, and answers or fails as told."""

    def __init__(self) -> None:
        self.checks: Queue[FlowCheck] = Queue()
        self.answer = DeletionResult()
        self.failure: HostError | None = None

    def remove_stale(self, check: AnyCheck) -> DeletionResult:
        assert isinstance(check, FlowCheck)
        self.checks.put(check)
        if self.failure is not None:
            raise self.failure
        return self.answer

    def next(self) -> FlowCheck:
        return self.checks.get(timeout=SECONDS)


class Bed:
    """A loop of one family, with a cleaner that looks a second time only after long."""

    def __init__(self) -> None:
        self.table = FakeTable()
        self.host = FailingHost()
        self.removals: list[tuple[Family, DeletionResult]] = []
        self.cleaner = FlowCleaner(
            self.table, lambda: (ip("192.0.2.1"),), lambda family, removal, _: self.removals.append((family, removal))
        )
        self.loop: Loop = loop_of(Clock(), FamilyProxy(options(), self.host))
        self.loop.follow(self.cleaner)

    def sync(self, *put: Object, removed: tuple[ObjectId, ...] = ()) -> bool:
        self.loop.take(changed(*put, removed=removed))
        return self.loop.sync()


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    monkeypatch.setattr(flows, "_AGAIN_AFTER", 1000.0)
    its = Bed()
    its.cleaner.start()
    yield its
    its.cleaner.close()


def dns(name: str = "ns/dns", address: str = DNS) -> Service:
    return service(name, address, ports=(port("dns", 53, protocol=Protocol.UDP),))


def served_by(*endpoints: str, name: str = "ns/dns") -> EndpointSlice:
    return slice_of(name, *endpoints, ports=(slice_port("dns", 5353, Protocol.UDP),))


def shown(check: FlowCheck) -> dict[str, set[str]]:
    """The frontends of a check with who serves them."""
    return {socket_text(key): {socket_text(each) for each in serving} for key, serving in check.serving.items()}


def test_the_first_sync_looks_at_everything_and_then_only_what_changes_for_udp(bed: Bed) -> None:
    bed.sync(dns(), served_by("10.0.0.1", "10.0.0.2"), service("ns/web"))
    check = bed.table.next()
    assert shown(check) == {f"{DNS}:53": {"10.0.0.1:5353", "10.0.0.2:5353"}}
    assert check.node_addresses == frozenset({bytes((192, 0, 2, 1))})
    bed.sync(slice_of("ns/web", "10.0.0.9"))
    bed.loop.sync()
    bed.sync(served_by())
    assert shown(bed.table.next()) == {f"{DNS}:53": set()}, "scaled to zero; nothing else was looked at"
    bed.sync(removed=(ObjectId("Service", "ns", "dns"),))
    assert {socket_text(each) for each in bed.table.next().retired} == {f"{DNS}:53"}
    bed.cleaner.finish()
    assert bed.removals[-1] == (Family.IPV4, bed.table.answer)


def test_what_a_failed_sync_was_for_is_looked_at_after_one_that_succeeds(bed: Bed) -> None:
    bed.sync(dns(), served_by("10.0.0.1"))
    bed.table.next()
    bed.host.failures = repeat(REFUSED)
    assert not bed.sync(served_by("10.0.0.2"))
    assert not bed.sync(dns("ns/more", OTHER))
    bed.host.failures = iter(())
    assert bed.loop.sync()
    assert shown(bed.table.next()) == {f"{DNS}:53": {"10.0.0.2:5353"}, f"{OTHER}:53": set()}


def test_a_first_sync_that_fails_is_made_up_for(bed: Bed) -> None:
    before = loop_of(Clock(), FamilyProxy(options(), bed.host))
    before.take(changed(dns("ns/gone", "172.30.0.99"), served_by("10.0.0.1", name="ns/gone")))
    assert before.sync()
    bed.host.failures = repeat(REFUSED)
    assert not bed.sync(dns(), served_by("10.0.0.1"))
    bed.host.failures = iter(())
    assert bed.loop.sync()
    check = bed.table.next()
    assert shown(check) == {f"{DNS}:53": {"10.0.0.1:5353"}}
    assert check.retired == {pack_socket("172.30.0.99", 53)}, "of a Service that went while nobody looked"


def test_each_is_done_once_more(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_AGAIN_AFTER", 0.01)
    bed.sync(dns())
    assert bed.table.next() == bed.table.next()
    bed.sync(dns("ns/more", OTHER))
    assert shown(bed.table.next()).keys() == {f"{OTHER}:53"}, "and not a third time"


@pytest.mark.parametrize(
    ("error", "level"), [(HostError("no"), "error"), (ReadOnly("2 flows were not deleted"), "info")], ids=str
)
def test_trouble_is_logged_and_nothing_else(bed: Bed, error: HostError, level: str) -> None:
    bed.table.failure = error
    with capture_logs() as logs:
        bed.sync(dns())
        bed.table.next()
        bed.table.failure = None
        bed.sync(dns("ns/more", OTHER))
        bed.table.next()
    assert [line["log_level"] for line in logs if "flows" in line["event"]] == [level]
