"""Which UDP flows are looked for after which sync, and that they are looked for beside the loop."""

import threading
from collections.abc import Callable, Iterable, Iterator
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
from pykubeproxy.host.errors import HostError, ReadOnly, RestoreError
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.service import Protocol, Service
from pykubeproxy.model.snapshot import ObjectId
from tests.builders import ip, options, port, service, slice_of, slice_port
from tests.daemon.fakes import Clock, changed, loop_of
from tests.memory_host import MemoryHost

SECONDS = 10.0
DNS = "172.30.0.10"
OWN_ADDRESS = (ip("192.0.2.1"),)


class FakeTable(ConntrackTable):
    """Notes what it is asked for, and answers or fails as told."""

    def __init__(self) -> None:
        self.checks: Queue[FlowCheck] = Queue()
        self.answer: Callable[[], DeletionResult] = DeletionResult
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def remove_stale(self, check: AnyCheck) -> DeletionResult:
        assert isinstance(check, FlowCheck)
        self.checks.put(check)
        assert self.may_go_on.wait(SECONDS)
        return self.answer()

    def next(self) -> FlowCheck:
        return self.checks.get(timeout=SECONDS)


class FailingHost(MemoryHost):
    """Refuses what it is given while told to."""

    refuses = False

    def restore(self, lines: Iterable[str]) -> None:
        if self.refuses:
            raise RestoreError("iptables-restore", "no")
        super().restore(lines)


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


@pytest.fixture
def host() -> FailingHost:
    return FailingHost()


@pytest.fixture
def removals() -> "Queue[tuple[Family, DeletionResult]]":
    return Queue()


@pytest.fixture
def cleaner(
    table: FakeTable, removals: "Queue[tuple[Family, DeletionResult]]", monkeypatch: pytest.MonkeyPatch
) -> FlowCleaner:
    """One that looks a second time only after long."""
    monkeypatch.setattr(flows, "_AGAIN_AFTER", 1000.0)

    def addresses() -> tuple[IP, ...]:
        return OWN_ADDRESS

    return FlowCleaner(table, addresses, lambda family, removal, _: removals.put((family, removal)))


@pytest.fixture
def loop(table: FakeTable, host: FailingHost, cleaner: FlowCleaner) -> Iterator[Loop]:
    """A loop of one family, with a cleaner."""
    its = loop_of(Clock(), FamilyProxy(options(), host))
    its.follow(cleaner)
    cleaner.start()
    yield its
    table.may_go_on.set()
    cleaner.close()


def dns(name: str = "ns/dns", address: str = DNS) -> Service:
    return service(name, address, ports=(port("dns", 53, protocol=Protocol.UDP),))


def served_by(*endpoints: str, name: str = "ns/dns") -> EndpointSlice:
    return slice_of(name, *endpoints, ports=(slice_port("dns", 5353, Protocol.UDP),))


def shown(check: FlowCheck) -> dict[str, set[str]]:
    """The frontends of a check with who serves them."""
    return {socket_text(key): {socket_text(each) for each in serving} for key, serving in check.serving.items()}


def test_the_first_sync_looks_at_everything(loop: Loop, table: FakeTable) -> None:
    loop.take(changed(dns(), served_by("10.0.0.1", "10.0.0.2")))
    loop.sync()
    check = table.next()
    assert shown(check) == {f"{DNS}:53": {"10.0.0.1:5353", "10.0.0.2:5353"}}
    assert check.node_addresses == frozenset({bytes((192, 0, 2, 1))})


def test_then_only_what_changes_for_udp(loop: Loop, table: FakeTable) -> None:
    loop.take(changed(dns(), served_by("10.0.0.1"), service("ns/web")))
    loop.sync()
    table.next()
    loop.take(changed(slice_of("ns/web", "10.0.0.9")))
    loop.sync()
    loop.sync()
    loop.take(changed(served_by()))
    loop.sync()
    assert shown(table.next()) == {f"{DNS}:53": set()}, "scaled to zero; nothing else was looked at"
    loop.take(changed(removed=[ObjectId("Service", "ns", "dns")]))
    loop.sync()
    assert {socket_text(each) for each in table.next().retired} == {f"{DNS}:53"}


