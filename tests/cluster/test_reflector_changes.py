"""What happens while a watch is open."""

from pykubeproxy.cluster.resources import own_node
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import ObjectId
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, node
from tests.cluster.following import Follow, Following


def addresses(told: Following, name: str) -> list[str]:
    found = told.objects.get(ObjectId("EndpointSlice", "default", name))
    return [endpoint.address for endpoint in found.endpoints] if isinstance(found, EndpointSlice) else []


def test_objects_come_change_and_go(api: ApiServer, follow: Follow) -> None:
    told = follow(api).wait_listed()
    api.create(endpoint_slice("web", "10.244.0.5"))
    told.wait(lambda it: addresses(it, "web") == ["10.244.0.5"])
    api.replace(endpoint_slice("web", "10.244.0.5", "10.244.0.6"))
    told.wait(lambda it: addresses(it, "web") == ["10.244.0.5", "10.244.0.6"])
    api.delete("EndpointSlice", "default", "web")
    told.wait_names()
    assert told.removed == ["web"]
    assert told.listed == ["EndpointSlice"]


def test_only_the_own_node_is_told_and_its_deletion(api: ApiServer, follow: Follow) -> None:
    api.create(node("n1", "192.0.2.1"))
    told = follow(api, own_node("n2")).wait_listed()
    assert told.listed == ["Node"]
    api.create(node("n2", "192.0.2.2"))
    told.wait_names("n2")
    api.patch("Node", "", "n2", {"spec": {"podCIDRs": ["10.244.2.0/24"], "podCIDR": "10.244.2.0/24"}})
    told.wait(lambda it: any(isinstance(n, Node) and n.pod_cidrs for n in it.objects.values()), "the pod CIDR")
    api.delete("Node", "", "n1")
    api.delete("Node", "", "n2")
    told.wait_names()
    assert told.removed == ["n2"]
