"""Beside rules that the iptables tools cannot print, written with nft into their tables: Services are served."""

import re
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import Kind, Machine, wait_until, why_without
from tests.kernel.objects import cluster_ip, pod_ip, web, write

IPV4 = Kind(family=Family.IPV4, backend=Backend.NFT)
IPV6 = Kind(family=Family.IPV6, backend=Backend.NFT)

# {ip} is the family's name in nft, {net} a network of it.
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

RULES = {
    "mark arithmetic, as tailscale": "add rule {ip} filter others meta mark set mark and 0xff00ffff xor 0x40000",
    "mark arithmetic in a built-in chain": "add rule {ip} filter FORWARD meta mark set mark and 0xff00ffff xor 0x4",
    "mark and masquerade": "add rule {ip} nat POSTROUTING meta mark and 0x00ff0000 == 0x00040000 counter masquerade",
    "a named set": "add set {ip} nat blocked {{ type {addr}; flags interval; }}\n"
    "add rule {ip} nat POSTROUTING {ip} saddr @blocked accept",
    "a set in place": "add rule {ip} filter INPUT tcp dport {{ 22, 80, 443 }} counter accept",
    "a verdict map": "add rule {ip} nat PREROUTING meta l4proto vmap {{ sctp : accept, udplite : jump others }}",
    "a map of addresses": "add rule {ip} nat PREROUTING dnat to tcp dport map {{ 9999 : {host} }}",
    "fib": "add rule {ip} filter FORWARD fib saddr . iif oif missing drop",
    "a counter with a name": "add counter {ip} filter hits\nadd rule {ip} filter INPUT counter name hits",
    "a quota": "add rule {ip} filter others quota over 25 mbytes drop",
    "a meter": "add set {ip} filter seen {{ type {addr}; flags dynamic; timeout 1m; }}\n"
    "add rule {ip} filter INPUT add @seen {{ {ip} saddr limit rate over 10/second }} drop",
    "conntrack zones": "add rule {ip} filter others ct mark set meta mark and 0xff or 0x100",
    "raw payload": "add rule {ip} filter INPUT @th,16,16 7 drop",
    "a limit in bytes": "add rule {ip} filter FORWARD limit rate over 10 mbytes/second drop",
    "a range": "add rule {ip} filter FORWARD tcp dport 1000-2000 {ip} daddr {host}-{last} drop",
    "a jump to others": "add rule {ip} filter others ct mark set mark xor 0x1\nadd rule {ip} filter INPUT jump others",
}
NAMES = {Family.IPV4: {"ip": "ip", "addr": "ipv4_addr", "host": "10.9.9.9", "last": "10.9.9.19"}}
NAMES[Family.IPV6] = {"ip": "ip6", "addr": "ipv6_addr", "host": "fd00::9", "last": "fd00::19"}


def nft(machine: Machine, kind: Kind, script: str) -> None:
    machine.exec(["nft", "-f", "-"], stdin=script.format(**NAMES[kind.family]))


def listed(machine: Machine, kind: Kind, table: str, *options: str) -> str:
    return machine.exec(["nft", *options, "list", "table", NAMES[kind.family]["ip"], table], check=False).stdout


def of_others(machine: Machine, kind: Kind) -> list[str]:
    """Everybody else's rules, chains and sets in both tables, with their handles."""
    lines = [line for table in ("filter", "nat") for line in listed(machine, kind, table, "-a", "-s").splitlines()]
    ours = False
    found = []
    for line in lines:
        if line.startswith("\tchain "):
            ours = " KUBE-" in line
        if "# handle" in line and not ours and "KUBE-" not in line:
            found.append(line.strip())
    return [line for line in found if not re.match(r"chain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) ", line)]


def serves(machine: Machine, kind: Kind, number: int) -> bool:
    """True if Service web-<number> is in nat."""
    return f"daddr {cluster_ip(kind.family, number)}" in listed(machine, kind, "nat")


def listed_chain(machine: Machine, name: str, chain: str) -> str:
    return machine.exec(["nft", "list", "chain", name, "nat", chain]).stdout


