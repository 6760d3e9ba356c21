"""What other programs have put into the kernel stays as it is, and where it is."""

import re
import shutil
from pathlib import Path

import pytest

from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import web, write

OTHERS = """\
*mangle
:PREROUTING ACCEPT [3:33]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-IPTABLES-HINT - [0:0]
[1:11] -A PREROUTING -p tcp -m tcp --dport 7 -j MARK --set-xmark 0x7/0x7
COMMIT
*filter
:INPUT DROP [4:44]
:FORWARD DROP [5:55]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:cali-FORWARD - [0:0]
[2:22] -A INPUT -i lo -j ACCEPT
[2:22] -A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
[2:22] -A FORWARD -j DOCKER-USER
[2:22] -A DOCKER-USER -j RETURN
[2:22] -A cali-FORWARD -j KUBE-ROUTER-FORWARD
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [6:66]
:CNI-HOSTPORT-DNAT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-DROP - [0:0]
[1:11] -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
[1:11] -A POSTROUTING -p tcp -m comment --comment "-j KUBE-POSTROUTING" -j MASQUERADE
[1:11] -A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
COMMIT
"""

OURS = (
    *("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL"),
    *("KUBE-FIREWALL", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-SVC-", "KUBE-SEP-"),
)

JUMPS = {
    "INPUT": ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES"],
    "FORWARD": ["KUBE-PROXY-FIREWALL", "KUBE-FORWARD", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"],
    "OUTPUT": ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES"],
}


def test_other_programs_rules_survive_a_sync_and_a_cleanup(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    machine.load(kind, OTHERS, "--counters")
    before = of_others(machine, kind)
    source = write(tmp_path / "objects.json", web(kind.family))
    assert machine.once(source, *kind.flags).returncode == 0
    assert machine.chain(kind, "nat", "KUBE-SERVICES")
    assert of_others(machine, kind) == before
    write(source, web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    assert of_others(machine, kind) == before
    assert machine.pykubeproxy("cleanup", *kind.flags).returncode == 0
    assert of_others(machine, kind) == before


def test_jumps_come_first_in_the_order_of_kube_proxy(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    machine.load(kind4, OTHERS)
    assert machine.once(write(tmp_path / "objects.json", []), *kind4.flags).returncode == 0
    live = machine.rules(kind4)
    for chain, jumps in JUMPS.items():
        assert targets(live.lines("filter", chain) or ())[: len(jumps)] == jumps
    assert targets(live.lines("nat", "PREROUTING") or ()) == ["KUBE-SERVICES", "CNI-HOSTPORT-DNAT"]
    assert targets(live.lines("nat", "POSTROUTING") or ()) == ["KUBE-POSTROUTING", "MASQUERADE"]


def test_missing_jumps_come_back_in_order_between_other_rules(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", [])
    assert machine.once(source, *kind4.flags).returncode == 0
    # Of four jumps, the second and the fourth are left, with somebody else's rules before, between and behind them.
    machine.load(
        kind4,
        """\
*filter
-D FORWARD 3
-D FORWARD 1
-I FORWARD 1 -p tcp -m tcp --dport 1 -j ACCEPT
-I FORWARD 3 -p tcp -m tcp --dport 2 -j ACCEPT
-A FORWARD -p tcp -m tcp --dport 3 -j ACCEPT
COMMIT
""",
    )
    before = machine.chain(kind4, "filter", "FORWARD") or ()
    assert targets(before) == ["ACCEPT", "KUBE-FORWARD", "ACCEPT", "KUBE-EXTERNAL-SERVICES", "ACCEPT"]
    assert machine.once(source, *kind4.flags).returncode == 0
    after = machine.chain(kind4, "filter", "FORWARD") or ()
    assert [target for target in targets(after) if target != "ACCEPT"] == JUMPS["FORWARD"]
    assert [rule for rule in after if rule in before] == list(before)
    assert machine.pykubeproxy("diff", "-f", str(source), *kind4.flags).returncode == 0


def test_kubelets_firewall_chain_is_left_alone_where_it_is_not_ours(
    machine: Machine, kind: Kind, tmp_path: Path
) -> None:
    machine.load(
        kind, "*filter\n:KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\nCOMMIT\n"
    )
    before = machine.chain(kind, "filter", "KUBE-FIREWALL")
    source = write(tmp_path / "objects.json", [])
    assert machine.once(source, *kind.flags, "--iptables-localhost-nodeports=false").returncode == 0
    assert machine.chain(kind, "filter", "KUBE-FIREWALL") == before
    assert machine.once(source, *kind.flags).returncode == 0
    after = machine.chain(kind, "filter", "KUBE-FIREWALL") or ()
    if kind.family == "IPv6":
        assert after == before
    else:
        assert [rule.split(" -m ")[0] for rule in after] == ["-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8"]


def test_comments_of_other_programs_may_hold_anything(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    comments = (b"caf\xe9", b"two\nlines", b"a\rb", b'quote " and \\', b"x\n-A INPUT -j DROP\nCOMMIT")
    for comment in comments:
        # Made by a shell, since an argument of Namespace.exec must be text.
        octal = "".join(f"\\{byte:03o}" for byte in comment)
        rule = f"""{kind4.program} -t nat -A OUTPUT -m comment --comment "$(printf '{octal}')" -j RETURN"""
        machine.exec(["sh", "-c", rule])
    source = write(tmp_path / "objects.json", web(kind4.family))
    first = machine.once(source, *kind4.flags)
    assert first.returncode == 0, first.stderr
    second = machine.once(source, *kind4.flags)
    assert second.returncode == 0
    assert "nothing to write" in second.stderr
    count = machine.exec(["sh", "-c", f"{kind4.program}-save -t nat | grep -ac '^-A OUTPUT'"]).stdout
    assert int(count) == len(comments) + 1


def test_jumps_into_a_table_that_iptables_cannot_print_are_not_inserted_again_and_again(
    machine: Machine, tmp_path: Path
) -> None:
    if not shutil.which("nft"):
        pytest.skip("there is no nft: install the package nftables")
    machine.exec(
        ["nft", "-f", "-"],
        stdin="""\
table ip nat {
    chain PREROUTING {
        type nat hook prerouting priority -100;
        meta mark set jhash ip saddr mod 2
    }
}
""",
    )
    source = write(tmp_path / "objects.json", [])
    for _ in range(3):
        run = machine.once(source, "--family", "ipv4", "--backend", "nft")
        assert run.returncode == 0, run.stderr
        assert "iptables cannot print all rules of a table" in run.stderr
    listed = machine.exec(["nft", "list", "chain", "ip", "nat", "PREROUTING"]).stdout
    assert listed.count("jump KUBE-SERVICES") == 1
    assert "jhash ip saddr" in listed


def of_others(machine: Machine, kind: Kind) -> list[str]:
    """Everything that is not a Service proxy's, with the rules' counters."""
    dump = re.sub(r"^(:\S+ \w+) .*", r"\1", machine.dump(kind, "-c"), flags=re.MULTILINE).splitlines()
    theirs = [line for line in dump if not is_ours(line)]
    assert len(theirs) >= len(OTHERS.splitlines())
    return theirs


def is_ours(line: str) -> bool:
    words = line.replace('-j KUBE-POSTROUTING"', "").split()
    return any(word.lstrip(":").startswith(OURS) for word in words)


def targets(rules: tuple[str, ...]) -> list[str]:
    return [rule.split(" -j ")[-1].split()[0] for rule in rules]