def test_everything_once_more_after_somebody_has_taken_rules_away(
    loop: Loop, table: FakeTable, host: FailingHost
) -> None:
    loop.take(changed(dns(), served_by("10.0.0.1")))
    loop.sync()
    first = table.next()
    assert loop.audit()
    host.restore(["*nat", ":KUBE-SERVICES - [0:0]", "COMMIT"])
    assert loop.audit()
    assert shown(table.next()) == shown(first), "flows that began meanwhile go past the endpoints"
    assert table.checks.empty(), "nothing was looked at while all was well"


def test_what_a_failed_sync_was_for_is_looked_at_after_one_that_succeeds(
    loop: Loop, table: FakeTable, host: FailingHost
) -> None:
    loop.take(changed(dns(), served_by("10.0.0.1")))
    loop.sync()
    table.next()
    host.refuses = True
    loop.take(changed(served_by("10.0.0.2")))
    assert not loop.sync()
    loop.take(changed(dns("ns/more", "172.30.0.11")))
    assert not loop.sync()
    host.refuses = False
    assert loop.sync()
    assert shown(table.next()) == {f"{DNS}:53": {"10.0.0.2:5353"}, "172.30.0.11:53": set()}


def test_a_first_sync_that_fails_is_made_up_for(loop: Loop, table: FakeTable, host: FailingHost) -> None:
    before = FamilyProxy(options(), host)
    snapshot = loop_of(Clock(), before)
    snapshot.take(changed(dns("ns/gone", "172.30.0.99"), served_by("10.0.0.1", name="ns/gone")))
    assert snapshot.sync()
    host.refuses = True
    loop.take(changed(dns(), served_by("10.0.0.1")))
    assert not loop.sync()
    host.refuses = False
    assert loop.sync()
    check = table.next()
    assert shown(check) == {f"{DNS}:53": {"10.0.0.1:5353"}}
    assert check.retired == {pack_socket("172.30.0.99", 53)}, "of a Service that went while nobody looked"


def test_checks_that_wait_are_done_as_one(loop: Loop, table: FakeTable) -> None:
    table.may_go_on.clear()
    loop.take(changed(dns()))
    loop.sync()
    assert shown(table.next()).keys() == {f"{DNS}:53"}
    for address in ("172.30.0.11", "172.30.0.12"):
        loop.take(changed(dns(f"ns/at-{address.replace('.', '-')}", address)))
        loop.sync()
    table.may_go_on.set()
    assert shown(table.next()).keys() == {"172.30.0.11:53", "172.30.0.12:53"}


def test_each_is_done_once_more(loop: Loop, table: FakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_AGAIN_AFTER", 0.01)
    loop.take(changed(dns()))
    loop.sync()
    assert table.next() == table.next()
    loop.take(changed(dns("ns/more", "172.30.0.11")))
    loop.sync()
    assert shown(table.next()).keys() == {"172.30.0.11:53"}, "and not a third time"


def test_what_has_been_given_can_be_waited_for(
    loop: Loop, table: FakeTable, cleaner: FlowCleaner, removals: "Queue[tuple[Family, DeletionResult]]"
) -> None:
    loop.take(changed(dns()))
    loop.sync()
    cleaner.finish()
    assert removals.get_nowait() == (Family.IPV4, DeletionResult())
    assert table.checks.qsize() == 1
    cleaner.close()


def test_what_was_removed_is_told(
    loop: Loop, table: FakeTable, removals: "Queue[tuple[Family, DeletionResult]]"
) -> None:
    found = DeletionResult(deleted=3, refused={"Operation not permitted": 1})
    table.answer = lambda: found
    loop.take(changed(dns()))
    loop.sync()
    assert removals.get(timeout=SECONDS) == (Family.IPV4, found)


@pytest.mark.parametrize(
    ("error", "level"), [(HostError("no"), "error"), (ReadOnly("2 flows were not deleted"), "info")], ids=str
)
def test_trouble_is_logged_and_nothing_else(loop: Loop, table: FakeTable, error: HostError, level: str) -> None:
    def fail() -> DeletionResult:
        raise error

    table.answer = fail
    with capture_logs() as logs:
        loop.take(changed(dns()))
        loop.sync()
        table.next()
        table.answer = DeletionResult
        loop.take(changed(dns("ns/more", "172.30.0.11")))
        loop.sync()
        table.next()
    assert [line["log_level"] for line in logs if "flows" in line["event"]] == [level]
