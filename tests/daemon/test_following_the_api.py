"""A node that is driven by an API server: it is programmed, and follows every change."""

from tests.apiserver import testing
from tests.daemon.node import NAME, NFT4, NFT6, Daemon, Node

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


def test_both_families_are_programmed(node: Node) -> None:
    daemon = start(node)
    ips = ["10.96.0.30", "fd00:10:96::30"]
    families = ["IPv4", "IPv6"]
    dual = testing.service(
        "dual", clusterIP=ips[0], clusterIPs=ips, ipFamilies=families, ipFamilyPolicy="RequireDualStack"
    )
    node.api.create(dual)
    node.api.create(testing.endpoint_slice("dual-6", "fd00:10:244::5", of="dual", addressType="IPv6"))
    daemon.wait(lambda: node.sends_to("[fd00:10:244::5]:8080", kind=NFT6), "the endpoint")
    daemon.wait(lambda: "fd00:10:96::30/128" in node.dump(NFT6), "the Service")
    assert "10.96.0.30/32" in node.dump(NFT4)


def test_another_zone_of_the_node_changes_the_rules(node: Node) -> None:
    daemon, api = start(node), node.api
    hinted = web("10.244.0.5", "10.244.0.6")
    for endpoint, zone in zip(hinted["endpoints"], ("east", "west"), strict=True):
        endpoint["hints"] = {"forZones": [{"name": zone}]}
    api.apply(hinted)
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080", "10.244.0.6:8080"), "both, for a node without a zone")
    api.patch("Node", "", NAME, {"metadata": {"labels": {ZONE: "west"}}})
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "only the endpoint of its zone")
    api.patch("Node", "", NAME, {"metadata": {"labels": {ZONE: "east"}}})
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "only the endpoint of the other zone")

    api.delete("Node", "", NAME)
    daemon.wait_told("this node's Node object is gone")
    api.apply(testing.endpoint_slice("other", "10.244.0.8"))
    api.apply(testing.service("other", clusterIP="10.96.0.40"))
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080", "10.244.0.8:8080"), "the zone still counts")


def test_a_node_without_an_object_works_with_the_machines_own_addresses(node: Node) -> None:
    node.api.create(testing.service("web", clusterIP=WEB))
    node.api.create(web("10.244.0.5"))
    daemon = node.start()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the rules")
    assert daemon.told("there is no Node object of this name", level="error", node=NAME)
