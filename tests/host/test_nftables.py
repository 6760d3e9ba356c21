"""What the kernel tells of nftables: who changed the ruleset, its tables and chains; and what other modes have left."""

import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pykubeproxy.host import leftovers, nft_tables
from pykubeproxy.host.generations import UNKNOWN_CHANGE, GenerationMonitor, RulesetGeneration, current_generation
from pykubeproxy.host.leftovers import find_leftovers
from pykubeproxy.host.netlink import ACK, NETFILTER, Netlink, NetlinkError, attribute, nested
from pykubeproxy.host.nft_rules import existing_chains
from pykubeproxy.host.nft_tables import delete_table, existing_tables, has_nftables, hooked_tables
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable
from tests.host.namespace import COMMAND_SECONDS, Namespace, namespace, needs_root
from tests.kernel.nftables import needs_nft

pytestmark = needs_root

NAT = ("iptables-nft", "-t", "nat")
RULE = (*NAT, "-A", "OUTPUT", "-j", "ACCEPT")
RESTORE = ("iptables-nft-restore", "--noflush")


@contextmanager
def watching(node: Namespace) -> Iterator[GenerationMonitor]:
    watch = node.run(GenerationMonitor)
    try:
        yield watch
    finally:
        watch.close()


def run(node: Namespace, *command: str, stdin: str = "") -> int:
    """Run a program to its end; return its pid."""
    with node.popen(*command) as process:
        process.communicate(stdin, timeout=COMMAND_SECONDS)
        assert process.returncode == 0
        return process.pid


def announced(watch: GenerationMonitor) -> tuple[RulesetGeneration, ...]:
    return watch.wait(COMMAND_SECONDS)


def as_nobody(node: Namespace, program: str) -> str:
    """What a Python program prints that has no rights."""
    return node.exec("setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c", program)


