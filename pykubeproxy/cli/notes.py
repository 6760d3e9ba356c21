"""Notes on stderr about what `diff`, `trace` and `top` do not look at."""

from collections.abc import Mapping

import msgspec

from pykubeproxy.cli.errors import print_stderr
from pykubeproxy.explain.notes import ipvs_text, other_table_text, unread_text
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.leftovers import find_leftovers
from pykubeproxy.host.nft_tables import hooked_tables
from pykubeproxy.host.table_info import tables_with_rules
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import INET, LINK_FAMILIES, OF_FAMILY, NftTable
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Ruleset


class OtherTables(msgspec.Struct, frozen=True, kw_only=True):
    """What a kernel holds beside the rules of iptables.

    Packets pass through the tables of nftables, and of the legacy tools, that are `not_looked_at`. `leftovers` are
    kube-proxy's. A node that is only known by a dump, or by objects, has neither.
    """

    not_looked_at: tuple[NftTable, ...] = ()
    leftovers: Leftovers = Leftovers()


def find_other_tables(backends: Mapping[Family, Backend]) -> OtherTables:
    """What there is beside the rules that the tools of these backends show."""
    shown = [OF_FAMILY[family] for family, backend in backends.items() if backend is Backend.NFT]
    own = frozenset(NftTable(family, table) for family in shown for table in BUILTIN_CHAINS)
    families = (*(OF_FAMILY[family] for family in backends), INET, *LINK_FAMILIES)
    legacy = [each for family, its in backends.items() if its is Backend.NFT for each in tables_with_rules(family)]
    return OtherTables(
        not_looked_at=(*hooked_tables(families, without=own), *legacy), leftovers=find_leftovers(backends)
    )


def note_other_tables(others: OtherTables) -> None:
    """Print one line for each table, and one for what is left of the ipvs mode."""
    left = {table.title for table in others.leftovers.tables}
    # The tables that are not looked at come with their hooks.
    by_title = {table.title: table for table in (*others.leftovers.tables, *others.not_looked_at)}
    for title, table in by_title.items():
        print_stderr(f"not looked at: {other_table_text(table, is_leftover=title in left)}")
    note_ipvs(others.leftovers)


def note_ipvs(leftovers: Leftovers) -> None:
    """Print what is left of kube-proxy's ipvs mode; nothing if nothing is."""
    if leftovers.has_ipvs:
        print_stderr(f"note: {ipvs_text(leftovers)}")


def note_unread(rules: Mapping[Family, Ruleset]) -> None:
    """Print which rules of other programs could not be read: one line for each table that has some."""
    for family, ruleset in rules.items():
        for table, unread in ruleset.unread.items():
            print_stderr(f"not read: {family} {unread_text(table, unread)}")
