"""Deletes the tables that kube-proxy has left in its nftables mode, once our own rules are in force.

Its rules see connections before ours do. kube-proxy, too, deletes them when it starts in iptables mode.
"""

from collections.abc import Collection, Iterable

from pykubeproxy import logger
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.explain.notes import ipvs_leftovers, ipvs_removal
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.iptables import RestoreRun
from pykubeproxy.host.leftovers import find_leftovers
from pykubeproxy.host.nft_tables import delete_table
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable

log = logger.get()


class LeftoverRemoval(Follower):
    """Deletes the table of each family after the first successful sync of the family; in shadow mode, only logs it.

    The table of a family that is not served is deleted after the first sync of the other one. What is left of the ipvs
    mode is logged once.
    """

    def __init__(self, families: Iterable[Family], served: Collection[Family], *, is_dry: bool) -> None:
        """`families` are those that are asked for, `served` those of them that have tools."""
        self._waiting = set(families)
        self._served = frozenset(served)
        self._is_dry = is_dry
        self._is_ipvs_logged = False
        self.would_delete = False
        """True in shadow mode if there is a table that would be deleted otherwise."""
        self._writes: list[RestoreRun] = []

    def take_restore_runs(self) -> tuple[RestoreRun, ...]:
        """The deletions since the last call, as writes to nftables by this program."""
        writes, self._writes = tuple(self._writes), []
        return writes

    def synced(self, sync: FinishedSync) -> None:
        """Delete the table that the rules of this family replace."""
        if sync.result is None or sync.family not in self._waiting:
            return
        due = {family for family in self._waiting if family is sync.family or family not in self._served}
        self._waiting -= due
        left = find_leftovers(sorted(due))
        for table in left.tables:
            self._remove(table)
        self._log_ipvs(left)

    def _remove(self, table: NftTable) -> None:
        if self._is_dry:
            self.would_delete = True
            log.info("would delete what kube-proxy has left in nftables mode", table=table.title)
            return
        try:
            deletion = delete_table(table)
        except HostError as error:
            log.warning(
                "cannot delete what kube-proxy has left in nftables mode; its rules come before ours",
                table=table.title,
                error=str(error),
            )
            return
        if deletion is not None:
            self._writes.append(RestoreRun(pid=deletion.port, commits=1))
            log.info("deleted what kube-proxy had left in nftables mode", table=table.title)

    def _log_ipvs(self, left: Leftovers) -> None:
        if left.has_ipvs and not self._is_ipvs_logged:
            self._is_ipvs_logged = True
            log.warning(
                "kube-proxy has left something in ipvs mode, which can disturb connections to Services",
                left="; ".join(ipvs_leftovers(left)),
                remove_with=ipvs_removal(left),
            )
