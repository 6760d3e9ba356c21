"""What becomes of the examples on their way into a cluster."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from e2e.kind import rendering
from e2e.topology import OutsiderSpec
from tests.e2e.kind_like import TOPOLOGY, documents, service

CLIENT = OutsiderSpec(name="client", addresses=(ip_address("172.18.0.9"), ip_address("fc00:f853::9")), networks=())
ELSEWHERE = replace(
    TOPOLOGY,
    pods=tuple(
        replace(pod, addresses=(ip_address(f"10.1.0.{number}"), ip_address(f"fd01::{number}")))
        for number, pod in enumerate(TOPOLOGY.pods, 1)
    ),
)
NAMES = {"node-a": "kind-worker", "node-b": "kind-worker2"}


def slices() -> list[rendering.JsonObject]:
    return [rendering.endpoint_slice(each, ELSEWHERE, NAMES) for each in documents("EndpointSlice")]


def test_every_pod_runs_on_its_node_and_nodes_ask_from_their_own_network() -> None:
    made = {pod["metadata"]["name"]: pod["spec"] for pod in rendering.pods(TOPOLOGY, "image:1")}
    assert made.keys() == {*(pod.name for pod in TOPOLOGY.pods), "host-node-a", "host-node-b"}
    for pod in TOPOLOGY.pods:
        assert made[pod.name]["nodeSelector"] == {"example-node": pod.node}
        assert "hostNetwork" not in made[pod.name]
    assert made["host-node-b"]["hostNetwork"] is True


def test_servers_get_their_ports_and_a_standard_input_that_stays_open() -> None:
    pods = {pod["metadata"]["name"]: pod["spec"]["containers"][0] for pod in rendering.pods(TOPOLOGY, "image:1")}
    assert pods["dns-1"]["command"][-3:] == ["TCP/5353", "TCP/9153", "UDP/5353"]
    assert pods["dns-1"]["stdin"] is True
    assert pods["client-node-a"]["command"] == ["sleep", "infinity"]


def test_namespaces_are_made_but_for_the_one_that_is_there() -> None:
    made = rendering.namespaces(documents("Service"))
    assert [namespace["metadata"]["name"] for namespace in made] == ["infra"]


@pytest.mark.parametrize("document", documents("Service"), ids=lambda document: document["metadata"]["name"])
def test_the_cluster_gives_out_addresses_and_nothing_selects_pods(document: rendering.JsonObject) -> None:
    made = rendering.service(document, CLIENT)
    assert made["spec"].get("clusterIP", "None") == "None"
    assert "selector" not in made["spec"]
    assert "status" not in made
    assert made["spec"]["ports"] == document["spec"]["ports"]


def test_the_example_itself_stays_as_it_is() -> None:
    document = service("store")
    rendering.service(document, CLIENT)
    assert document == service("store")


def test_source_ranges_follow_the_client() -> None:
    made = rendering.service(service("office"), CLIENT)
    assert made["spec"]["loadBalancerSourceRanges"] == ["172.18.0.9/32"]


def test_load_balancers_have_a_status_and_others_none() -> None:
    assert rendering.balancer_patch(service("store")) == {
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10", "ipMode": "VIP"}]}}
    }
    assert rendering.balancer_patch(service("web")) is None


def test_slices_have_the_addresses_that_pods_were_given() -> None:
    running = {pod.name: pod for pod in ELSEWHERE.pods}
    for made in slices():
        for endpoint in made["endpoints"]:
            pod = running[endpoint["targetRef"]["name"]]
            assert endpoint["addresses"] == [str(pod.addresses[1 if made["addressType"] == "IPv6" else 0])]
            assert endpoint["nodeName"] == NAMES[pod.node]


def test_slices_stay_with_their_services_and_belong_to_no_controller_of_the_cluster() -> None:
    for document, made in zip(documents("EndpointSlice"), slices(), strict=True):
        labels = made["metadata"]["labels"]
        assert labels.items() >= document["metadata"]["labels"].items()
        assert labels["endpointslice.kubernetes.io/managed-by"] == "pykubeproxy-examples"


def test_outside_there_is_a_way_to_load_balancer_addresses_and_to_nothing_else() -> None:
    made = list(rendering.routes(TOPOLOGY))
    assert made[:2] == [("-4", "route", "flush", "default"), ("-6", "route", "flush", "default")]
    assert ("-4", "route", "replace", "192.0.2.10", "via", "172.31.0.11") in made
    assert ("-6", "route", "replace", "2001:db8:2::12", "via", "fd00:31::11") in made
    assert len(made) == 2 + len(TOPOLOGY.virtual_addresses)
