"""One family: what the kernel is believed to hold moves only when a restore succeeded."""

from collections.abc import Iterable
from itertools import count, islice
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.sync import progress
from pykubeproxy.daemon.sync.family import FamilyProxy, ShadowProxy
from pykubeproxy.daemon.sync.progress import INTERVAL, Progress
from pykubeproxy.host.errors import HostError, LockTimeout, RestoreError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import options, port, service, slice_of, snapshot
from tests.daemon.fakes import REFUSED, FailingHost
from tests.memory_host import MemoryHost

WEB, DB = ServiceKey("ns", "web"), ServiceKey("ns", "db")
LOCKED = LockTimeout("iptables-restore", "locked")


def cluster() -> Snapshot:
    return snapshot(
        service("ns/web", ports=(port(node_port=30080),)),
        slice_of("ns/web", "10.0.0.1", "10.0.0.2"),
        service("ns/db", "172.30.0.42"),
    )


@pytest.fixture
def host() -> FailingHost:
    return FailingHost()


@pytest.fixture
def proxy(host: FailingHost) -> FamilyProxy:
    """In sync with `cluster`."""
    its = FamilyProxy(options(), host)
    its.update(cluster(), [WEB, DB])
    its.sync()
    return its


def is_in_sync(host: MemoryHost, objects: Snapshot, its: RuleOptions | None = None) -> bool:
    return diff(compile_ruleset(objects, its or options()), host.save()).is_empty


def test_a_refused_plan_is_made_anew_from_the_live_rules(host: FailingHost, proxy: FamilyProxy) -> None:
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))
    host.failures = iter([REFUSED])
    assert (proxy.sync().was_read, host.reads) == (True, 2)
    assert is_in_sync(host, objects)


@pytest.mark.parametrize(
    "failures",
    [
        pytest.param([REFUSED, REFUSED], id="refused twice"),
        # It is not tried again at once; a part of the Plan may have been committed before.
        pytest.param([LOCKED], id="locked"),
        # Told to end in the middle of a restore: some of it is in the kernel, and nobody knows how much.
        pytest.param([KeyboardInterrupt()], id="interrupted"),
    ],
)
def test_after_a_failure_nothing_is_believed_or_lost(
    host: FailingHost, proxy: FamilyProxy, failures: list[BaseException]
) -> None:
    objects, before = cluster(), host.save()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))
    host.failures = iter(failures)
    with pytest.raises(type(failures[0])):
        proxy.sync()
    assert host.save() == before
    reads = host.reads
    assert (proxy.sync().was_read, host.reads) == (True, reads + 1)
    assert is_in_sync(host, objects)


@pytest.mark.parametrize(
    ("is_told", "failures"),
    [
        pytest.param(True, [], id="at once"),
        pytest.param(True, [LOCKED, REFUSED], id="after repairs that failed"),
        pytest.param(False, [LOCKED], id="after a change that could not be written"),
    ],
)
def test_what_others_have_changed_is_repaired_and_named(
    host: FailingHost, proxy: FamilyProxy, failures: list[HostError], *, is_told: bool
) -> None:
    nat = host.ruleset.tables["nat"].chains
    (policy,) = (chain for chain in nat if chain.startswith("KUBE-SVC-"))
    nat[policy] = nat[policy][:1]
    nat["OUTPUT"] = ()
    nat["KUBE-SVC-FOREIGNFOREIGNFO"] = ()
    nat["DOCKER"] = ("-A DOCKER -j RETURN",)
    assert proxy.sync().plan.is_empty, "nobody has told yet"
    objects = cluster()
    if is_told:
        proxy.distrust()
    else:
        proxy.update(objects, objects.put(service("ns/new", "172.30.0.43")))
    host.failures = iter(failures)
    for failure in failures:
        with pytest.raises(type(failure)):
            proxy.sync()
    synced = proxy.sync()
    assert synced.was_read
    assert set(synced.drifted) == {("nat", policy), ("nat", "OUTPUT"), ("nat", "KUBE-SVC-FOREIGNFOREIGNFO")}
    assert is_in_sync(host, objects)
    assert host.ruleset.lines("nat", "DOCKER") == ("-A DOCKER -j RETURN",)


def test_a_shadow_never_writes(host: FailingHost) -> None:
    its = ShadowProxy(options(), host)
    its.update(cluster(), [WEB, DB])
    for _ in range(2):
        synced = its.sync()
        assert (synced.plan.is_empty, synced.was_read, synced.is_written) == (False, True, False)
    assert (host.written, host.ruleset.tables) == ([], {})


