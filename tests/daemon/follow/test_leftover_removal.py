"""When the tables of kube-proxy's nftables mode are deleted: never before our own rules have taken their place."""

from collections.abc import Iterable

import pytest

from pykubeproxy.daemon.follow import leftovers
from pykubeproxy.daemon.follow.leftovers import LeftoverRemoval
from pykubeproxy.host.nft_tables import TableDeletion
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import OF_FAMILY, NftTable
from tests.daemon.fakes import finished

PORT = 77


class Kernel:
    """Has a table of each family, and notes which are deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.asked = 0

    def find(self, families: Iterable[Family]) -> Leftovers:
        self.asked += 1
        tables = tuple(NftTable(OF_FAMILY[family], "kube-proxy") for family in families)
        return Leftovers(tables=tables, interfaces=("kube-ipvs0",))

    def delete(self, table: NftTable) -> TableDeletion:
        self.deleted.append(table.family)
        return TableDeletion(PORT)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(leftovers, "find_leftovers", kernel.find)
    monkeypatch.setattr(leftovers, "delete_table", kernel.delete)
    return kernel


def test_each_family_after_its_own_first_sync_that_succeeds(kernel: Kernel) -> None:
    removal = LeftoverRemoval(Family, tuple(Family), is_dry=False)
    removal.synced(finished(None))
    assert kernel.deleted == []
    removal.synced(finished(family=Family.IPV6))
    assert kernel.deleted == ["ip6"]
    removal.synced(finished())
    assert kernel.deleted == ["ip6", "ip"]
    assert [(write.pid, write.commits) for write in removal.take_restore_runs()] == [(PORT, 1), (PORT, 1)]
    assert removal.take_restore_runs() == ()


def test_shadow_mode_deletes_nothing_and_says_once_what_there_is_to_do(
    kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    removal = LeftoverRemoval(Family, tuple(Family), is_dry=True)
    assert not removal.would_delete
    for family in Family:
        removal.synced(finished(family=family))
    assert (kernel.deleted, removal.would_delete, kernel.asked) == ([], True, len(Family))
    said = "".join(capsys.readouterr())
    assert said.count("interface kube-ipvs0") == said.count("ip link delete kube-ipvs0") == 1
