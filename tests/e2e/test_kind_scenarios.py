"""What is asked in a cluster of kind's is what is asked in labs, and what is left out is left out whole."""

import pytest

from e2e import cases as example_cases
from e2e.asking import Fate
from e2e.expectation import Answers, Place
from e2e.kind.scenarios import SCENARIOS, Scenario, examples, three_nodes, without
from e2e.making import JsonObject
from e2e.running import resolve
from e2e.three_nodes import cases as three_nodes_cases
from e2e.three_nodes.services import MANIFESTS, OBJECTS, topology
from e2e.topology import Protocol

on_every_scenario = pytest.mark.parametrize("scenario", [made() for made in SCENARIOS.values()], ids=list(SCENARIOS))


def test_nothing_of_the_labs_cases_is_missing() -> None:
    assert examples().cases == example_cases.CASES
    assert three_nodes().cases == three_nodes_cases.CASES
    assert three_nodes().documents == OBJECTS


@on_every_scenario
def test_a_scenario_is_known_by_its_name(scenario: Scenario) -> None:
    assert SCENARIOS[scenario.name]() == scenario


def test_scenarios_have_room_beside_each_other() -> None:
    seen: set[object] = set()
    for scenario in (examples(), three_nodes()):
        its = {
            *((scenario.real_namespace(_declared(each)), each["kind"], _name(each)) for each in scenario.objects),
            *((scenario.namespace, "Pod", pod.name) for pod in scenario.topology.pods),
            *(virtual.address for virtual in scenario.topology.virtual_addresses),
            *(number for each in scenario.objects for number in _node_ports(each)),
        }
        assert its.isdisjoint(seen)
        seen |= its


@on_every_scenario
def test_an_exclusion_names_a_service_that_is_asked(scenario: Scenario) -> None:
    for exclusion in scenario.exclusions:
        assert exclusion.service in {case.service for case in scenario.cases}
        assert exclusion.reason


def test_nodes_are_not_made() -> None:
    assert {each["kind"] for each in three_nodes().objects} == {"Service", "EndpointSlice"}
    assert "Node" in {each["kind"] for each in three_nodes().documents}


@on_every_scenario
def test_without_nothing_all_stays(scenario: Scenario) -> None:
    assert without(scenario, frozenset()) == scenario


def test_what_is_left_out_is_neither_made_nor_asked_nor_served() -> None:
    whole, left = three_nodes(), without(three_nodes(), {"default/stream"})
    assert {_name(each) for each in whole.objects} - {_name(each) for each in left.objects} == {
        "stream",
        "stream-ipv4",
        "stream-ipv6",
    }
    assert set(whole.cases) - set(left.cases) == set(three_nodes_cases.SCTP)
    assert left.topology == topology(sctp=False)
    listeners = {listener.protocol for pod in left.topology.pods for listener in pod.listeners}
    assert listeners == {Protocol.TCP, Protocol.UDP}


def test_the_way_to_what_is_left_out_is_gone_too() -> None:
    whole, left = three_nodes(), without(three_nodes(), {"default/store"})
    gone = set(whole.topology.virtual_addresses) - set(left.topology.virtual_addresses)
    assert sorted(str(virtual.address) for virtual in gone) == ["192.0.2.14", "2001:db8:2::14"]


def test_only_the_namespace_default_is_another() -> None:
    assert [three_nodes().real_namespace(each) for each in ("default", "infra")] == ["three-nodes", "infra"]
    assert [three_nodes().declared_namespace(each) for each in ("three-nodes", "infra")] == ["default", "infra"]
    assert examples().real_namespace("default") == examples().declared_namespace("default") == "default"


@on_every_scenario
def test_the_probe_is_answered_on_every_node(scenario: Scenario) -> None:
    asked = [case for case in scenario.cases if case.service == scenario.probe and case.origin.place is Place.NODE]
    assert asked
    assert all(isinstance(case.expect, Answers) for case in asked)


def test_the_probe_is_the_last_service_made() -> None:
    services = [each for each in three_nodes().objects if each["kind"] == "Service"]
    assert three_nodes().probe == f"default/{_name(services[-1])}"


def test_cases_ask_all_that_a_load_balancer_can_be() -> None:
    proxied = next(case for case in three_nodes().cases if case.service == "default/proxied")
    destination = resolve(three_nodes().topology, MANIFESTS.services[proxied.service], proxied.target)
    assert destination.address in three_nodes().topology.outsiders[-1].addresses
    assert {case.expect.fate for case in three_nodes().cases if not isinstance(case.expect, Answers)} == {
        Fate.REFUSED,
        Fate.DROPPED,
        Fate.UNREACHABLE,
    }


def _name(document: JsonObject) -> str:
    return str(document["metadata"]["name"])


def _declared(document: JsonObject) -> str:
    return str(document["metadata"].get("namespace", "default"))


def _node_ports(document: JsonObject) -> set[int]:
    ports = document["spec"]["ports"] if document["kind"] == "Service" else ()
    return {port["nodePort"] for port in ports if "nodePort" in port}
