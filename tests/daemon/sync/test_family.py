"""One family: what the kernel is believed to hold moves only when a restore succeeded."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from pykubeproxy.daemon.sync import family
from pykubeproxy.daemon.sync.family import FamilyProxy, ShadowProxy
from pykubeproxy.host.errors import HostError, LockTimeout, RestoreError
from pykubeproxy.host.protocol import Counted
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import ObjectId, Snapshot
from pykubeproxy.plan.diff import Plan, diff, diff_chains
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import TABLES, ChainId, Ruleset
from tests.builders import options, port, service, slice_of, snapshot
from tests.memory_host import MemoryHost

WEB, DB = ServiceKey("ns", "web"), ServiceKey("ns", "db")


class WatchedHost(MemoryHost):
    """A host that counts how often it is read, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.written: list[list[str]] = []
        self.failures: list[HostError] = []

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        self.reads += 1
        return super().save(known, tables, counted)

    def restore(self, lines: Iterable[str]) -> None:
        document = list(lines)
        if self.failures:
            raise self.failures.pop()
        super().restore(document)
        self.written.append(document)


def cluster() -> Snapshot:
    return snapshot(
        service("ns/web", ports=(port(node_port=30080),)),
        slice_of("ns/web", "10.0.0.1", "10.0.0.2"),
        service("ns/db", "172.30.0.42"),
    )


@pytest.fixture
def host() -> WatchedHost:
    return WatchedHost()


@pytest.fixture
def proxy(host: WatchedHost) -> FamilyProxy:
    """In sync with `cluster`."""
    its = FamilyProxy(options(), host)
    its.update(cluster(), [WEB, DB])
    its.sync()
    return its


def is_in_sync(host: MemoryHost, objects: Snapshot, its: RuleOptions | None = None) -> bool:
    return diff(compile_ruleset(objects, its or options()), host.save()).is_empty


def test_the_first_sync_reads_and_writes(host: WatchedHost) -> None:
    its = FamilyProxy(options(), host)
    its.update(cluster(), [WEB, DB])
    assert host.reads == 0
    synced = its.sync()
    assert synced.was_read
    assert synced.is_written
    assert synced.drifted == ()
    assert host.reads == 1
    assert is_in_sync(host, cluster())


def test_a_second_sync_has_nothing_to_do_and_does_not_read(host: WatchedHost, proxy: FamilyProxy) -> None:
    synced = proxy.sync()
    assert synced.plan.is_empty
    assert not synced.was_read
    assert host.reads == 1
    assert host.written[1:] == [[]]


def test_a_restart_adopts_what_is_there(host: WatchedHost, proxy: FamilyProxy) -> None:
    del proxy
    again = FamilyProxy(options(), host)
    again.update(cluster(), [WEB, DB])
    synced = again.sync()
    assert synced.was_read
    assert synced.plan.is_empty
    assert host.written[-1] == []


def test_a_change_writes_what_it_changes(host: WatchedHost, proxy: FamilyProxy) -> None:
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.1", "10.0.0.3")))
    synced = proxy.sync()
    assert host.reads == 1
    assert {change.chain[:9] for change in synced.plan.chains} == {"KUBE-SVC-", "KUBE-SEP-"}
    assert len(synced.plan.chains) == 3, "the policy chain, the endpoint that came, the one that went"
    assert is_in_sync(host, objects)


def test_a_sync_looks_only_at_what_has_changed_since_the_last_one(
    proxy: FamilyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[set[ChainId]] = []

    def recorded(desired: Ruleset, live: Ruleset, chains: Iterable[ChainId]) -> Plan:
        looked_at.append(set(chains))
        return diff_chains(desired, live, looked_at[-1])

    monkeypatch.setattr(family, "diff_chains", recorded)
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.1", "10.0.0.3")))
    proxy.sync()
    proxy.sync()
    assert [len(chains) for chains in looked_at] == [3, 0]


def test_a_service_that_goes_takes_its_chains_with_it(host: WatchedHost, proxy: FamilyProxy) -> None:
    objects = cluster()
    proxy.update(objects, objects.remove(ObjectId("Service", "ns", "web")))
    proxy.sync()
    assert is_in_sync(host, objects)
    assert not any(chain.startswith("KUBE-SEP-") for chain in host.ruleset.tables["nat"].chains)


def test_a_refused_plan_is_made_anew_from_the_live_rules(host: WatchedHost, proxy: FamilyProxy) -> None:
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))
    host.failures = [RestoreError("iptables-restore", "no", 3)]
    synced = proxy.sync()
    assert synced.was_read
    assert host.reads == 2
    assert is_in_sync(host, objects)


def test_when_that_fails_too_nothing_is_lost(host: WatchedHost, proxy: FamilyProxy) -> None:
    objects = cluster()
    before = host.save()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))
    host.failures = [RestoreError("iptables-restore", "no"), RestoreError("iptables-restore", "no")]
    with pytest.raises(RestoreError):
        proxy.sync()
    assert host.save() == before
    reads = host.reads
    synced = proxy.sync()
    assert synced.was_read
    assert host.reads == reads + 1
    assert is_in_sync(host, objects)


