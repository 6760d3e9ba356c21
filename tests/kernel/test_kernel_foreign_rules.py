"""What other programs have put into the kernel stays as it is, and where it is; chains of our own go in time."""

import re

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


def test_kubelets_firewall_chain_is_left_alone_where_it_is_not_ours(node: Node) -> None:
    node.load("*filter\n:KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\nCOMMIT\n")
    before = node.chain("filter", "KUBE-FIREWALL")
    node.write()
    node.sync("--allow-empty", "--iptables-localhost-nodeports=false")
    assert node.chain("filter", "KUBE-FIREWALL") == before
    node.sync("--allow-empty")
    after = node.chain("filter", "KUBE-FIREWALL") or ()
    if node.kind.mask == "/128":
        assert after == before
    else:
        assert [rule.split(" -m ")[0] for rule in after] == ["-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8"]


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


def test_a_stale_chain_in_use_by_others_is_emptied_and_goes_later(node: Node) -> None:
    node.write(node.web(1), node.web(2))
    node.sync()
    chain = entry_chain(node.rules(), cluster_ip(node.family, 2))
    foreign = ("PREROUTING", "-p", "tcp", "-m", "tcp", "--dport", "9", "-j", chain)
    node.iptables("-t", "nat", "-A", *foreign)

    node.write(node.web(1), node.web(3))
    node.sync()
    live = node.rules()
    assert live.lines("nat", chain) == ()
    assert f"-A {' '.join(foreign)}" in (live.lines("nat", "PREROUTING") or ())
    assert node.diff().returncode == 0

    node.iptables("-t", "nat", "-D", *foreign)
    node.sync()
    assert node.chain("nat", chain) is None
