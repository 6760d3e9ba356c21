"""Tables of nftables as the kernel lists them, and their end."""

import sys

import pytest

from pykubeproxy.host import nft_tables
from pykubeproxy.host.generations import GenerationMonitor
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.host.nft_tables import delete_table, existing_tables, has_nftables, hooked_tables
from pykubeproxy.model.nft_table import NftTable
from tests.host.namespace import Namespace, namespace, needs_root
from tests.kernel.nftables import needs_nft

pytestmark = [needs_root, needs_nft]

ALL = ("ip", "ip6", "inet", "bridge", "netdev")
RULESET = """
table inet firewalld {
    chain in { type filter hook input priority 10; policy accept; ct state invalid drop; }
    chain out { type filter hook forward priority 10; policy drop; }
    chain jumped { accept; }
}
table inet empty {
    chain in { type filter hook input priority 0; policy accept; }
    chain through { type filter hook forward priority 0; policy accept; }
}
table inet sleeping {
    flags dormant
    chain in { type filter hook input priority 0; policy drop; }
}
table inet no-hook {
    chain in { accept; }
}
table ip nat {
    chain pre { type nat hook prerouting priority -100; counter; }
}
table ip calico {
    chain pre { type filter hook prerouting priority -300; counter; }
    chain post { type filter hook postrouting priority 300; counter; }
}
table ip6 other {
    chain out { type route hook output priority 0; counter; }
}
table bridge ports {
    chain through { type filter hook forward priority 0; counter; }
}
table netdev cilium {
    chain lo { type filter hook ingress device lo priority 0; counter; }
}
table arp ignored {
    chain in { type filter hook input priority 0; counter; }
}
"""


def filled(node: Namespace) -> None:
    node.exec("nft", "-f", "-", stdin=RULESET)


def test_tables_that_packets_pass_and_their_hooks() -> None:
    with namespace() as node:
        assert node.run(lambda: hooked_tables(ALL, frozenset())) == ()
        filled(node)
        own = frozenset({NftTable("ip", "nat"), NftTable("ip6", "nat")})
        found = node.run(lambda: hooked_tables(ALL, own))
        of_some = node.run(lambda: hooked_tables(("ip", "inet"), frozenset()))
    assert found == (
        NftTable("bridge", "ports", ("forward",)),
        NftTable("inet", "firewalld", ("forward", "input")),
        NftTable("ip", "calico", ("postrouting", "prerouting")),
        NftTable("ip6", "other", ("output",)),
        NftTable("netdev", "cilium", ("ingress",)),
    )
    assert str(found[1]) == "table inet firewalld (hooks forward, input)"
    assert str(found[0]) == "table bridge ports (hook forward)"
    assert [f"{table.family} {table.name}" for table in of_some] == ["inet firewalld", "ip calico", "ip nat"]


def test_only_the_family_of_a_table_of_interest_is_asked_for_its_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def no_hooks(family: str) -> tuple[()]:
        asked.append(family)
        return ()

    monkeypatch.setattr(nft_tables, "_active_hooks", no_hooks)
    with namespace() as node:
        node.exec("iptables-nft", "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT")
        node.exec("nft", "add", "table", "inet", "any")
        node.run(lambda: hooked_tables(ALL, frozenset({NftTable("ip", "nat")})))
    assert asked == ["inet"]


def test_deleting_is_one_change_of_the_ruleset_made_through_the_port_that_is_told() -> None:
    table = NftTable("inet", "firewalld")
    with namespace() as node:
        filled(node)
        watch = node.run(GenerationMonitor)
        try:
            deletion = node.run(lambda: delete_table(table))
            (generation,) = watch.wait(5)
        finally:
            watch.close()
        assert deletion is not None
        assert generation.port == deletion.port
        left = node.run(lambda: existing_tables(frozenset({table, NftTable("inet", "empty"), NftTable("ip", "empty")})))
        assert left == (NftTable("inet", "empty"),)
        assert node.run(lambda: delete_table(table)) is None


def test_without_permission_nothing_is_found_or_deleted() -> None:
    listed = "len(hooked_tables(('inet',), frozenset())), len(existing_tables(frozenset({NftTable('inet', 'empty')})))"
    program = (
        "from pykubeproxy.host.nft_tables import *; from pykubeproxy.model.nft_table import NftTable\n"
        f"print({listed}, has_nftables())\n"
        "try: delete_table(NftTable('inet', 'empty'))\n"
        "except Exception as error: print(error)\n"
    )
    with namespace() as node:
        filled(node)
        nobody = node.exec("setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c", program)
        assert node.run(has_nftables)
    assert nobody == (
        "0 0 True\n"
        "cannot delete table inet empty: Operation not permitted (netlink): run as root, or with CAP_NET_ADMIN\n"
    )


@pytest.mark.parametrize(("number", "has"), [(93, False), (22, False), (1, True), (105, True)])
def test_only_a_kernel_that_says_so_has_no_nftables(monkeypatch: pytest.MonkeyPatch, number: int, *, has: bool) -> None:
    def refuse() -> None:
        raise NetlinkError("list the tables of nftables", number)

    monkeypatch.setattr(nft_tables, "_tables", refuse)
    assert has_nftables() is has
