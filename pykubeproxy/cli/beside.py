"""What is in the kernel beside the rules that `diff` compares and `trace` walks through."""

from collections.abc import Iterator, Mapping

import msgspec

from pykubeproxy.cli.common import complain
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.leftovers import Leftovers, find_leftovers
from pykubeproxy.host.nft_tables import hooked_tables
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import INET, LINK_FAMILIES, OF_FAMILY, NftTable
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Tables of nftables that are `not_looked_at` though packets pass through them, and `leftovers` of kube-proxy.

    Of a node that is only known by a dump or by objects, there is nothing.
    """

    not_looked_at: tuple[NftTable, ...] = ()
    leftovers: Leftovers = Leftovers()

    def tell(self) -> None:
        """One line for each table, and one for what is left of the ipvs mode, on stderr."""
        for line in self._lines():
            complain(line)

    def _lines(self) -> Iterator[str]:
        by_title = {table.title: table for table in (*self.leftovers.tables, *self.not_looked_at)}
        left = {table.title for table in self.leftovers.tables}
        for title, table in by_title.items():
            yield f"not looked at: {table}{_DELETED_BY if title in left else ''}"
        if note := ipvs_note(self.leftovers):
            yield note


_DELETED_BY = ", left by kube-proxy's nftables mode: `pykubeproxy run` and `pykubeproxy cleanup` delete it"


def look_beside(backends: Mapping[Family, Backend]) -> Beside:
    """What there is beside the rules that the tools of these backends show."""
    shown = [OF_FAMILY[family] for family, backend in backends.items() if backend is Backend.NFT]
    own = frozenset(NftTable(family, table) for family in shown for table in BUILTIN_CHAINS)
    families = (*(OF_FAMILY[family] for family in backends), INET, *LINK_FAMILIES)
    return Beside(not_looked_at=hooked_tables(families, without=own), leftovers=find_leftovers(backends))


def ipvs_note(left: Leftovers) -> str:
    """What is left of kube-proxy's ipvs mode, and the command that removes it; empty if nothing is."""
    if not left.ipvs:
        return ""
    return f"note: left by kube-proxy's ipvs mode: {'; '.join(left.ipvs)}; to remove it: {left.ipvs_removal}"
