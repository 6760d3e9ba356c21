"""A node that is driven by an API server: it is programmed, and follows every change."""

from tests.apiserver import testing
from tests.daemon.node import NAME, Daemon, Node

WEB = "10.96.0.20"
ZONE = "topology.kubernetes.io/zone"


def web(*endpoints: str) -> testing.JsonObject:
    """The slice of the Service."""
    return testing.endpoint_slice("web", *endpoints)


def start(node: Node) -> Daemon:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.api.create(testing.service("web", clusterIP=WEB))
    node.api.create(web("10.244.0.5"))
    daemon = node.start()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the first endpoint")
    return daemon


def test_services_and_endpoints_are_followed(node: Node) -> None:
    daemon, api = start(node), node.api
    assert f" -d {WEB}/32 " in node.dump()

    api.apply(web("10.244.0.5", "10.244.0.6"))
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080", "10.244.0.6:8080"), "another endpoint")
    api.apply(web("10.244.0.7"))
    daemon.wait(lambda: node.sends_to("10.244.0.7:8080"), "an endpoint in the place of others")

    other = testing.service("db", clusterIP="10.96.0.21", ports=[{"name": "sql", "port": 3306, "nodePort": 30306}])
    api.create(other | {"spec": other["spec"] | {"type": "NodePort"}})
    daemon.wait(lambda: "10.96.0.21/32" in node.dump(), "a Service without endpoints")
    assert "REJECT" in next(line for line in node.dump().splitlines() if "10.96.0.21/32" in line)
    api.create(testing.endpoint_slice("db", "10.244.0.9", ports=[{"name": "sql", "port": 33060}]))
    daemon.wait(lambda: node.sends_to("10.244.0.7:8080", "10.244.0.9:33060"), "its first endpoint")
    assert " --dport 30306 " in node.dump()

    api.patch("Service", "default", "db", {"spec": {"externalIPs": ["198.51.100.1"]}})
    daemon.wait(lambda: "198.51.100.1/32" in node.dump(), "a changed Service")
    api.delete("EndpointSlice", "default", "db")
    daemon.wait(lambda: node.sends_to("10.244.0.7:8080"), "no endpoint any more")
    api.delete("Service", "default", "db")
    daemon.wait(lambda: "10.96.0.21" not in node.dump() and "30306" not in node.dump(), "no Service any more")
    assert f" -d {WEB}/32 " in node.dump()


def test_a_node_without_an_object_works_with_the_machines_own_addresses(node: Node) -> None:
    node.api.create(testing.service("web", clusterIP=WEB))
    node.api.create(web("10.244.0.5"))
    daemon = node.start()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the rules")
    assert daemon.told("there is no Node object of this name", level="error", node=NAME)
