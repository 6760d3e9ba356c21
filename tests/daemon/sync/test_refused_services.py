"""Rules that the node refuses: the Services that they are for stay as they were, and everybody else is served."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.sync.family import FamilyProxy, SyncResult
from pykubeproxy.daemon.sync.set_aside import FIRST_PAUSE, LONGEST_PAUSE
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.service import Protocol
from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.refused import EXTENSIONS, Extension, without
from pykubeproxy.plan.sections import whole
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from tests.builders import options, port, service, slice_of, slice_port, snapshot
from tests.daemon.fakes import Clock, act_until, changed, loop_of
from tests.memory_host import MemoryHost

MISSING = "No such file or directory"


class PickyHost(MemoryHost):
    """Refuses a table with a line that matches, as the tools say it: with the line, its COMMIT, or the extension."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = ""
        self.says = MISSING
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
        commit = document.index("COMMIT", number) + 1
        match self.says:
            case "COMMIT":
                raise RestoreError("restore", f"line {commit} failed", commit, "COMMIT")
            case "extension":
                warning = f"Warning: Extension {what} revision 0 not supported, missing kernel module?"
                raise RestoreError("restore", f"{warning}; line {number} failed", commit, "COMMIT")
        raise RestoreError("restore", f"RULE_APPEND failed ({self.says})", number, document[number - 1])


WEB = (service("ns/web", "172.30.0.1"), slice_of("ns/web", "10.0.0.1"))
STICKY = (service("ns/sticky", "172.30.0.2", affinity_seconds=60), slice_of("ns/sticky", "10.0.0.2"))
TWO = (service("ns/two", "172.30.0.3"), slice_of("ns/two", "10.0.0.3", "10.0.0.4"))
NODE_PORT, SCTP_PORT = port(node_port=30080), port(protocol=Protocol.SCTP)
PORT = (service("ns/port", "172.30.0.4", type="NodePort", ports=(NODE_PORT,)), slice_of("ns/port", "10.0.0.5"))
SCTP_SLICE = slice_of("ns/sctp", "10.0.0.6", ports=(slice_port(protocol=Protocol.SCTP),))
SCTP = (service("ns/sctp", "172.30.0.5", ports=(SCTP_PORT,)), SCTP_SLICE)
ALL = (WEB, STICKY, TWO, PORT, SCTP)
# Which of them cannot be served without an extension.
NEEDS = {"recent": (STICKY,), "statistic": (TWO,), "sctp": (SCTP,), "addrtype": (), "--random-fully": ()}


def flat(groups: Iterable[tuple[Object, ...]]) -> list[Object]:
    return [obj for group in groups for obj in group]


class Bed:
    """A host that refuses rules, and a proxy for some objects."""

    def __init__(self, refuses: str, *objects: Object, says: str = MISSING, its: RuleOptions | None = None) -> None:
        self.host = PickyHost()
        self.host.refuses, self.host.says = refuses, says
        self.objects = snapshot(*objects)
        self.clock = Clock()
        self.proxy = FamilyProxy(its or options(), self.host, whole, self.clock)
        self.proxy.update(self.objects, self.objects.services)

    def change(self, *objects: Object) -> SyncResult:
        """Sync after a change."""
        for obj in objects:
            self.proxy.update(self.objects, self.objects.put(obj))
        return self.proxy.sync()

    def holds(self, *objects: Object, its: RuleOptions | None = None) -> bool:
        """True if the rules are those of just these objects."""
        return diff(compile_ruleset(snapshot(*objects), its or options()), self.host.save()).is_empty


@pytest.mark.parametrize("says", [MISSING, "COMMIT", "extension"])
@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize("missing", EXTENSIONS, ids=lambda missing: missing.name)
def test_all_others_are_served(missing: Extension, dispatch: Dispatch, says: str) -> None:
    its, needing = options(dispatch=dispatch), NEEDS[missing.name]
    bed = Bed(missing.text.strip(), *flat(ALL), says=says, its=its)
    refused = bed.proxy.sync().refused
    assert bed.holds(*flat(group for group in ALL if group not in needing), its=without(its, [missing]))
    assert refused.services == len(needing)
    assert {each.service for each in refused.new} == {group[0].key for group in needing}
    assert {each.module for each in refused.new} <= {missing.module}
    assert bed.host.attempts <= len(EXTENSIONS) + 2


def test_a_service_stays_as_it_was_in_every_table() -> None:
    """With endpoints at last, it would no longer be refused in filter; as nat cannot follow, that stays as well."""
    bed = Bed("", *WEB, STICKY[0])
    bed.proxy.sync()
    bed.host.refuses = "-m recent"
    moved = slice_of("ns/web", "10.0.0.9")
    assert bed.change(STICKY[1], moved).refused.services == 1
    assert bed.holds(WEB[0], moved, STICKY[0])


@pytest.mark.parametrize("refuses", ["--to-destination 10.0.0.2:", "-d 172.30.0.2/32"])
def test_one_line_that_is_refused_for_another_reason(refuses: str) -> None:
    """Others that use the same extensions are not concerned; one refused in a shared chain is found by its comment."""
    other = (service("ns/other", "172.30.0.9", affinity_seconds=60), slice_of("ns/other", "10.0.0.9"))
    bed = Bed(refuses, *WEB, *STICKY, *other, says="Invalid argument")
    assert [refused.service for refused in bed.proxy.sync().refused.new] == [("ns", "sticky")]
    assert bed.holds(*WEB, *other)


def test_it_is_tried_again_at_a_pace() -> None:
    bed = Bed("-m recent")
    loop = loop_of(bed.clock, bed.proxy, retry_interval=1e6)
    start, tries = bed.clock.now, [0]
    with capture_logs() as logs:
        loop.take(changed(*WEB, *STICKY))
        loop.act()
        attempts = bed.host.attempts
        while bed.clock.now < start + 4000:
            act_until(loop, bed.clock, bed.clock.now + 1)
            if bed.host.attempts > attempts:
                tries.append(round(bed.clock.now - start))
                attempts = bed.host.attempts
        waits = [after - before for before, after in pairwise(tries)]
        assert waits[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], abs=2)
        assert max(waits) == pytest.approx(LONGEST_PAUSE, abs=2)
        bed.host.refuses = ""
        act_until(loop, bed.clock, bed.clock.now + LONGEST_PAUSE + 1)
    assert bed.holds(*WEB, *STICKY)
    (error,) = [line for line in logs if line["log_level"] in ("error", "warning")]
    assert (error["services"], error["missing_module"], MISSING in error["error"]) == ("ns/sticky", "xt_recent", True)
    assert [line["services"] for line in logs if line["event"] == "Services are no longer refused"] == ["ns/sticky"]


def test_rules_that_are_there_and_refused_now_are_left_out() -> None:
    """Somebody has flushed all, and what a Service had before is refused as well."""
    bed = Bed("", *WEB, *STICKY)
    bed.proxy.sync()
    bed.host.refuses = "-m recent"
    bed.host.ruleset.tables.clear()
    bed.proxy.distrust()
    assert bed.proxy.sync().refused.services == 1
    assert bed.holds(*WEB)
    bed.host.refuses = ""
    bed.proxy.retry()
    assert bed.proxy.sync().refused.back == (("ns", "sticky"),)
    assert bed.holds(*WEB, *STICKY)
