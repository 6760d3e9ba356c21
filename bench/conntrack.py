"""How long stale UDP flows take to be found and deleted in a large table: `python -m bench.conntrack [ENTRIES]`.

Needs root. Works in a network namespace of its own, whose table is filled without traffic.
"""

import sys
import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from pykubeproxy.flows.stale import FlowCheck
from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.model.ip import Family
from tests.host.flows import TCP, UDP, connection, insert, packed
from tests.host.namespace import namespace

ENTRIES = 100_000
LIMIT = 2.0


class Case(Struct, frozen=True, kw_only=True):
    """What is in the table, and which endpoint of the Service is left."""

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


def connections(case: Case, entries: int) -> Iterator[bytes]:
    """The table's content: clients that differ, endpoints in turn."""
    destination = case.goes_to or case.service
    for number in range(entries):
        host, port = divmod(number, 50_000)
        client = f"10.244.0.{host}" if case.family is Family.IPV4 else f"[fd00:2::{host:x}]"
        yield connection(f"{client}:{port + 1}", destination, case.endpoints[number % 2], case.protocol)


def measure(case: Case) -> tuple[float, float, int]:
    """Seconds to find, seconds to delete, flows deleted; in the calling thread's namespace."""
    table = ConntrackTable()
    serving = frozenset(map(packed, case.serving))
    check = FlowCheck(family=case.family, serving={packed(case.service): serving})
    begin = time.perf_counter()
    stale = table.stale(check)
    found = time.perf_counter()
    removal = table.delete(stale)
    end = time.perf_counter()
    assert not removal.refused, removal
    assert not table.stale(check)
    return found - begin, end - found, removal.deleted


def prepared(case: Case, entries: int) -> Callable[[], tuple[float, float, int]]:
    """The whole run of a case, for a thread in a namespace."""

    def run() -> tuple[float, float, int]:
        insert(connections(case, entries))
        return measure(case)

    return run


def main() -> int:
    """Print the figures; 1 if any case took too long."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    slowest = 0.0
    print(f"{entries} entries            find    delete   total  deleted")
    for case in CASES:
        with namespace() as node:
            find, delete, deleted = node.run(prepared(case, entries))
        slowest = max(slowest, find + delete)
        print(f"{case.title:24} {find:6.3f} s {delete:6.3f} s {find + delete:6.3f} s {deleted:7}")
    return int(slowest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
