"""What the kernel tells of nftables: who changed the ruleset, its tables and chains; and what other modes have left."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pykubeproxy.host import nft_tables
from pykubeproxy.host.generations import UNKNOWN_CHANGE, GenerationMonitor, RulesetGeneration, current_generation
from pykubeproxy.host.leftovers import find_leftovers
from pykubeproxy.host.netlink import ACK, NETFILTER, Netlink, NetlinkError, attribute, nested
from pykubeproxy.host.nft_tables import has_nftables
from pykubeproxy.model.ip import Family
from tests.host.namespace import COMMAND_SECONDS, Namespace, needs_root

pytestmark = needs_root

NAT = ("iptables-nft", "-t", "nat")
RULE = (*NAT, "-A", "OUTPUT", "-j", "ACCEPT")


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


def test_ip_sets_of_kube_proxy_are_told_from_those_of_others(node: Namespace) -> None:
    node.run(lambda: create_sets(OURS, OF_KUBE_ROUTER, OURS_OF_IPV6, "caf\udce9"))
    left = node.run(lambda: find_leftovers(Family))
    assert (left.ip_sets, left.has_ipvs) == ((OURS_OF_IPV6, OURS), True)
