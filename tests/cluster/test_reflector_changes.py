"""What happens while a watch is open."""

from pykubeproxy.cluster.resources import SERVICES, own_node
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import ObjectId
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, node, service
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


def test_an_object_made_again_is_there(api: ApiServer, follow: Follow) -> None:
    told = follow(api, SERVICES).wait_listed()
    for _ in range(3):
        api.create(service("web"))
        api.delete("Service", "default", "web")
    api.create(service("web"))
    api.create(service("last"))
    told.wait_names("web", "last")


def test_many_changes_arrive_complete_and_in_order(api: ApiServer, follow: Follow) -> None:
    told = follow(api).wait_listed()
    api.create(endpoint_slice("web", "10.244.0.1"))
    for number in range(2, 200):
        api.replace(endpoint_slice("web", f"10.244.0.{number}"))
    told.wait(lambda it: addresses(it, "web") == ["10.244.0.199"])
    seen = [obj.endpoints[0].address for change in told.changes for obj in change.put if isinstance(obj, EndpointSlice)]
    assert seen == sorted(seen, key=lambda address: int(address.rpartition(".")[2]))


def test_a_change_of_status_is_a_change(api: ApiServer, follow: Follow) -> None:
    api.create(service("web", type="LoadBalancer"))
    told = follow(api, SERVICES).wait_names("web")
    before = len(told.changes)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}}
    api.patch("Service", "default", "web", status)
    told.wait(lambda it: len(it.changes) > before)


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
