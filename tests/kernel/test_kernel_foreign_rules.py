"""What other programs have put into the kernel stays as it is, and where it is; chains of our own go in time."""

import itertools
import re

import pytest

from tests.kernel.node import Node
from tests.kernel.objects import cluster_ip, entry_chain

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
    ("filter", "INPUT"): ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "ACCEPT"],
    ("filter", "FORWARD"): ["KUBE-PROXY-FIREWALL", "KUBE-FORWARD", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"],
    ("filter", "OUTPUT"): ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES"],
    ("nat", "PREROUTING"): ["KUBE-SERVICES", "CNI-HOSTPORT-DNAT"],
    ("nat", "POSTROUTING"): ["KUBE-POSTROUTING", "MASQUERADE"],
}


def test_other_programs_rules_survive_and_ours_come_first_in_the_order_of_kube_proxy(node: Node) -> None:
    node.load(OTHERS, "--counters")
    before = of_others(node)
    for number in (1, 2):
        node.write(node.web(number))
        node.sync()
        assert node.served() == {number}
        assert of_others(node) == before
    if node.kind.mask == "/32":
        for place, jumps in JUMPS.items():
            assert targets(node, *place)[: len(jumps)] == jumps
    assert node.ask("cleanup").returncode == 0
    assert of_others(node) == before


def test_missing_jumps_come_back_in_order_between_other_rules(node4: Node) -> None:
    node4.write()
    node4.sync()
    # Of four jumps, the second and the fourth are left, with somebody else's rules before, between and behind them.
    node4.load(
        """\
*filter
-D FORWARD 3
-D FORWARD 1
-I FORWARD 1 -p tcp -m tcp --dport 1 -j ACCEPT
-I FORWARD 3 -p tcp -m tcp --dport 2 -j ACCEPT
-A FORWARD -p tcp -m tcp --dport 3 -j ACCEPT
COMMIT
"""
    )
    before = node4.chain("filter", "FORWARD") or ()
    assert targets(node4, "filter", "FORWARD") == [
        "ACCEPT",
        "KUBE-FORWARD",
        "ACCEPT",
        "KUBE-EXTERNAL-SERVICES",
        "ACCEPT",
    ]
    node4.sync()
    ours = [target for target in targets(node4, "filter", "FORWARD") if target != "ACCEPT"]
    assert ours == JUMPS["filter", "FORWARD"]
    assert [rule for rule in node4.chain("filter", "FORWARD") or () if rule in before] == list(before)
    assert node4.diff().returncode == 0


def test_kubelets_firewall_chain_is_left_alone_where_it_is_not_ours(node: Node) -> None:
    node.load("*filter\n:KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\nCOMMIT\n")
    before = node.chain("filter", "KUBE-FIREWALL")
    node.write()
    node.sync("--iptables-localhost-nodeports=false")
    assert node.chain("filter", "KUBE-FIREWALL") == before
    node.sync()
    after = node.chain("filter", "KUBE-FIREWALL") or ()
    if node.kind.mask == "/128":
        assert after == before
    else:
        assert [rule.split(" -m ")[0] for rule in after] == ["-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8"]


def test_comments_of_other_programs_may_hold_anything(node4: Node) -> None:
    comments = (b"caf\xe9", b"two\nlines", b"a\rb", b'quote " and \\', b"x\n-A INPUT -j DROP\nCOMMIT")
    for comment in comments:
        # Made by a shell, since an argument of Namespace.exec must be text.
        octal = "".join(f"\\{byte:03o}" for byte in comment)
        rule = f"""{node4.kind.program} -t nat -A OUTPUT -m comment --comment "$(printf '{octal}')" -j RETURN"""
        node4.machine.exec(["sh", "-c", rule])
    node4.write(node4.web())
    node4.sync()
    assert "nothing to write" in node4.sync().stderr
    count = node4.machine.exec(["sh", "-c", f"{node4.kind.program}-save -t nat | grep -ac '^-A OUTPUT'"]).stdout
    assert int(count) == len(comments) + 1


def of_others(node: Node) -> list[str]:
    """Everything that is not a Service proxy's, with the rules' counters."""
    dump = re.sub(r"^(:\S+ \w+) .*", r"\1", node.dump("-c"), flags=re.MULTILINE).splitlines()
    theirs = [line for line in dump if not is_ours(line)]
    assert len(theirs) >= len(OTHERS.splitlines())
    return theirs


def is_ours(line: str) -> bool:
    words = line.replace('-j KUBE-POSTROUTING"', "").split()
    return any(word.lstrip(":").startswith(OURS) for word in words)


def targets(node: Node, table: str, chain: str) -> list[str]:
    return [rule.split(" -j ")[-1].split()[0] for rule in node.chain(table, chain) or ()]


def test_every_kind_of_stale_chain_goes_but_only_where_a_proxy_has_chains(node4: Node) -> None:
    stale = [f"KUBE-{what}-AAAAAAAAAAAAAAAA" for what in ("SVC", "SVL", "SEP", "FW", "EXT")]
    chains = "".join(f":{chain} - [0:0]\n" for chain in stale)
    rules = "".join(f"-A {chain} -j {following}\n" for chain, following in itertools.pairwise(stale))
    node4.load("".join(f"*{table}\n{chains}{rules}COMMIT\n" for table in ("mangle", "filter", "nat")))
    node4.write()
    node4.sync()
    tables = node4.rules().tables
    assert {table: set(stale) & set(tables[table].chains) for table in ("nat", "filter", "mangle")} == {
        "nat": set(),
        "filter": set(),
        "mangle": set(stale),
    }


@pytest.mark.parametrize("is_running", [False, True], ids=["once", "running"])
def test_a_stale_chain_in_use_by_others_is_emptied_and_goes_later(node: Node, *, is_running: bool) -> None:
    node.write(node.web(1), node.web(2))
    node.sync()
    if is_running:
        node.start()
        node.wait_for_log("in sync")
    chain = entry_chain(node.rules(), cluster_ip(node.family, 2))
    foreign = ("PREROUTING", "-p", "tcp", "-m", "tcp", "--dport", "9", "-j", chain)
    node.iptables("-t", "nat", "-A", *foreign)

    node.write(node.web(1), node.web(3))
    if is_running:
        node.wait_for(1, 3)
    else:
        node.sync()
    live = node.rules()
    assert live.lines("nat", chain) == ()
    assert f"-A {' '.join(foreign)}" in (live.lines("nat", "PREROUTING") or ())
    assert node.diff().returncode == 0

    node.iptables("-t", "nat", "-D", *foreign)
    if not is_running:
        node.sync()
        assert node.chain("nat", chain) is None