def test_waiting_for_the_lock_is_not_a_reason_to_try_at_once(host: WatchedHost, proxy: FamilyProxy) -> None:
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))
    host.failures = [LockTimeout("iptables-restore", "locked")]
    with pytest.raises(LockTimeout):
        proxy.sync()
    assert not is_in_sync(host, objects)
    assert proxy.sync().was_read, "a part of it may have been committed before"
    assert is_in_sync(host, objects)


def test_what_was_stopped_halfway_is_not_believed(
    host: WatchedHost, proxy: FamilyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to end in the middle of a restore: some of it is in the kernel, and nobody knows how much."""
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(host, "restore", interrupted)
        with pytest.raises(KeyboardInterrupt):
            proxy.sync()
    assert proxy.sync().was_read
    assert is_in_sync(host, objects)


def test_a_failed_read_is_tried_again(host: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    its = FamilyProxy(options(), host)
    its.update(cluster(), [WEB, DB])

    def refuse(*_: object, **__: object) -> Ruleset:
        raise HostError("no")

    with monkeypatch.context() as patch:
        patch.setattr(host, "save", refuse)
        with pytest.raises(HostError):
            its.sync()
    its.sync()
    assert is_in_sync(host, cluster())


def test_what_others_have_changed_is_repaired_and_named(host: WatchedHost, proxy: FamilyProxy) -> None:
    nat = host.ruleset.tables["nat"].chains
    (policy,) = (chain for chain in nat if chain.startswith("KUBE-SVC-"))
    nat[policy] = nat[policy][:1]
    nat["OUTPUT"] = ()
    nat["KUBE-SVC-FOREIGNFOREIGNFO"] = ()
    nat["DOCKER"] = ("-A DOCKER -j RETURN",)
    assert proxy.sync().plan.is_empty, "nobody has told yet"
    proxy.distrust()
    synced = proxy.sync()
    assert synced.was_read
    assert set(synced.drifted) == {("nat", policy), ("nat", "OUTPUT"), ("nat", "KUBE-SVC-FOREIGNFOREIGNFO")}
    assert is_in_sync(host, cluster())
    assert host.ruleset.lines("nat", "DOCKER") == ("-A DOCKER -j RETURN",)


def test_a_change_of_the_cluster_is_no_drift(proxy: FamilyProxy) -> None:
    objects = cluster()
    proxy.update(objects, objects.put(slice_of("ns/web", "10.0.0.9")))
    proxy.distrust()
    synced = proxy.sync()
    assert not synced.plan.is_empty
    assert synced.drifted == ()


def test_other_options_are_compiled_anew(host: WatchedHost, proxy: FamilyProxy) -> None:
    other = replace(options(), masquerade_bit=20, masquerade_all=True)
    proxy.reconfigure(other, cluster())
    assert proxy.options == other
    assert not proxy.sync().plan.is_empty
    assert is_in_sync(host, cluster(), other)


def test_a_shadow_never_writes(host: WatchedHost) -> None:
    its = ShadowProxy(options(), host)
    its.update(cluster(), [WEB, DB])
    for _ in range(2):
        synced = its.sync()
        assert not synced.plan.is_empty
        assert (synced.was_read, synced.is_written) == (True, False)
    assert host.written == []
    assert host.ruleset.tables == {}


def test_rule_counts_are_those_of_our_own_chains(proxy: FamilyProxy) -> None:
    """The reference's counts, section 18: 5 + (2 + 3n) + EXT 2 + node port 1; filter 4 + one refusal."""
    assert proxy.rule_counts == {"nat": 5 + 8 + 3, "filter": 5}


def test_an_ipv6_family_has_its_own_rules(host: WatchedHost) -> None:
    its = FamilyProxy(options(Family.IPV6), host)
    its.update(cluster(), [WEB, DB])
    its.sync()
    assert not any(chain.startswith("KUBE-SVC-") for chain in host.ruleset.tables["nat"].chains)


class RivalHost(MemoryHost):
    """A host on which another program puts its rules back after each restore of ours, while `is_contended`."""

    is_contended = True

    def __init__(self, rules: Ruleset) -> None:
        super().__init__(rules.copy())
        self._rules = rules

    def restore(self, lines: Iterable[str]) -> None:
        super().restore(lines)
        if self.is_contended:
            self.ruleset = self._rules.copy()


def test_rules_that_another_program_put_back_do_not_pass_for_ours() -> None:
    """They look like our own in another form: only what the kernel announces, a little later, shows the difference."""
    own, others = options(), options(masquerade_bit=15)
    host = RivalHost(compile_ruleset(cluster(), others))
    proxy = FamilyProxy(own, host)
    proxy.update(cluster(), cluster().services)
    proxy.sync()
    host.is_contended = False
    proxy.has_foreign_change = True
    proxy.distrust()
    proxy.sync()
    assert diff(proxy.desired, host.ruleset).is_empty
