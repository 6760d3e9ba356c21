"""Beside rules that the iptables tools cannot print, written with nft into their tables: Services are served."""

import re
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import Kind, Machine, wait_until, why_without
from tests.kernel.nftables import needs_nft
from tests.kernel.node import Node
from tests.kernel.objects import cluster_ip, pod_ip

pytestmark = needs_nft

# {ip} is the family's name in nft, {host} an address of it.
TABLES = """
add table {ip} filter
add chain {ip} filter INPUT {{ type filter hook input priority filter; policy accept; }}
add chain {ip} filter FORWARD {{ type filter hook forward priority filter; policy accept; }}
add chain {ip} filter others
add table {ip} nat
add chain {ip} nat PREROUTING {{ type nat hook prerouting priority dstnat; policy accept; }}
add chain {ip} nat POSTROUTING {{ type nat hook postrouting priority srcnat; policy accept; }}
add chain {ip} nat others
"""
AS_TAILSCALE = "add rule {ip} filter others meta mark set mark and 0xff00ffff xor 0x40000"
MASQUERADE = "add rule {ip} nat POSTROUTING meta mark and 0x00ff0000 == 0x00040000 counter masquerade"
NAMED_SET = """add set {ip} nat blocked {{ type {addr}; flags interval; }}
add rule {ip} nat POSTROUTING {ip} saddr @blocked accept"""

RULES = {
    "mark arithmetic, as tailscale": AS_TAILSCALE,
    "mark and masquerade": MASQUERADE,
    "a named set": NAMED_SET,
    "a hash in a built-in chain": "add rule {ip} nat PREROUTING meta mark set jhash {ip} saddr mod 2",
    "a quota": "add rule {ip} filter others quota over 25 mbytes drop",
    "a set in place": "add rule {ip} filter INPUT tcp dport {{ 22, 80, 443 }} counter accept",
    "a verdict map": "add rule {ip} nat PREROUTING meta l4proto vmap {{ sctp : accept, udplite : jump others }}",
    "a map of addresses": "add rule {ip} nat PREROUTING dnat to tcp dport map {{ 9999 : {host} }}",
    "fib": "add rule {ip} filter FORWARD fib saddr . iif oif missing drop",
    "a meter": "add set {ip} filter seen {{ type {addr}; flags dynamic; timeout 1m; }}\n"
    "add rule {ip} filter INPUT add @seen {{ {ip} saddr limit rate over 10/second }} drop",
    "raw payload": "add rule {ip} filter INPUT @th,16,16 7 drop",
    "a jump to others": "add rule {ip} filter others ct mark set mark xor 0x1\nadd rule {ip} filter INPUT jump others",
}
# What the others match or do is as unreadable to the tools: they wait for the night.
BY_DAY = list(RULES)[:5]
NAMES = {
    Family.IPV4: {"ip": "ip", "addr": "ipv4_addr", "host": "10.9.9.1"},
    Family.IPV6: {"ip": "ip6", "addr": "ipv6_addr", "host": "fd00::1"},
}
NFT = [Kind(family=family, backend=Backend.NFT) for family in Family]
OFTEN = ("--iptables-sync-period=1s", "--iptables-min-sync-period=100ms")


class NftNode(Node):
    """A node of which everything is told by nft, since iptables cannot print it."""

    @property
    def ip(self) -> str:
        """The family's name in nft."""
        return NAMES[self.family]["ip"]

    def nft(self, script: str) -> None:
        """Make native rules."""
        self.machine.exec(["nft", "-f", "-"], stdin=script.format(**NAMES[self.family]))

    def listed(self, table: str = "nat", *options: str) -> str:
        """A table."""
        return self.machine.exec(["nft", *options, "list", "table", self.ip, table], check=False).stdout

    def served(self) -> set[int]:
        """The numbers of the Services in nat."""
        listed = self.listed()
        return {number for number in range(1, 10) if f"daddr {cluster_ip(self.family, number)} " in listed}

    def of_others(self) -> list[str]:
        """Everybody else's rules, chains and sets in both tables, with their handles."""
        is_ours, found = False, []
        for line in (line for table in ("filter", "nat") for line in self.listed(table, "-a", "-s").splitlines()):
            if line.startswith("\tchain "):
                is_ours = " KUBE-" in line
            if "# handle" in line and not is_ours and "KUBE-" not in line:
                found.append(line.strip())
        builtin = r"chain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) "
        return [line for line in found if not re.match(builtin, line)]