@pytest.mark.parametrize("command", [RULE, (*NAT, "-F"), ("nft", "flush", "ruleset")], ids=" ".join)
def test_a_change_is_announced_with_its_author_and_number(node: Namespace, command: tuple[str, ...]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip("there is no nft: install the package nftables")
    run(node, *RULE)
    before = node.run(current_generation)
    assert before is not None
    with watching(node) as watch:
        pid = run(node, *command)
        generations = announced(watch)
    assert {(each.pid, each.port, each.process) for each in generations} == {(pid, pid, command[0])}
    ids = [generation.id for generation in generations]
    assert ids == list(range(before + 1, before + 1 + len(ids)))
    assert node.run(current_generation) == ids[-1]


def test_a_large_restore_is_one_change(node: Namespace) -> None:
    """Each of its rules is announced to the same group; none of that may reach us, or fill the buffer."""
    rules = "".join(f"-A OUTPUT -d 10.0.{i // 250}.{i % 250}/32 -j ACCEPT\n" for i in range(3000))
    run(node, *RULE)
    with watching(node) as watch:
        pid = run(node, *RESTORE, stdin=f"*nat\n{rules}COMMIT\n")
        [generation] = announced(watch)
    assert (generation.pid, generation.port) == (pid, pid)


def test_reading_is_no_change_and_other_namespaces_do_not_matter(node: Namespace) -> None:
    run(node, *RULE)
    with namespace() as other, watching(node) as watch:
        node.exec("iptables-nft-save")
        run(other, *RULE)
        assert watch.wait(0) == ()


def test_a_process_in_another_pid_namespace(node: Namespace) -> None:
    """As in a container: the kernel names the pid of the machine, the program knows only its own."""
    with watching(node) as watch:
        own_pid = node.exec("unshare", "--pid", "--fork", "sh", "-c", f"echo $$; exec {' '.join(RULE)}")
        generations = announced(watch)
    assert all(generation.port == int(own_pid) != generation.pid for generation in generations)


def test_lost_announcements_are_an_unknown_change(node: Namespace) -> None:
    with watching(node) as watch:
        watch._netlink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(5):
            run(node, *RULE)
        assert UNKNOWN_CHANGE in announced(watch)
        assert not UNKNOWN_CHANGE.is_known
        pid = run(node, *RULE)
        assert announced(watch)[-1].port == pid


CHAINS = "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SERVICES-OF-MINE - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n"


def test_chains_are_found_by_family_table_and_name_and_by_nobody_without_rights(node: Namespace) -> None:
    asked = ("KUBE-SERVICES", "KUBE-SERVICE", "PREROUTING")

    def found(family: Family = Family.IPV4, table: str = "nat") -> frozenset[str]:
        return node.run(lambda: existing_chains(family, table, asked))

    assert found() == frozenset()
    node.exec(*RESTORE, stdin=CHAINS)
    assert found() == {"KUBE-SERVICES", "PREROUTING"}
    assert found(Family.IPV6) == found(table="mangle") == frozenset()
    imports = "from pykubeproxy.host.nft_rules import existing_chains; from pykubeproxy.model.ip import Family"
    assert as_nobody(node, f"{imports}; print(len(existing_chains(Family.IPV4, 'nat', {asked})))") == "0\n"


FAMILIES = ("ip", "ip6", "inet", "bridge", "netdev")
FIREWALLD, EMPTY = NftTable("inet", "firewalld"), NftTable("inet", "empty")
RULESET = """
table inet firewalld {
    chain in { type filter hook input priority 10; policy accept; ct state invalid drop; }
    chain out { type filter hook forward priority 10; policy drop; }
    chain jumped { accept; }
}
table inet empty {
    chain in { type filter hook input priority 0; policy accept; }
}
table inet sleeping {
    flags dormant
    chain in { type filter hook input priority 0; policy drop; }
}
table inet no-hook { chain in { accept; }; }
table ip nat { chain pre { type nat hook prerouting priority -100; counter; }; }
table ip calico {
    chain pre { type filter hook prerouting priority -300; counter; }
    chain post { type filter hook postrouting priority 300; counter; }
}
table ip6 other { chain out { type route hook output priority 0; counter; }; }
table bridge ports { chain through { type filter hook forward priority 0; counter; }; }
table netdev cilium { chain lo { type filter hook ingress device lo priority 0; counter; }; }
table arp ignored { chain in { type filter hook input priority 0; counter; }; }
"""


@pytest.fixture
def filled(node: Namespace) -> Namespace:
    node.exec("nft", "-f", "-", stdin=RULESET)
    return node


@needs_nft
def test_tables_that_packets_pass_and_their_hooks(filled: Namespace) -> None:
    own = frozenset({NftTable("ip", "nat"), NftTable("ip6", "nat")})
    found = filled.run(lambda: hooked_tables(FAMILIES, own))
    assert [str(table) for table in found] == [
        "table bridge ports (hook forward)",
        "table inet firewalld (hooks forward, input)",
        "table ip calico (hooks postrouting, prerouting)",
        "table ip6 other (hook output)",
        "table netdev cilium (hook ingress)",
    ]
    of_some = filled.run(lambda: hooked_tables(("ip", "inet"), frozenset()))
    assert [f"{table.family} {table.name}" for table in of_some] == ["inet firewalld", "ip calico", "ip nat"]


@needs_nft
def test_deleting_is_one_change_of_the_ruleset_made_through_the_port_that_is_told(filled: Namespace) -> None:
    with watching(filled) as watch:
        deletion = filled.run(lambda: delete_table(FIREWALLD))
        (generation,) = announced(watch)
    assert deletion is not None
    assert generation.port == deletion.port
    left = filled.run(lambda: existing_tables(frozenset({FIREWALLD, EMPTY, NftTable("ip", "empty")})))
    assert left == (EMPTY,)
    assert filled.run(lambda: delete_table(FIREWALLD)) is None


@needs_nft
def test_without_permission_no_table_is_found_or_deleted(filled: Namespace) -> None:
    program = (
        "from pykubeproxy.host.nft_tables import *; from pykubeproxy.model.nft_table import NftTable\n"
        "empty = NftTable('inet', 'empty')\n"
        "print(hooked_tables(('inet',), frozenset()), existing_tables(frozenset({empty})), has_nftables())\n"
        "try: delete_table(empty)\n"
        "except Exception as error: print(error)\n"
    )
    assert as_nobody(filled, program) == (
        "() () True\n"
        "cannot delete table inet empty: Operation not permitted (netlink): run as root, or with CAP_NET_ADMIN\n"
    )


@pytest.mark.parametrize(("number", "has"), [(93, False), (22, False), (1, True), (105, True)])
def test_only_a_kernel_that_says_so_has_no_nftables(monkeypatch: pytest.MonkeyPatch, number: int, *, has: bool) -> None:
    assert has_nftables()

    def refuse() -> None:
        raise NetlinkError("list the tables of nftables", number)

    monkeypatch.setattr(nft_tables, "_tables", refuse)
    assert has_nftables() is has


CREATE_SET, CREATE = 0x0602, 0x400
OURS, OURS_OF_IPV6, OF_KUBE_ROUTER = "KUBE-CLUSTER-IP", "KUBE-6-LOOP-BACK", "KUBE-SRC-ABCDEFGHIJKLMNOP"


def create_sets(*names: str) -> None:
    """As `ipset create NAME hash:ip` does it."""
    bodies = [
        bytes([2, 0, 0, 0])
        + attribute(1, b"\6")
        + attribute(2, name.encode(errors="surrogateescape") + b"\0")
        + attribute(3, b"hash:ip\0")
        + attribute(4, b"\0")
        + attribute(5, b"\2")
        + nested(7)
        for name in names
    ]
    with Netlink(NETFILTER) as netlink:
        if netlink.batch("create IP sets", CREATE_SET, bodies, flags=ACK | CREATE):
            pytest.skip("this kernel has no IP sets of the type hash:ip")


@needs_nft
def test_leftover_tables_of_the_families_that_are_asked_for(node: Namespace) -> None:
    assert node.run(lambda: find_leftovers(Family)) == Leftovers()
    for family in ("ip", "ip6", "inet"):
        node.exec("nft", "add", "table", family, "kube-proxy")
    both = (NftTable("ip", "kube-proxy"), NftTable("ip6", "kube-proxy"))
    assert node.run(lambda: find_leftovers(Family)).tables == both
    assert node.run(lambda: find_leftovers([Family.IPV6])).tables == both[1:]


def test_ip_sets_of_kube_proxy_are_told_from_those_of_others(node: Namespace) -> None:
    node.run(lambda: create_sets(OURS, OF_KUBE_ROUTER, OURS_OF_IPV6, "caf\udce9"))
    left = node.run(lambda: find_leftovers(Family))
    assert (left.ip_sets, left.has_ipvs) == ((OURS_OF_IPV6, OURS), True)


def test_the_interface_of_kube_proxy(node: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_has_virtual_services", lambda: True)
    assert not node.run(lambda: find_leftovers(Family)).has_ipvs
    node.exec("ip", "link", "add", "kube-ipvs0", "type", "veth", "peer", "name", "other")
    left = node.run(lambda: find_leftovers(Family))
    assert (left.interfaces, left.has_virtual_services) == (("kube-ipvs0",), True)
