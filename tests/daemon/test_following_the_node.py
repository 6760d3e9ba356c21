"""What rules take from the node: its pod networks (mode NodeCIDR), and the addresses on which node ports answer."""

import pytest

from tests.apiserver import testing
from tests.daemon.node import NAME, WEB, Node
from tests.observe.client import is_listening

CHECK = 30500
NODE_CIDR = "--detect-local-mode=NodeCIDR"
ADDRESSES = ("192.0.2.1", "192.0.2.2")


@pytest.fixture(autouse=True)
def web(node: Node) -> None:
    """A Service with an endpoint, a node port and health checks."""
    node.serve(
        "10.244.0.5",
        type="LoadBalancer",
        externalTrafficPolicy="Local",
        healthCheckNodePort=CHECK,
        ports=[{"name": "http", "port": 80, "nodePort": 30080}],
    )


def test_pod_networks_are_waited_for_and_followed(node: Node) -> None:
    api = node.api
    api.create(testing.node(NAME, "192.0.2.1"))
    daemon = node.start(NODE_CIDR)
    daemon.wait(lambda: daemon.told("serving", server="healthz"), "the health server")
    assert "KUBE-" not in node.dump()
    api.patch("Node", "", NAME, {"spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]}})
    daemon.wait(lambda: f"! -s 10.244.1.0/24 -d {WEB}/32" in node.dump(), "rules with the pod network")

    api.delete("Node", "", NAME)
    daemon.wait_told("this node's Node object is gone")
    node.move("10.244.0.6")
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "another endpoint")
    assert f"! -s 10.244.1.0/24 -d {WEB}/32" in node.dump(), "what was known of the node stays in force"

    api.create(testing.node(NAME, "192.0.2.1", podCIDR="10.244.2.0/24", podCIDRs=["10.244.2.0/24"]))
    daemon.wait(lambda: f"! -s 10.244.2.0/24 -d {WEB}/32" in node.dump(), "rules with the other network")
    assert "10.244.1.0/24" not in node.dump()


def test_node_ports_follow_the_addresses_of_interfaces(node: Node) -> None:
    node.machine.ip(["link add pods type bridge", "addr add 192.0.2.1/24 dev pods", "link set pods up"])
    daemon = node.start("--nodeport-addresses=192.0.2.0/24")
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.1"}, "node ports on the one address")
    node.machine.ip(["addr add 192.0.2.2/24 dev pods", "addr add 198.51.100.1/24 dev pods"])
    node.move("10.244.0.6")
    daemon.wait(lambda: node_ports_at(node) == {*ADDRESSES}, "the new address of that network")
    node.machine.ip(["addr del 192.0.2.1/24 dev pods", "addr replace 192.0.2.2/24 dev pods"])
    node.move("10.244.0.7")
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.2"}, "without the address that is gone")


def test_node_ports_and_health_checks_of_primary_addresses_follow_the_node(node: Node) -> None:
    addresses = (f"addr add {address}/24 dev pods" for address in ADDRESSES)
    node.machine.ip(["link add pods type bridge", *addresses, "link set pods up"])
    node.api.create(testing.node(NAME, ADDRESSES[0]))
    daemon = node.start("--nodeport-addresses=primary")
    for address in (ADDRESSES[0], ADDRESSES[1]):
        status = {"addresses": [{"type": "InternalIP", "address": address}]}
        node.api.patch("Node", "", NAME, {"status": status})
        daemon.wait(lambda its=address: node_ports_at(node) == checks_at(node) == {its}, address)  # type: ignore[misc]


def checks_at(node: Node) -> set[str]:
    """The addresses on which the health check is answered."""
    return node.inside(lambda: {host for host in ("127.0.0.1", *ADDRESSES) if is_listening(CHECK, host)})


def node_ports_at(node: Node) -> set[str]:
    """The addresses on which node ports answer."""
    leads = [line for line in node.dump().splitlines() if line.endswith("-j KUBE-NODEPORTS") and " -d " in line]
    return {line.split(" -d ")[1].split("/")[0] for line in leads}