@pytest.fixture(name="its", params=[NFT[0], pytest.param(NFT[1], marks=pytest.mark.night)], ids=str)
def fixture_its(request: pytest.FixtureRequest, machine: Machine, tmp_path: Path) -> NftNode:
    if lack := why_without(request.param):
        pytest.skip(lack)
    return NftNode(machine, request.param, tmp_path)


@pytest.mark.parametrize(
    "rules",
    [pytest.param(rules, id=name, marks=() if name in BY_DAY else pytest.mark.night) for name, rules in RULES.items()],
)
def test_services_are_served_and_nothing_else_is_touched(its: NftNode, rules: str) -> None:
    its.nft(TABLES + rules)
    before = its.of_others()
    its.write(its.web(1))
    its.sync()
    assert its.served() == {1}
    assert its.of_others() == before
    for _ in range(2):
        assert "in sync; nothing to write" in its.sync().stderr
    assert its.listed().count("jump KUBE-POSTROUTING") == 1
    assert its.diff().returncode == 0
    its.write(its.web(2))
    its.sync()
    assert its.served() == {2}, "what no Service needs any more goes"
    cleaned = its.ask("cleanup")
    assert cleaned.returncode == 0, cleaned.stderr
    assert its.served() == set()
    assert its.of_others() == before


def test_what_an_unused_map_leads_to_is_emptied(its: NftNode) -> None:
    its.nft("add table {ip} nat\nadd chain {ip} nat KUBE-SVC-X\nadd map {ip} nat unused {{ type mark : verdict; }}")
    its.nft("add rule {ip} nat KUBE-SVC-X accept\nadd element {ip} nat unused {{ 1 : jump KUBE-SVC-X }}")
    its.write(its.web(1))
    its.sync()
    assert its.chain("nat", "KUBE-SVC-X") == ()
    assert (its.diff().returncode, its.ask("cleanup").returncode) == (0, 0)


def test_the_log_says_once_which_chain_cannot_be_read(its: NftNode) -> None:
    its.write(its.web(1))
    its.start(*OFTEN)
    its.wait_for(1)
    its.nft("add chain {ip} filter ts-input\n" + AS_TAILSCALE.replace("others", "ts-input"))
    its.wait_for_log("iptables cannot print all rules of a table")
    for number in range(2, 6):
        its.write(its.web(number))
        its.wait_for(number)
    (line,) = [line for line in its.log.read_text().splitlines() if "iptables cannot print" in line]
    assert "chains=ts-input" in line
    assert "table=filter" in line


def test_drift_is_repaired_and_nothing_is_written_again_and_again(its: NftNode) -> None:
    its.nft(f"{TABLES}{MASQUERADE}\n{NAMED_SET}")
    its.write(its.web(1))
    its.start(*OFTEN)
    its.wait_for(1)
    its.wait_for_log("synced")
    kept = [line for line in its.listed("nat", "-a").splitlines() if "dnat to" in line]
    its.write(its.web(1), its.web(2))
    its.wait_for(1, 2)
    its.nft("flush chain {ip} nat KUBE-SERVICES")
    its.wait_for_log("chains='nat KUBE-SERVICES'")
    its.wait_for(1, 2)
    assert set(kept) <= set(its.listed("nat", "-a").splitlines()), "only what had changed is written"
    its.nft("add rule {ip} nat others counter")
    its.write(its.web(3))
    its.wait_for(3)
    assert its.log.read_text().count("; repaired") == 1


def test_a_table_that_is_made_anew_is_not_taken_for_the_one_before(its: NftNode) -> None:
    """The kernel's numbers of rules begin again then: the same numbers, and other rules."""
    its.nft(TABLES + MASQUERADE)
    its.write(its.web(1))
    its.start(*OFTEN)
    its.wait_for(1)
    rendered = its.ask("render", "-f", str(its.source), "--host-address", "192.0.2.1").stdout
    right, wrong = pod_ip(its.family, 1), pod_ip(its.family, 99)
    its.machine.exec([f"{its.kind.program}-restore"], stdin=rendered.replace(right, wrong))
    its.nft(MASQUERADE)
    wait_until(lambda: wrong not in its.listed() and right in its.listed(), "the repair")


def test_a_set_in_one_of_our_chains_is_not_overlooked(its: NftNode) -> None:
    """iptables prints such a rule without the set, so it may look like one of ours."""
    its.nft(TABLES + MASQUERADE)
    its.write(its.web(1))
    its.sync()
    rule = "meta iifname {{ eth0, eth1 }} counter meta mark set mark or 0x4000"
    its.nft(f"flush chain {{ip}} nat KUBE-MARK-MASQ\nadd rule {{ip}} nat KUBE-MARK-MASQ {rule}")
    assert "1 to change" in its.sync().stderr
    assert "eth0" not in its.listed()
