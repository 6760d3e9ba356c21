"""What dumps allow to be compared: of a table that is not in any of them, nothing is known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from pykubeproxy.cli.dumps import missing_tables
from pykubeproxy.host.errors import SaveError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, service_ports
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.ruleset import TABLES, Ruleset


class MissingTables(msgspec.Struct, frozen=True):
    """The tables of one family that would be compared if they were there."""

    family: Family
    tables: tuple[str, ...]

    def note(self, dumps: Sequence[str]) -> str:
        """`note: dump.txt has no table filter (ipv4): it was not compared`."""
        have = "has" if len(dumps) == 1 else "have"
        were = "it was" if len(self.tables) == 1 else "they were"
        tables = " and no table ".join(self.tables)
        return f"note: {', '.join(dumps)} {have} no table {tables} ({self.family.lower()}): {were} not compared"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The live rules that can be compared, by family, and what is missing: nothing, unless they are from dumps.

    `unread` names what of the objects could not be read.
    """

    live: Mapping[Family, Ruleset]
    gaps: tuple[MissingTables, ...] = ()
    unread: tuple[str, ...] = ()

    def limited(self, desired: Ruleset, family: Family) -> Ruleset:
        """The tables of `desired` that can be compared. A node that lacks one has it empty, and is no gap."""
        missing = {table for gap in self.gaps if gap.family is family for table in gap.tables}
        tables = {name: table for name, table in desired.tables.items() if name not in missing}
        return Ruleset(tables=tables, shared=desired.shared)


def from_dumps(
    live: Mapping[Family, Ruleset], dumps: Sequence[str], families: Sequence[Family], objects: Iterable[Object]
) -> Compared:
    """What there is to compare in `dumps`, which were read as `live`. Raises SaveError if that is nothing.

    A family of `families` that they do not have at all is only missed if some of the objects are served in it: most
    dumps are of one family, and so are most clusters.
    """
    found = {family: its for family, its in live.items() if missing_tables(its) != TABLES}
    if not found:
        raise SaveError(
            f"{', '.join(dumps)}: neither table {' nor table '.join(TABLES)} is there, and no other is compared; "
            "the whole output of iptables-save is expected"
        )
    return Compared(live=found, gaps=tuple(_missing(live, families, objects)))


def _missing(
    live: Mapping[Family, Ruleset], families: Iterable[Family], objects: Iterable[Object]
) -> Iterator[MissingTables]:
    services = [obj for obj in objects if isinstance(obj, Service)]
    for family in families:
        missing = missing_tables(live.get(family, Ruleset()))
        if missing and (family in live or any(service_ports(service, family) for service in services)):
            yield MissingTables(family, missing)
