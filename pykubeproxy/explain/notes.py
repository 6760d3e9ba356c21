"""The words for what a comparison, or a trace, leaves out."""

from collections.abc import Sequence

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.rules.ruleset import Unread


class MissingTables(msgspec.Struct, frozen=True):
    """The tables of one IP family that would be compared if the dumps had them."""

    family: Family
    tables: tuple[str, ...]


def missing_text(missing: MissingTables, dumps: Sequence[str]) -> str:
    """`dump.txt has no table filter (ipv4): it was not compared`."""
    were = "it was" if len(missing.tables) == 1 else "they were"
    return f"{no_table_text(missing, dumps)}: {were} not compared"


def no_table_text(missing: MissingTables, dumps: Sequence[str]) -> str:
    """`dump.txt has no table filter (ipv4)`."""
    have = "has" if len(dumps) == 1 else "have"
    return f"{', '.join(dumps)} {have} no table {' and no table '.join(missing.tables)} ({missing.family.lower()})"


def unread_text(table: str, unread: Unread) -> str:
    """Which rules in a table of iptables could not be read."""
    where = f" (in {', '.join(unread.chains)})" if unread.chains else ""
    return f"table {table}: rules of other programs{where}, which iptables cannot print: nft list table shows them"


def other_table_text(table: NftTable, *, is_leftover: bool) -> str:
    """A table of nftables, and who deletes it if kube-proxy has left it."""
    if not is_leftover:
        return str(table)
    return f"{table}, left by kube-proxy's nftables mode: `pykubeproxy run` and `pykubeproxy cleanup` delete it"


def ipvs_text(leftovers: Leftovers) -> str:
    """What is left of kube-proxy's ipvs mode, of which there must be something, and how to remove it."""
    left = "; ".join(ipvs_leftovers(leftovers))
    return f"left by kube-proxy's ipvs mode: {left}; to remove it: {ipvs_removal(leftovers)}"


def ipvs_leftovers(leftovers: Leftovers) -> tuple[str, ...]:
    """What is left of the ipvs mode: interfaces and IP sets, by name."""
    interfaces = (f"interface {name}" for name in leftovers.interfaces)
    return (*interfaces, f"IP sets {', '.join(leftovers.ip_sets)}") if leftovers.ip_sets else tuple(interfaces)


def ipvs_removal(leftovers: Leftovers) -> str:
    """The shell command that removes what is left of the ipvs mode."""
    commands = ["ipvsadm --clear"] if leftovers.interfaces and leftovers.has_virtual_services else []
    commands += [f"ip link delete {name}" for name in leftovers.interfaces]
    commands += [f"ipset destroy {name}" for name in leftovers.ip_sets]
    return "; ".join(commands)
