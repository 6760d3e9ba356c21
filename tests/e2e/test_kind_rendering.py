"""What becomes of a scenario's objects on their way into a cluster."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from e2e.kind import live, rendering
from e2e.kind.scenarios import SCENARIOS, Scenario, examples, three_nodes
from e2e.making import JsonObject
from e2e.three_nodes.places import BALANCER
from e2e.topology import CLIENT
from tests.e2e.kind_like import elsewhere

ALL = {name: made() for name, made in SCENARIOS.items()}
EXAMPLES, THREE_NODES = examples(), three_nodes()
NAMES = {"node-a": "kind-worker", "node-b": "kind-worker2", "node-c": "kind-worker3"}
MOVED = {
    CLIENT.addresses[0]: ip_address("172.18.0.9"),
    CLIENT.addresses[1]: ip_address("fc00:f853::9"),
    BALANCER.addresses[0]: ip_address("172.18.0.10"),
    BALANCER.addresses[1]: ip_address("fc00:f853::a"),
}

on_every_scenario = pytest.mark.parametrize("scenario", ALL.values(), ids=list(ALL))


def objects(scenario: Scenario, kind: str) -> Iterator[JsonObject]:
    return (each for each in scenario.objects if each["kind"] == kind)


def service(scenario: Scenario, name: str) -> JsonObject:
    return next(each for each in objects(scenario, "Service") if each["metadata"]["name"] == name)


def slices(scenario: Scenario) -> list[JsonObject]:
    here = elsewhere(scenario.topology)
    return [rendering.endpoint_slice(scenario, each, here, NAMES) for each in objects(scenario, "EndpointSlice")]


@on_every_scenario
def test_every_pod_runs_on_its_node_and_nodes_ask_from_their_own_network(scenario: Scenario) -> None:
    made = {pod["metadata"]["name"]: pod["spec"] for pod in rendering.pods(scenario, "image:1")}
    hosts = {f"host-{node.name}" for node in scenario.topology.nodes}
    assert made.keys() == {pod.name for pod in scenario.topology.pods} | hosts
    for pod in scenario.topology.pods:
        assert made[pod.name]["nodeSelector"] == {"stands-for": pod.node}
        assert "hostNetwork" not in made[pod.name]
    assert made["host-node-b"]["hostNetwork"] is True
    assert made["host-node-b"]["nodeSelector"] == {"stands-for": "node-b"}


@on_every_scenario
def test_pods_need_nothing_that_a_new_namespace_does_not_have_at_once(scenario: Scenario) -> None:
    account = rendering.account(scenario)
    assert account["automountServiceAccountToken"] is False
    for pod in rendering.pods(scenario, "image:1"):
        assert pod["metadata"]["namespace"] == account["metadata"]["namespace"]
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_servers_get_their_ports_and_a_standard_input_that_stays_open() -> None:
    pods = {pod["metadata"]["name"]: pod["spec"]["containers"][0] for pod in rendering.pods(EXAMPLES, "image:1")}
    assert pods["dns-1"]["command"][-3:] == ["TCP/5353", "TCP/9153", "UDP/5353"]
    assert pods["dns-1"]["stdin"] is True
    assert pods["client-node-a"]["command"] == ["sleep", "infinity"]


def test_machines_outside_answer_if_they_are_asked() -> None:
    commands = [rendering.outsider_command(each) for each in THREE_NODES.topology.outsiders]
    balancer = ["python3", "/e2e/pod_server.py", "--pod", "balancer", "--node", "outside", "TCP/80"]
    assert commands == [["sleep", "infinity"], ["sleep", "infinity"], balancer]


def test_namespaces_are_made_but_for_the_one_that_is_there() -> None:
    made = [[each["metadata"]["name"] for each in rendering.namespaces(scenario)] for scenario in ALL.values()]
    assert made == [["infra"], ["three-nodes"]]


@on_every_scenario
def test_everything_is_in_its_namespace_and_has_the_label_of_the_scenario(scenario: Scenario) -> None:
    made = [rendering.service(scenario, each, MOVED) for each in objects(scenario, "Service")]
    for each in (*rendering.pods(scenario, "image:1"), *made, *slices(scenario)):
        metadata = each["metadata"]
        assert metadata["labels"]["app.kubernetes.io/part-of"] == f"pykubeproxy-{scenario.name}"
        assert metadata["namespace"] in {scenario.namespace, "infra"}
    declared = [each["metadata"]["namespace"] for each in objects(scenario, "Service")]
    assert [scenario.declared_namespace(each["metadata"]["namespace"]) for each in made] == declared


@pytest.mark.parametrize(
    ("scenario", "document"),
    [
        pytest.param(scenario, each, id=f"{name}-{each['metadata']['name']}")
        for name, scenario in ALL.items()
        for each in objects(scenario, "Service")
    ],
)
def test_the_cluster_gives_out_addresses_and_nothing_selects_pods(scenario: Scenario, document: JsonObject) -> None:
    made = rendering.service(scenario, document, MOVED)
    assert made["spec"].get("clusterIP", "None") == "None"
    is_headless = document["spec"]["clusterIP"] == "None"
    assert ("clusterIP" in made["spec"], "clusterIPs" in made["spec"]) == (is_headless, is_headless)
    assert "selector" not in made["spec"]
    assert "status" not in made
    assert made["spec"]["ports"] == document["spec"]["ports"]


@on_every_scenario
def test_the_definition_itself_stays_as_it_is(scenario: Scenario) -> None:
    for each in objects(scenario, "Service"):
        rendering.service(scenario, each, MOVED)["spec"]["ports"].clear()
        rendering.balancer_patch(each, MOVED)
    for made in slices(scenario):
        made["endpoints"].clear()
    assert SCENARIOS[scenario.name]().documents == ALL[scenario.name].documents
    assert all(each["spec"]["ports"] for each in objects(scenario, "Service"))
    assert service(THREE_NODES, "proxied")["status"]["loadBalancer"]["ingress"][0]["ip"] == str(BALANCER.addresses[0])


@pytest.mark.parametrize(
    ("scenario", "ranges"),
    [(EXAMPLES, ["172.18.0.9/32"]), (THREE_NODES, ["172.18.0.9/32", "fc00:f853::9/128"])],
    ids=list(ALL),
)
def test_source_ranges_follow_the_client(scenario: Scenario, ranges: list[str]) -> None:
    made = rendering.service(scenario, service(scenario, "office"), MOVED)
    assert made["spec"]["loadBalancerSourceRanges"] == ranges


def test_source_ranges_without_a_machine_outside_stay() -> None:
    made = rendering.service(EXAMPLES, service(EXAMPLES, "office"), {})
    assert made["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]


def test_load_balancers_have_a_status_and_others_none() -> None:
    assert rendering.balancer_patch(service(EXAMPLES, "store"), MOVED) == {
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10", "ipMode": "VIP"}]}}
    }
    assert rendering.balancer_patch(service(EXAMPLES, "web"), MOVED) is None


def test_a_load_balancer_that_is_a_machine_has_the_addresses_of_that_one() -> None:
    assert rendering.balancer_patch(service(THREE_NODES, "proxied"), MOVED) == {
        "status": {
            "loadBalancer": {
                "ingress": [{"ip": "172.18.0.10", "ipMode": "Proxy"}, {"ip": "fc00:f853::a", "ipMode": "Proxy"}]
            }
        }
    }


def test_external_ips_stay() -> None:
    made = rendering.service(THREE_NODES, service(THREE_NODES, "branch"), MOVED)
    assert made["spec"]["externalIPs"] == ["192.0.2.17", "2001:db8:2::17"]


@on_every_scenario
def test_slices_have_the_addresses_that_pods_were_given(scenario: Scenario) -> None:
    running = {pod.name: pod for pod in elsewhere(scenario.topology).pods}
    for made in slices(scenario):
        for endpoint in made["endpoints"]:
            pod = running[endpoint["targetRef"]["name"]]
            assert endpoint["addresses"] == [str(pod.addresses[1 if made["addressType"] == "IPv6" else 0])]
            assert endpoint["nodeName"] == NAMES[pod.node]
            assert endpoint["targetRef"]["namespace"] == scenario.namespace


def test_hints_name_nodes_as_they_are_called_here_and_zones_as_they_are() -> None:
    made = next(each for each in slices(THREE_NODES) if each["metadata"]["name"] == "nearby-ipv6")
    assert [endpoint["hints"] for endpoint in made["endpoints"]] == [
        {"forZones": [{"name": "zone-1"}], "forNodes": [{"name": "kind-worker"}]},
        {"forZones": [{"name": "zone-1"}], "forNodes": [{"name": "kind-worker2"}]},
        {"forZones": [{"name": "zone-2"}], "forNodes": [{"name": "kind-worker3"}]},
    ]


@on_every_scenario
def test_slices_stay_with_their_services_and_belong_to_no_controller_of_the_cluster(scenario: Scenario) -> None:
    for document, made in zip(objects(scenario, "EndpointSlice"), slices(scenario), strict=True):
        labels = made["metadata"]["labels"]
        assert labels.items() >= document["metadata"]["labels"].items()
        assert labels["endpointslice.kubernetes.io/managed-by"] == "pykubeproxy-e2e"


def test_outside_there_is_a_way_to_load_balancer_addresses_and_to_nothing_else() -> None:
    made = list(rendering.routes(EXAMPLES.topology))
    assert made[:2] == [("-4", "route", "flush", "default"), ("-6", "route", "flush", "default")]
    assert ("-4", "route", "replace", "192.0.2.10", "via", "172.31.0.11") in made
    assert ("-6", "route", "replace", "2001:db8:2::12", "via", "fd00:31::11") in made
    assert len(made) == 2 + len(EXAMPLES.topology.virtual_addresses)


def test_the_ways_lead_to_the_nodes_where_they_are() -> None:
    made = list(rendering.routes(elsewhere(THREE_NODES.topology)))
    assert ("-4", "route", "replace", "192.0.2.14", "via", "172.31.0.16") in made
    assert not [way for way in made if str(BALANCER.addresses[0]) in way]


def test_what_moved_is_understood_from_the_cluster() -> None:
    topology = THREE_NODES.topology
    moved = live.moved(topology, elsewhere(topology))
    patch = rendering.balancer_patch(service(THREE_NODES, "proxied"), moved)
    assert patch is not None
    assert patch["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.135"