def test_rules_that_another_program_put_back_do_not_pass_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """They look like our own in another form: only what the kernel announces, a little later, shows the difference."""
    host = MemoryHost(compile_ruleset(cluster(), options(masquerade_bit=15)))
    its = FamilyProxy(options(), host)
    its.update(cluster(), [WEB, DB])
    with monkeypatch.context() as rival:
        rival.setattr(host, "restore", list)
        its.sync()
    its.has_foreign_change = True
    its.distrust()
    its.sync()
    assert is_in_sync(host, cluster())


@pytest.fixture
def many(host: FailingHost) -> tuple[FamilyProxy, Snapshot]:
    """A family that knows so many Services that they are written while they are compiled, and has not synced yet."""
    objects = snapshot(*(service(f"ns/s{number}", f"10.96.{number >> 8}.{number & 255}") for number in range(600)))
    objects.put(slice_of("ns/s7", "10.0.0.1"))
    its = FamilyProxy(options(), host)
    its.update(objects, objects.services)
    return its, objects


def test_the_first_sync_of_many_services_writes_once_and_knows_what(
    host: FailingHost, many: tuple[FamilyProxy, Snapshot]
) -> None:
    its, objects = many
    result = its.sync()
    assert (result.was_read, result.plan) == (True, diff(compile_ruleset(objects, options()), Ruleset(tables={})))
    assert is_in_sync(host, objects)
    assert its.believed is not None
    assert diff(its.desired, its.believed).is_empty
    again = its.sync()
    assert (again.was_read, again.plan.is_empty, host.reads, host.written[1:]) == (False, True, 2, [[]])


def test_what_is_refused_on_the_way_is_found_out_as_ever(host: FailingHost, many: tuple[FamilyProxy, Snapshot]) -> None:
    its, objects = many
    host.failures = iter([REFUSED])
    assert its.sync().was_read
    assert [(one.error, one.is_full) for one in its.refused_plans] == [(REFUSED, True)]
    assert is_in_sync(host, objects)
    assert host.reads == 3


def test_what_the_tool_did_not_take_is_compiled_and_written_by_the_next_sync(host: FailingHost) -> None:
    where = [f"{number >> 8}.{number & 255}" for number in range(600)]
    objects = snapshot(*(service(f"ns/s{at}", f"10.96.{at}") for at in where))
    for at in where:
        objects.put(slice_of(f"ns/s{at}", f"10.1.{at}"))
    its = FamilyProxy(options(), host, sections)
    its.update(objects, objects.services)

    def take_some(lines: Iterable[str]) -> None:
        assert len(list(islice(lines, 50))) == 50
        raise LockTimeout("iptables-restore", "another program has held the xtables lock")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "restore", take_some)
        with pytest.raises(LockTimeout):
            its.sync()
    assert its.sync().was_read
    assert is_in_sync(host, objects)


def test_the_share_that_has_been_taken_is_told_now_and_then_while_lines_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a clock that goes on by more than the interval whenever somebody looks at it."""
    ticks = count(step=INTERVAL + 1)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    with capture_logs() as logs:
        lines = iter(Progress(["-A X -j Y"] * 4096, lambda taken: taken / 4096, Family.IPV4))
        assert len(list(islice(lines, 2048))) == 2048
        assert [log["done"] for log in logs] == ["0%", "25%"]
        assert len(list(lines)) == 2048
    assert [log["done"] for log in logs] == ["0%", "25%", "50%", "75%"]
    objects = snapshot(*(service(f"ns/s{number}", f"10.96.{number >> 8}.{number & 255}") for number in range(1500)))
    proxy = FamilyProxy(options(dispatch=Dispatch.TREE), MemoryHost())
    proxy.update(objects, objects.services)
    with capture_logs() as logs:
        proxy.sync()
    assert {log["event"] for log in logs} == {"writing rules"}


def test_what_is_refused_in_parts_is_written_in_one(host: FailingHost) -> None:
    its = FamilyProxy(options(), host, lambda plan: sections(plan, 1))
    its.update(cluster(), [WEB, DB])
    host.failures = iter([RestoreError("iptables-restore", "no", 3, "-A KUBE-SERVICES -j ACCEPT")])
    assert not its.sync().is_sectioned
    assert is_in_sync(host, cluster())
