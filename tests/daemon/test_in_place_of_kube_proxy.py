"""`kube-proxy` as a DaemonSet runs it: kubeadm's command line and ConfigMap, and what does one thing and ends."""

from pathlib import Path

import yaml

from e2e.proxies import FLAGS
from tests.apiserver import testing
from tests.daemon.node import KUBE_PROXY, NAME, NFT4, SHORT_TIMEOUTS, WEB, Node

KUBEADM = Path(__file__).parents[1] / "config" / "data" / "kubeadm.conf"
TCP_TIMEOUT = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established")
LOCALNET = Path("/proc/sys/net/ipv4/conf/all/route_localnet")


def settings(node: Node) -> list[str]:
    """Kernel settings of the machine."""
    return node.inside(lambda: [path.read_text().strip() for path in (TCP_TIMEOUT, LOCALNET)])


def test_from_kubeadms_command_line_and_config_map_to_cleanup(node: Node) -> None:
    config = yaml.safe_load(KUBEADM.read_text())
    config["clientConnection"]["kubeconfig"] = str(node.kubeconfig)
    path = node.folder / "config.conf"
    path.write_text(yaml.safe_dump(config))
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.serve("10.244.0.5")
    daemon = node.run(*KUBE_PROXY, f"--config={path}", f"--hostname-override={NAME}")
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the rules")
    # As kubeadm wrote it before v1.37: with an empty mode.
    assert "no mode is given: kube-proxy's own default becomes nftables in v1.40" in daemon.log
    assert f"! -s 10.244.0.0/16 -d {WEB}/32" in node.dump(), "its cluster CIDR"
    assert settings(node) == ["86400", "1"]

    path.chmod(0o600)
    path.touch()
    node.move("10.244.0.6")
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "it goes on")
    path.write_text(path.read_text().replace("masqueradeAll: false", "masqueradeAll: true"))
    assert daemon.wait_ended() == 1
    assert daemon.log.endswith("Error: content of the proxy server's configuration file was updated\n")
    assert node.sends_to("10.244.0.6:8080"), "the rules stay in force"

    node.machine.iptables(NFT4, "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT")
    cleanup = node.run(*KUBE_PROXY, f"--config={path}", "--cleanup")
    assert cleanup.wait_ended() == 0, cleanup.log
    assert cleanup.log.startswith("IPv4 (nft): 0 chains to add, 6 to change, ")
    assert [line for line in node.dump().splitlines() if "KUBE-" in line and "KUBE-FIREWALL" not in line] == []
    assert "-A PREROUTING -j ACCEPT" in node.dump()
    again = node.run(*KUBE_PROXY, "--cleanup")
    assert again.wait_ended() == 0
    assert "nothing to remove" in again.log


def test_init_only_makes_the_kernel_settings(node: Node) -> None:
    flags = (f"--kubeconfig={node.kubeconfig}", *FLAGS, "--init-only", "--conntrack-tcp-timeout-established=1h")
    done = node.run(*KUBE_PROXY, *flags)
    assert done.wait_ended() == 0, done.log
    assert settings(node) == ["3600", "1"]
    assert "KUBE-" not in node.dump()


def test_one_sync_with_the_api_server(node: Node) -> None:
    node.serve("10.244.0.5")
    once = (*SHORT_TIMEOUTS, "run", "--once", f"--kubeconfig={node.kubeconfig}", f"--hostname-override={NAME}", *FLAGS)
    done = node.run(*once)
    assert done.wait_ended() == 0, done.log
    assert node.sends_to("10.244.0.5:8080")
    before = node.dump()

    node.api.faults.refuse()
    node.move("10.244.0.6")
    refused = node.run(*once)
    assert refused.wait_ended() == 1
    last = refused.log.splitlines()[-1]
    assert last.startswith("Error: not in sync after 1 s: EndpointSlice: ")
    assert "Connection refused" in last
    assert node.dump() == before
