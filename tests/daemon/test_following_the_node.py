"""What rules take from the node: its pod networks (mode NodeCIDR), and the addresses on which node ports answer."""

import pytest

from tests.apiserver import testing
from tests.apiserver.server import ApiServer
from tests.daemon.node import NAME, Node
from tests.observe.client import is_listening

CHECK = 30500
NODE_CIDR = "--detect-local-mode=NodeCIDR"


def create_web(api: ApiServer) -> None:
    """A Service with a node port and an endpoint."""
    port = {"name": "http", "port": 80, "nodePort": 30080}
    api.create(testing.service("web", clusterIP="10.96.0.20", type="NodePort", ports=[port]))
    api.create(testing.endpoint_slice("web", "10.244.0.5"))


def test_pod_networks_are_waited_for_and_followed(node: Node) -> None:
    api = node.api
    create_web(api)
    api.create(testing.node(NAME, "192.0.2.1"))
    daemon = node.start(NODE_CIDR)
    daemon.wait(lambda: daemon.told("serving", server="healthz"), "the health server")
    assert "KUBE-" not in node.dump()
    api.patch("Node", "", NAME, {"spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]}})
    daemon.wait(lambda: "! -s 10.244.1.0/24 -d 10.96.0.20/32" in node.dump(), "rules with the pod network")

    api.delete("Node", "", NAME)
    daemon.wait_told("this node's Node object is gone")
    api.apply(testing.endpoint_slice("web", "10.244.0.6"))
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "another endpoint")
    assert "! -s 10.244.1.0/24 -d 10.96.0.20/32" in node.dump(), "what was known of the node stays in force"

    api.create(testing.node(NAME, "192.0.2.1", podCIDR="10.244.2.0/24", podCIDRs=["10.244.2.0/24"]))
    daemon.wait(lambda: "! -s 10.244.2.0/24 -d 10.96.0.20/32" in node.dump(), "rules with the other network")
    assert "10.244.1.0/24" not in node.dump()
    assert daemon.process.poll() is None


@pytest.mark.parametrize("exists", [True, False])
def test_pod_networks_that_never_come_end_it(node: Node, *, exists: bool) -> None:
    create_web(node.api)
    if exists:
        node.api.create(testing.node(NAME, "192.0.2.1"))
    daemon = node.start(NODE_CIDR)
    assert daemon.wait_ended() == 1
    what = f'PodCIDR allocation on node "{NAME}"' if exists else f'node "{NAME}" to exist'
    assert daemon.log.splitlines()[-1] == f"Error: timeout waiting for {what}"
    assert "KUBE-" not in node.dump()


def test_node_ports_follow_the_addresses_of_interfaces(node: Node) -> None:
    create_web(node.api)
    node.machine.ip(["link add pods type bridge", "addr add 192.0.2.1/24 dev pods", "link set pods up"])
    daemon = node.start("--nodeport-addresses=192.0.2.0/24")
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.1"}, "node ports on the one address")
    node.machine.ip(["addr add 192.0.2.2/24 dev pods", "addr add 198.51.100.1/24 dev pods"])
    node.api.apply(testing.endpoint_slice("web", "10.244.0.6"))
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.1", "192.0.2.2"}, "the new address of that network")
    node.machine.ip(["addr del 192.0.2.1/24 dev pods", "addr replace 192.0.2.2/24 dev pods"])
    node.api.apply(testing.endpoint_slice("web", "10.244.0.7"))
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.2"}, "without the address that is gone")


def test_node_ports_of_primary_addresses_follow_the_node(node: Node) -> None:
    create_web(node.api)
    node.machine.ip(
        ["link add pods type bridge", *(f"addr add 192.0.2.{n}/24 dev pods" for n in (1, 2)), "link set pods up"]
    )
    node.api.create(testing.node(NAME, "192.0.2.1"))
    daemon = node.start("--nodeport-addresses=primary")
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.1"}, "node ports on the node's address")
    status = {"addresses": [{"type": "InternalIP", "address": "192.0.2.2"}]}
    node.api.patch("Node", "", NAME, {"status": status})
    daemon.wait(lambda: node_ports_at(node) == {"192.0.2.2"}, "node ports on its other address")


def test_health_checks_are_answered_on_the_primary_address_that_the_node_object_tells(node: Node) -> None:
    node.machine.ip(
        ["link add pods type bridge", *(f"addr add 192.0.2.{n}/24 dev pods" for n in (1, 2)), "link set pods up"]
    )
    node.api.create(testing.node(NAME, "192.0.2.2"))
    load_balancer = testing.service(
        "web", clusterIP="10.96.0.20", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=CHECK
    )
    node.api.create(load_balancer)
    daemon = node.start("--nodeport-addresses=primary")
    daemon.wait(lambda: checks_at(node) == {"192.0.2.2"}, "health checks on the node's address")
    status = {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}
    node.api.patch("Node", "", NAME, {"status": status})
    daemon.wait(lambda: checks_at(node) == {"192.0.2.1"}, "health checks on its other address")


def checks_at(node: Node) -> set[str]:
    """The addresses on which the health check is answered."""
    hosts = ("127.0.0.1", "192.0.2.1", "192.0.2.2")
    return node.inside(lambda: {host for host in hosts if is_listening(CHECK, host)})


def node_ports_at(node: Node) -> set[str]:
    """The addresses on which node ports answer."""
    leads = [line for line in node.dump().splitlines() if line.endswith("-j KUBE-NODEPORTS") and " -d " in line]
    return {line.split(" -d ")[1].split("/")[0] for line in leads}
