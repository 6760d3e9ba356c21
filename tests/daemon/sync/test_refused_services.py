"""Rules that the node refuses: the Services that they are for stay as they were, and everybody else is served."""

import re
from collections.abc import Iterable
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.daemon.sync.set_aside import FIRST_PAUSE, LONGEST_PAUSE
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.service import Protocol
from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.refused import EXTENSIONS, Extension, without
from pykubeproxy.plan.sections import sections, whole
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from tests.builders import options, port, service, slice_of, slice_port, snapshot
from tests.daemon.fakes import Clock, act_until, changed, loop_of
from tests.memory_host import MemoryHost


class PickyHost(MemoryHost):
    """Refuses a table with a line that matches, as the tools say it: with the line, its COMMIT, or the extension."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = ""
        self.says = "line"
        self.attempts = 0

    def restore(self, lines: Iterable[str]) -> None:
        document = list(lines)
        self.attempts += bool(document)
        done = 0
        for number, line in enumerate(document, 1):
            if line.startswith("-A") and self.refuses and (found := re.search(self.refuses, line)):
                super().restore(document[:done])
                self._refuse(document, number, found[0].split()[-1])
            if line == "COMMIT":
                done = number
        super().restore(document)

    def _refuse(self, document: list[str], number: int, what: str) -> NoReturn:
        match self.says:
            case "line":
                raise RestoreError(
                    "restore", "RULE_APPEND failed (No such file or directory)", number, document[number - 1]
                )
            case "invalid":
                raise RestoreError("restore", "RULE_APPEND failed (Invalid argument)", number, document[number - 1])
            case "COMMIT":
                number = document.index("COMMIT", number) + 1
                raise RestoreError("restore", f"line {number} failed", number, "COMMIT")
        message = f"Warning: Extension {what} revision 0 not supported, missing kernel module?; line {number} failed"
        raise RestoreError("restore", message, document.index("COMMIT", number) + 1, "COMMIT")


WEB = (service("ns/web", "172.30.0.1"), slice_of("ns/web", "10.0.0.1"))
STICKY = (service("ns/sticky", "172.30.0.2", affinity_seconds=60), slice_of("ns/sticky", "10.0.0.2"))
TWO = (service("ns/two", "172.30.0.3"), slice_of("ns/two", "10.0.0.3", "10.0.0.4"))
PORT = (
    service("ns/port", "172.30.0.4", type="NodePort", ports=(port(node_port=30080),)),
    slice_of("ns/port", "10.0.0.5"),
)
SCTP = (
    service("ns/sctp", "172.30.0.5", ports=(port(protocol=Protocol.SCTP),)),
    slice_of("ns/sctp", "10.0.0.6", ports=(slice_port(protocol=Protocol.SCTP),)),
)
ALL = (WEB, STICKY, TWO, PORT, SCTP)
# Which of them cannot be served without an extension.
NEEDS = {"recent": (STICKY,), "statistic": (TWO,), "sctp": (SCTP,), "addrtype": (), "--random-fully": ()}


def flat(groups: Iterable[tuple[Object, ...]]) -> list[Object]:
    return [obj for group in groups for obj in group]


def proxy_of(
    host: PickyHost, objects: Snapshot, its: RuleOptions | None = None, clock: Clock | None = None
) -> FamilyProxy:
    proxy = FamilyProxy(its or options(), host, clock=clock or Clock())
    proxy.update(objects, objects.services)
    return proxy


def holds(host: MemoryHost, objects: Iterable[Object], its: RuleOptions | None = None) -> bool:
    return diff(compile_ruleset(snapshot(*objects), its or options()), host.save()).is_empty


@pytest.mark.parametrize("says", ["line", "COMMIT", "extension"])
@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize("missing", EXTENSIONS, ids=lambda missing: missing.name)
def test_all_others_are_served(missing: Extension, dispatch: Dispatch, says: str) -> None:
    host, its = PickyHost(), options(dispatch=dispatch)
    host.refuses, host.says = missing.text.strip(), says
    synced = proxy_of(host, snapshot(*flat(ALL)), its).sync()
    needing = NEEDS[missing.name]
    assert holds(host, flat(group for group in ALL if group not in needing), without(its, [missing]))
    assert synced.refused.services == len(needing)
    assert {refused.service for refused in synced.refused.new} == {group[0].key for group in needing}
    assert {refused.module for refused in synced.refused.new} <= {missing.module}
    assert host.attempts <= len(EXTENSIONS) + 2


@pytest.mark.parametrize(("says", "served"), [("line", (WEB, TWO, PORT)), ("COMMIT", (WEB, PORT))])
def test_several_that_are_missing(says: str, served: tuple[tuple[Object, ...], ...]) -> None:
    """Where nobody tells which, all that may be are done without."""
    host = PickyHost()
    host.refuses, host.says = "-m (recent|sctp)", says
    synced = proxy_of(host, snapshot(*flat(ALL))).sync()
    assert synced.refused.services == len(ALL) - len(served)
    its = options() if says == "line" else without(options(), EXTENSIONS)
    assert holds(host, flat(served), its)


def test_a_service_stays_as_it_was_in_every_table() -> None:
    """With endpoints at last, it would no longer be refused in filter; as nat cannot follow, that stays as well."""
    host, objects = PickyHost(), snapshot(*WEB, STICKY[0])
    proxy = proxy_of(host, objects)
    proxy.sync()
    host.refuses = "-m recent"
    proxy.update(objects, objects.put(STICKY[1]) | objects.put(slice_of("ns/web", "10.0.0.9")))
    synced = proxy.sync()
    assert synced.refused.services == 1
    assert holds(host, [WEB[0], slice_of("ns/web", "10.0.0.9"), STICKY[0]])


@pytest.mark.parametrize("split", [whole, lambda plan: sections(plan, 3)])
def test_many_cost_no_more_than_one(split: object) -> None:
    host = PickyHost()
    host.refuses = "-m recent"
    many = [
        (service(f"ns/s{n}", f"172.30.1.{n}", affinity_seconds=60), slice_of(f"ns/s{n}", f"10.0.1.{n}"))
        for n in range(1, 100)
    ]
    objects = snapshot(*flat([WEB, *many]))
    proxy = FamilyProxy(options(), host, split)  # type: ignore[arg-type]
    proxy.update(objects, objects.services)
    assert proxy.sync().refused.services == 99
    assert host.attempts <= 3
    assert holds(host, WEB)
    # Nor does the next one that needs what is known to be missing.
    attempts = host.attempts
    proxy.update(
        objects, objects.put(slice_of("ns/s1", "10.0.1.1", "10.0.1.200")) | objects.put(slice_of("ns/web", "10.0.0.9"))
    )
    proxy.sync()
    assert host.attempts == attempts + 1
    assert holds(host, [WEB[0], slice_of("ns/web", "10.0.0.9")])


def test_one_line_that_is_refused_for_another_reason() -> None:
    """Others that use the same extensions are not concerned; one refused in a shared chain is found by its comment."""
    other = (service("ns/other", "172.30.0.9", affinity_seconds=60), slice_of("ns/other", "10.0.0.9"))
    for refused in ("--to-destination 10.0.0.2:", "-d 172.30.0.2/32"):
        host = PickyHost()
        host.refuses, host.says = refused, "invalid"
        synced = proxy_of(host, snapshot(*WEB, *STICKY, *other)).sync()
        assert [refused.service for refused in synced.refused.new] == [("ns", "sticky")]
        assert holds(host, [*WEB, *other])


def test_what_belongs_to_no_service_fails_as_ever() -> None:
    host = PickyHost()
    host.refuses = "-j MARK"
    with pytest.raises(RestoreError):
        proxy_of(host, snapshot(*WEB)).sync()
    assert host.attempts <= 2


def test_it_is_tried_again_when_it_changes() -> None:
    host, objects = PickyHost(), snapshot(*WEB, *STICKY)
    host.refuses = "-m recent"
    proxy = proxy_of(host, objects)
    proxy.sync()
    plain = service("ns/sticky", "172.30.0.2")
    proxy.update(objects, objects.put(plain))
    synced = proxy.sync()
    assert (synced.refused.services, synced.refused.back) == (0, (("ns", "sticky"),))
    assert holds(host, [*WEB, plain, STICKY[1]])


def test_it_is_tried_again_at_a_pace() -> None:
    clock, host = Clock(), PickyHost()
    host.refuses = "-m recent"
    proxy = FamilyProxy(options(), host, clock=clock)
    loop = loop_of(clock, proxy, retry_interval=1e6)
    start = clock.now
    with capture_logs() as logs:
        loop.take(changed(*WEB, *STICKY))
        loop.act()
        tries, attempts = [], host.attempts
        while clock.now < start + 4000:
            act_until(loop, clock, clock.now + 1)
            if host.attempts > attempts:
                tries.append(round(clock.now - start))
                attempts = host.attempts
        waits = [after - before for before, after in zip([0, *tries], tries, strict=False)]
        assert waits[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], abs=2)
        assert max(waits) == pytest.approx(LONGEST_PAUSE, abs=2)
        host.refuses = ""
        act_until(loop, clock, clock.now + LONGEST_PAUSE + 1)
    assert holds(host, [*WEB, *STICKY])
    (error,) = [line for line in logs if line["log_level"] in ("error", "warning")]
    assert (error["services"], error["missing_module"]) == ("ns/sticky", "xt_recent")
    assert "No such file or directory" in error["error"]
    assert [line["services"] for line in logs if line["event"] == "Services are no longer refused"] == ["ns/sticky"]


def test_rules_that_are_there_and_refused_now_are_left_out() -> None:
    """Somebody has flushed all, and what a Service had before is refused as well."""
    host, objects = PickyHost(), snapshot(*WEB, *STICKY)
    proxy = proxy_of(host, objects)
    proxy.sync()
    host.refuses = "-m recent"
    host.ruleset.tables.clear()
    proxy.distrust()
    assert proxy.sync().refused.services == 1
    assert holds(host, WEB)
    host.refuses = ""
    proxy.retry()
    assert proxy.sync().refused.back == (("ns", "sticky"),)
    assert holds(host, [*WEB, *STICKY])