@pytest.fixture(params=[IPV4, pytest.param(IPV6, marks=pytest.mark.night)], ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    if lack := why_without(found):
        pytest.skip(lack)
    return found


# What the others match or do is as unreadable to the tools: they wait for the night.
BY_DAY = ("mark arithmetic, as tailscale", "mark and masquerade", "a named set", "a quota")


@pytest.mark.parametrize(
    "rules",
    [pytest.param(rules, id=name, marks=() if name in BY_DAY else pytest.mark.night) for name, rules in RULES.items()],
)
def test_services_are_served_and_nothing_else_is_touched(
    machine: Machine, kind: Kind, tmp_path: Path, rules: str
) -> None:
    nft(machine, kind, TABLES + rules)
    before = of_others(machine, kind)
    source = write(tmp_path / "objects.json", web(kind.family, 1))
    first = machine.once(source, *kind.flags)
    assert first.returncode == 0, first.stderr
    assert serves(machine, kind, 1)
    assert of_others(machine, kind) == before
    for _ in range(2):
        again = machine.once(source, *kind.flags)
        assert again.returncode == 0, again.stderr
        assert "in sync; nothing to write" in again.stderr
    assert machine.pykubeproxy("diff", "-f", str(source), *kind.flags).returncode == 0
    write(source, web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    assert serves(machine, kind, 2)
    assert not serves(machine, kind, 1), "what no Service needs any more goes"
    cleaned = machine.pykubeproxy("cleanup", *kind.flags)
    assert cleaned.returncode == 0, cleaned.stderr
    assert not serves(machine, kind, 2)
    assert of_others(machine, kind) == before


def test_the_log_says_once_which_chain_cannot_be_read(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source, log = write(tmp_path / "objects.json", web(kind.family, 1)), tmp_path / "log"
    machine.start(source, log, *kind.flags, "--iptables-sync-period=1s", "--iptables-min-sync-period=100ms")
    wait_until(lambda: "synced" in log.read_text(), "the first sync")
    nft(
        machine,
        kind,
        RULES["mark arithmetic, as tailscale"]
        .replace("others", "ts-input")
        .join(("add chain {ip} filter ts-input\n", "")),
    )
    wait_until(lambda: "iptables cannot print all rules of a table" in log.read_text(), "the warning")
    for number in range(2, 6):
        write(source, web(kind.family, number))
        wait_until(lambda number=number: serves(machine, kind, number), "a change")  # type: ignore[misc]
    (line,) = [line for line in log.read_text().splitlines() if "iptables cannot print" in line]
    assert "chains=ts-input" in line
    assert "table=filter" in line


def test_drift_is_repaired_and_nothing_is_written_again_and_again(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    nft(machine, kind, TABLES + RULES["mark and masquerade"] + "\n" + RULES["a named set"])
    source, log = write(tmp_path / "objects.json", web(kind.family, 1)), tmp_path / "log"
    machine.start(source, log, *kind.flags, "--iptables-sync-period=1s", "--iptables-min-sync-period=100ms")
    wait_until(lambda: serves(machine, kind, 1) and "synced" in log.read_text(), "the first sync")
    name = NAMES[kind.family]["ip"]
    handles = listed(machine, kind, "nat", "-a")
    write(source, web(kind.family, 1), web(kind.family, 2))
    wait_until(lambda: serves(machine, kind, 2), "a change")
    machine.exec(["nft", "flush", "chain", name, "nat", "KUBE-SERVICES"])
    wait_until(lambda: serves(machine, kind, 1) and serves(machine, kind, 2), "the repair")
    assert "chains='nat KUBE-SERVICES'" in log.read_text()
    kept = [line for line in handles.splitlines() if "dnat to" in line]
    assert all(line in listed(machine, kind, "nat", "-a") for line in kept), "only what had changed is written"
    machine.exec(["nft", "add", "rule", name, "nat", "others", "counter"])
    write(source, web(kind.family, 3))
    wait_until(lambda: serves(machine, kind, 3), "another change")
    assert log.read_text().count("; repaired") == 1


def test_a_table_that_is_made_anew_is_not_taken_for_the_one_before(
    machine: Machine, kind: Kind, tmp_path: Path
) -> None:
    """The kernel's numbers of rules begin again then: the same numbers, and other rules."""
    native = TABLES + RULES["mark and masquerade"]
    nft(machine, kind, native)
    source, log = write(tmp_path / "objects.json", web(kind.family, 1)), tmp_path / "log"
    machine.start(source, log, *kind.flags, "--iptables-sync-period=1s", "--iptables-min-sync-period=100ms")
    wait_until(lambda: serves(machine, kind, 1), "the first sync")
    rendered = machine.pykubeproxy("render", "-f", str(source), *kind.flags, "--host-address", "192.0.2.1").stdout
    right, wrong = pod_ip(kind.family, 1), pod_ip(kind.family, 99)
    machine.exec([f"{kind.program}-restore"], stdin=rendered.replace(right, wrong))
    nft(machine, kind, RULES["mark and masquerade"])
    assert log.read_text()
    wait_until(lambda: wrong not in listed(machine, kind, "nat") and serves(machine, kind, 1), "the repair")
    assert right in listed(machine, kind, "nat")


def test_a_set_in_one_of_our_chains_is_not_overlooked(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    """iptables prints such a rule without the set, so it may look like one of ours."""
    nft(machine, kind, TABLES + RULES["mark and masquerade"])
    source = write(tmp_path / "objects.json", web(kind.family, 1))
    assert machine.once(source, *kind.flags).returncode == 0
    name = NAMES[kind.family]["ip"]
    machine.exec(["nft", "flush", "chain", name, "nat", "KUBE-MARK-MASQ"])
    rule = f"add rule {name} nat KUBE-MARK-MASQ meta iifname {{ eth0, eth1 }} counter meta mark set mark or 0x4000"
    machine.exec(["nft", "-f", "-"], stdin=rule)
    done = machine.once(source, *kind.flags)
    assert "1 to change" in done.stderr
    assert "eth0" not in listed_chain(machine, name, "KUBE-MARK-MASQ")
