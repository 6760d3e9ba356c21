"""A node as it may really be: somebody else's nft rules, leftovers of another mode, fixed settings, an old etcd."""

import pytest

from tests.apiserver import testing
from tests.daemon.node import KUBE_PROXY, NFT4, Node
from tests.kernel.machine import why_without

# Rules as tailscale writes them, and what kube-proxy leaves in nftables mode.
OTHERS = """
add table ip filter
add chain ip filter FORWARD { type filter hook forward priority filter; policy accept; }
add chain ip filter ts-forward
add rule ip filter FORWARD counter jump ts-forward
add rule ip filter ts-forward iifname "tailscale0" counter meta mark set mark and 0xff00ffff xor 0x40000
add table ip nat
add chain ip nat POSTROUTING { type nat hook postrouting priority srcnat; policy accept; }
add chain ip nat ts-postrouting
add rule ip nat POSTROUTING counter jump ts-postrouting
add rule ip nat ts-postrouting meta mark and 0x00ff0000 == 0x00040000 counter masquerade
add table ip kube-proxy
add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority -110; }
add rule ip kube-proxy nat-prerouting ip daddr 10.96.1.1 tcp dport 80 drop
add table ip6 kube-proxy
"""


@pytest.fixture(autouse=True)
def _nft() -> None:
    if lack := why_without(NFT4):
        pytest.skip(lack)


def test_it_serves_its_services(node: Node) -> None:
    api = node.api
    api.create(testing.service("web", clusterIP="10.96.1.1"))
    api.create(testing.endpoint_slice("web", "10.244.0.1"))
    api.faults.break_streaming_lists("error")
    node.machine.exec(["nft", "-f", "-"], stdin=OTHERS)
    read_only = node.machine.exec(["stat", "-c", "%a", "/proc/sys/net/netfilter/nf_conntrack_max"]).stdout.strip()
    assert read_only == "444", "it belongs to the whole machine"
    daemon = node.run(*KUBE_PROXY, f"--kubeconfig={node.kubeconfig}")
    daemon.wait(
        lambda: "daddr 10.96.1.1" in node.machine.exec(["nft", "list", "table", "ip", "nat"]).stdout, "the Service"
    )
    daemon.wait(lambda: "kube-proxy" not in node.machine.exec(["nft", "list", "tables"]).stdout, "the leftovers")
    assert "ts-postrouting" in node.machine.exec(["nft", "list", "table", "ip", "nat"]).stdout
