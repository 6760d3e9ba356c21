"""How long stale UDP flows take to be found and deleted in a large table, which is filled without traffic."""

from collections.abc import Iterator

from msgspec import Struct

from bench.figures import Figure, Target, timed
from bench.harness import Run, Timing, clocked
from bench.namespaces import run_in_fresh
from pykubeproxy.flows.stale import FlowCheck
from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.model.ip import Family
from tests.host.flows import TCP, UDP, connection, insert, packed

TITLE = "stale flows found and deleted"

_LIMIT = Target(text="≤ 2 s", limit=2.0)


class Case(Struct, frozen=True, kw_only=True):
    """What is in the table, and which endpoints of the Service are left."""

    title: str
    family: Family = Family.IPV4
    service: str = "10.96.0.10:53"
    endpoints: tuple[str, str] = ("10.0.0.1:5353", "10.0.0.9:5353")
    protocol: int = UDP
    goes_to: str = ""
    serving: tuple[str, ...] = ()


CASES = (
    Case(title="UDP, all stale"),
    Case(title="UDP, half stale", serving=("10.0.0.1:5353",)),
    Case(title="UDP, none stale", serving=("10.0.0.1:5353", "10.0.0.9:5353")),
    Case(title="UDP, of others", goes_to="198.51.100.7:53"),
    Case(title="TCP only", protocol=TCP),
    Case(
        title="UDP over IPv6, all stale",
        family=Family.IPV6,
        service="[fd00::10]:53",
        endpoints=("[fd00:1::1]:5353", "[fd00:1::9]:5353"),
    ),
)


def figures(run: Run) -> Iterator[Figure]:
    """Measure all cases; the tools have nothing to do with it."""
    entries = run.choose(10_000, 100_000)
    run.say(f"{TITLE}: {entries:,} entries")
    for case in CASES:
        timing = run_in_fresh(measure, case, entries)
        yield timed(TITLE, f"{case.title}, {entries:,} entries", timing, target=None if run.is_quick else _LIMIT)


def measure(case: Case, entries: int) -> Timing:
    """Fill the table of the calling process's namespace, and take out what is stale."""
    insert(_connections(case, entries))
    table = ConntrackTable()
    serving = frozenset(map(packed, case.serving))
    check = FlowCheck(family=case.family, serving={packed(case.service): serving})
    taken = clocked(lambda: table.delete(table.stale(check)))
    assert not table.stale(check)
    return Timing((taken,))


def _connections(case: Case, entries: int) -> Iterator[bytes]:
    """The table's content: clients that differ, endpoints in turn."""
    destination = case.goes_to or case.service
    for number in range(entries):
        host, port = divmod(number, 50_000)
        client = f"10.244.0.{host}" if case.family is Family.IPV4 else f"[fd00:2::{host:x}]"
        yield connection(f"{client}:{port + 1}", destination, case.endpoints[number % 2], case.protocol)
