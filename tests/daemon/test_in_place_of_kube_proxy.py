"""`kube-proxy` as a DaemonSet runs it: kubeadm's command line and ConfigMap, and what does one thing and ends."""

from pathlib import Path

import yaml

from e2e.proxies import FLAGS
from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, KUBE_PROXY, NAME, NFT4, SHORT_TIMEOUTS, Daemon, Node

KUBEADM = Path(__file__).parents[1] / "config" / "data" / "kubeadm.conf"
UPDATED = "content of the proxy server's configuration file was updated"
TCP_TIMEOUT = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
LOCALNET = "/proc/sys/net/ipv4/conf/all/route_localnet"
MOST = "/proc/sys/net/netfilter/nf_conntrack_max"


def create_web(node: Node) -> None:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.api.create(testing.service("web", clusterIP="10.96.0.20"))
    node.api.create(testing.endpoint_slice("web", "10.244.0.5"))


def kubeadm_config(node: Node) -> Path:
    """kubeadm's ConfigMap, but for where its kubeconfig lies."""
    config = yaml.safe_load(KUBEADM.read_text())
    config["clientConnection"]["kubeconfig"] = str(node.kubeconfig)
    path = node.folder / "config.conf"
    path.write_text(yaml.safe_dump(config))
    return path


def start(node: Node) -> tuple[Daemon, Path]:
    create_web(node)
    path = kubeadm_config(node)
    daemon = node.run(*KUBE_PROXY, f"--config={path}", f"--hostname-override={NAME}")
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the rules")
    return daemon, path


def test_kubeadms_command_line_and_config_map(node: Node) -> None:
    daemon, path = start(node)
    # As kubeadm wrote it before v1.37: with an empty mode.
    assert "no mode is given: kube-proxy's own default becomes nftables in v1.40" in daemon.log
    assert "! -s 10.244.0.0/16 -d 10.96.0.20/32" in node.dump(), "its cluster CIDR"
    daemon.wait(lambda: daemon.get("/healthz", HEALTHZ)[0] == 200, "health")
    assert daemon.get("/proxyMode") == (200, b"iptables")
    assert reads(node, TCP_TIMEOUT) == "86400"
    assert reads(node, LOCALNET) == "1"

    path.chmod(0o600)
    path.touch()
    node.api.apply(testing.endpoint_slice("web", "10.244.0.6"))
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "it goes on")
    path.write_text(path.read_text().replace("masqueradeAll: false", "masqueradeAll: true"))
    assert daemon.wait_ended() == 1
    assert daemon.log.splitlines()[-1] == f"Error: {UPDATED}"
    assert node.sends_to("10.244.0.6:8080"), "the rules stay in force"


def test_init_only_makes_the_kernel_settings(node: Node) -> None:
    init_only = (*KUBE_PROXY, f"--kubeconfig={node.kubeconfig}", "--init-only")
    done = node.run(*init_only, *FLAGS, "--conntrack-tcp-timeout-established=1h")
    assert done.wait_ended() == 0, done.log
    assert (reads(node, TCP_TIMEOUT), reads(node, LOCALNET)) == ("3600", "1")
    assert "KUBE-" not in node.dump()

    # In a namespace, the size of the table can only be read.
    its = int(reads(node, MOST))
    told = node.run(*init_only, "--conntrack-max-per-core=1", f"--conntrack-min={its + 1}")
    assert told.wait_ended() == 0, told.log
    assert f"cannot set {MOST} from {its} to {its + 1}: this can only be done in the machine's first" in told.log
    assert int(reads(node, MOST)) == its


def test_cleanup_takes_away_what_was_installed(node: Node) -> None:
    daemon, path = start(node)
    daemon.process.terminate()
    daemon.wait_ended()
    node.machine.iptables(NFT4, "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT")
    done = node.run(*KUBE_PROXY, f"--config={path}", "--cleanup")
    assert done.wait_ended() == 0, done.log
    assert done.log.startswith("IPv4 (nft): 0 chains to add, 6 to change, ")
    left = [line for line in node.dump().splitlines() if "KUBE-" in line and "KUBE-FIREWALL" not in line]
    assert left == []
    assert "-A PREROUTING -j ACCEPT" in node.dump()
    again = node.run(*KUBE_PROXY, "--cleanup")
    assert again.wait_ended() == 0
    assert "nothing to remove" in again.log


def test_one_sync_with_the_api_server(node: Node) -> None:
    create_web(node)
    once = (*SHORT_TIMEOUTS, "run", "--once", f"--kubeconfig={node.kubeconfig}", f"--hostname-override={NAME}", *FLAGS)
    done = node.run(*once)
    assert done.wait_ended() == 0, done.log
    assert node.sends_to("10.244.0.5:8080")
    before = node.dump()

    node.api.faults.refuse()
    node.api.apply(testing.endpoint_slice("web", "10.244.0.6"))
    refused = node.run(*once)
    assert refused.wait_ended() == 1
    last = refused.log.splitlines()[-1]
    assert last.startswith("Error: not in sync after 1 s: EndpointSlice: ")
    assert "Connection refused" in last
    assert node.dump() == before


def reads(node: Node, path: str) -> str:
    """A kernel setting of the machine."""
    return node.machine.exec(["cat", path]).stdout.strip()
