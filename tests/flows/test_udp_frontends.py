"""Which flows a change of the cluster makes stale: as little as changed, and never too little."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.flows.stale import Flow, FlowCheck, UdpFrontends, pack_ip, socket_text
from pykubeproxy.model.endpoint import EndpointSlice, SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, Snapshot, identify
from tests.builders import at, ip, options, port, service, slice_of, slice_port, snapshot, traffic_of
from tests.flows.flows import flow, frontend

UDP_PORT = slice_port("dns", 5353, Protocol.UDP)
NODE_IP = "192.168.0.2"


def dns(name: str = "ns/dns", cluster_ip: str = "10.96.0.10", node_port: int = 0, **fields: object) -> Service:
    its = port("dns", 53, node_port, Protocol.UDP)
    return service(name, cluster_ip, **{"ports": (its,), "type": ServiceType.NODE_PORT, **fields})


def udp_slice(name: str, *addresses: SliceEndpoint | str, part: str = "a") -> EndpointSlice:
    return slice_of(name, *addresses, part=part, ports=(UDP_PORT,))


class Cluster:
    """A Snapshot, and the frontends that follow it."""

    def __init__(self, *objects: Object) -> None:
        self.snapshot = snapshot(*objects)
        self.frontends = UdpFrontends(Family.IPV4)
        self.first = self.frontends.update(traffic_of(self.snapshot, self.snapshot.services))

    def put(self, obj: Object) -> FlowCheck:
        return self.frontends.update(traffic_of(self.snapshot, self.snapshot.put(obj)))

    def remove(self, obj: Object) -> FlowCheck:
        return self.frontends.update(traffic_of(self.snapshot, self.snapshot.remove(identify(obj))))


def told(check: FlowCheck) -> tuple[dict[str, list[str]], list[str]]:
    """What is served from where, and what is retired."""
    serving = {socket_text(key): sorted(map(socket_text, value)) for key, value in check.serving.items()}
    return serving, sorted(map(socket_text, check.retired))


def test_the_first_check_is_about_all_udp_ports() -> None:
    both = (port("dns", 53, protocol=Protocol.UDP), port("dns-tcp", 53))
    cluster = Cluster(
        dns(node_port=30053),
        udp_slice("ns/dns", "10.0.0.1"),
        dns("ns/other", "10.96.0.11", ports=both),
        service("ns/web"),
        slice_of("ns/web", "10.0.0.5"),
    )
    serving = {"10.96.0.10:53": ["10.0.0.1:5353"], ":30053": ["10.0.0.1:5353"], "10.96.0.11:53": []}
    assert told(cluster.first) == (serving, [])


def test_a_check_is_about_what_changed() -> None:
    cluster = Cluster(dns(), udp_slice("ns/dns", "10.0.0.1"), dns("ns/other", "10.96.0.11"))
    assert told(cluster.put(udp_slice("ns/other", "10.0.0.2"))) == ({"10.96.0.11:53": ["10.0.0.2:5353"]}, [])
    assert cluster.put(udp_slice("ns/other", "10.0.0.2", part="b")).is_empty
    assert cluster.put(service("ns/web")).is_empty


def test_scaled_to_zero_and_back_and_deleted() -> None:
    cluster = Cluster(dns(), its := udp_slice("ns/dns", "10.0.0.1"))
    assert told(cluster.put(udp_slice("ns/dns"))) == ({"10.96.0.10:53": []}, [])
    assert told(cluster.put(udp_slice("ns/dns", "10.0.0.2"))) == ({"10.96.0.10:53": ["10.0.0.2:5353"]}, [])
    assert told(cluster.remove(its)) == ({"10.96.0.10:53": []}, [])
    assert told(cluster.remove(dns())) == ({}, ["10.96.0.10:53"])
    assert cluster.put(its).is_empty


def test_an_endpoint_that_stops_serving() -> None:
    cluster = Cluster(dns(), udp_slice("ns/dns", "10.0.0.1", "10.0.0.2"))
    terminating = at("10.0.0.2", ready=False, terminating=True)
    gone = at("10.0.0.2", ready=False, serving=False, terminating=True)
    assert cluster.put(udp_slice("ns/dns", "10.0.0.1", terminating)).is_empty
    assert told(cluster.put(udp_slice("ns/dns", "10.0.0.1", gone))) == ({"10.96.0.10:53": ["10.0.0.1:5353"]}, [])
    assert cluster.put(udp_slice("ns/dns", "10.0.0.1")).is_empty


@pytest.mark.parametrize(
    ("changed", "served", "retired"),
    [
        (dns(node_port=30054), {":30054": ["10.0.0.1:5353"]}, ["198.51.100.7:53", ":30053"]),
        (dns(ports=(port("dns", 53),)), {}, ["10.96.0.10:53", "198.51.100.7:53", ":30053"]),
    ],
    ids=["another address and port", "UDP no more"],
)
def test_frontends_that_change(changed: Service, served: dict[str, list[str]], retired: list[str]) -> None:
    cluster = Cluster(dns(node_port=30053, external_ips=(ip("198.51.100.7"),)), udp_slice("ns/dns", "10.0.0.1"))
    assert told(cluster.put(changed)) == (served, retired)


def test_services_that_claim_the_same_address() -> None:
    """Traffic goes to either, so the endpoints of both may answer; what one gives up is not retired."""
    shared = (ip("198.51.100.7"),)
    cluster = Cluster(
        first := dns(external_ips=shared),
        udp_slice("ns/dns", "10.0.0.1"),
        dns("ns/other", "10.96.0.11", external_ips=shared),
        udp_slice("ns/other", "10.0.0.2"),
    )
    assert told(cluster.first)[0]["198.51.100.7:53"] == ["10.0.0.1:5353", "10.0.0.2:5353"]
    assert told(cluster.remove(first)) == ({"198.51.100.7:53": ["10.0.0.2:5353"]}, ["10.96.0.10:53"])


def test_what_was_left_behind_is_retired_unless_it_is_served() -> None:
    cluster = Cluster(dns())
    check = cluster.frontends.check([frontend(text) for text in ("10.96.0.10:53", "10.96.0.99:53", ":30099")])
    assert told(check) == ({"10.96.0.10:53": []}, ["10.96.0.99:53", ":30099"])
    assert cluster.put(dns()).is_empty


@pytest.mark.parametrize("changed_service", ["ns/dns", "ns/other"])
def test_a_node_port_and_an_address_of_the_node_with_the_same_port(changed_service: str) -> None:
    """Each decides about flows to the node's address; a check about one has to know the other."""
    on_node = port("dns", 30053, protocol=Protocol.UDP)
    cluster = Cluster(
        dns(node_port=30053),
        udp_slice("ns/dns", "10.0.0.1"),
        dns("ns/other", "10.96.0.11", ports=(on_node,), external_ips=(ip(NODE_IP),)),
        udp_slice("ns/other", "10.0.0.2"),
    )
    addresses = {"ns/dns": "10.0.0.1", "ns/other": "10.0.0.2"}
    check = cluster.put(udp_slice(changed_service, addresses[changed_service], "10.0.0.3")).on_node([ip(NODE_IP)])
    assert not check.is_stale(flow(f"{NODE_IP}:30053 -> 10.0.0.2:5353"))
    assert check.is_stale(flow(f"{NODE_IP}:30053 -> 10.0.0.1:5353"))


SERVICES = ("ns/a", "ns/b", "ns/c")
EXTERNAL = ("198.51.100.7", NODE_IP)
ENDPOINTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")

services = st.builds(
    lambda index, node_port, external, number: dns(
        SERVICES[index],
        f"10.96.0.{index}",
        ports=(port("dns", number, node_port, Protocol.UDP),),
        external_ips=tuple(map(ip, external)),
    ),
    st.integers(0, 2),
    st.sampled_from([0, 53, 54]),
    st.sets(st.sampled_from(EXTERNAL)),
    st.sampled_from([53, 54]),
)
slices = st.builds(udp_slice, st.sampled_from(SERVICES), *[st.sampled_from(ENDPOINTS)] * 2)
changes = st.one_of(services, slices, st.sampled_from(SERVICES))


def changed(objects: Snapshot, change: Object | str) -> Iterable[ServiceKey]:
    """Put an object, or remove a Service of this name and its slice."""
    if isinstance(change, str):
        return objects.remove(identify(dns(change))) | objects.remove(identify(udp_slice(change)))
    return objects.put(change)


@given(st.lists(changes, max_size=12))
def test_after_each_change_no_flow_goes_where_new_ones_would_not(history: list[Object | str]) -> None:
    """Flows are made as the rules of the moment would make them, and deleted as the small checks say."""
    objects, frontends = Snapshot(), UdpFrontends(Family.IPV4)
    flows: set[Flow] = set()
    for change in history:
        check = frontends.update(traffic_of(objects, changed(objects, change))).on_node([ip(NODE_IP)])
        flows = {each for each in flows if not check.is_stale(each)}
        wanted = possible_flows(objects)
        assert flows <= wanted, [str(each) for each in flows - wanted]
        kept = {each for each in flows | wanted if not check.is_stale(each)}
        assert kept == wanted
        flows = wanted


@given(st.lists(changes, max_size=12))
def test_checks_that_had_to_wait_add_up(history: list[Object | str]) -> None:
    """As after syncs that failed: one check in place of many finds all that went stale on the way."""
    objects, frontends, pending = Snapshot(), UdpFrontends(Family.IPV4), FlowCheck(family=Family.IPV4)
    flows: set[Flow] = set()
    for change in history:
        flows |= possible_flows(objects)
        pending = pending.then(frontends.update(traffic_of(objects, changed(objects, change))))
    wanted = possible_flows(objects)
    pending = pending.on_node([ip(NODE_IP)])
    assert {each for each in flows | wanted if not pending.is_stale(each)} == wanted


def possible_flows(objects: Snapshot) -> set[Flow]:
    """All flows that the rules for `objects` may make, for clients of any address; decided from nothing."""
    full = UdpFrontends(Family.IPV4).update(traffic_of(objects, objects.services)).serving
    return {
        Flow(destination, answering)
        for key, endpoints in full.items()
        for destination in [key if len(key) > 2 else pack_ip(NODE_IP) + key]
        if destination == key or destination not in full
        for answering in endpoints
    }


def test_after_the_rules_were_gone_all_flows_to_services_are_looked_at() -> None:
    cluster = Cluster(dns(node_port=30053), udp_slice("ns/dns", "10.0.0.1"), dns("ns/other", "10.96.0.11"))
    check = cluster.frontends.everything()
    past_the_endpoints, right = flow("10.96.0.10:53 -> 10.96.0.10:53"), flow("10.96.0.10:53 -> 10.0.0.1:5353")
    assert [check.is_stale(each) for each in (past_the_endpoints, right)] == [True, False]
    assert check.is_stale(flow("10.96.0.11:53 -> 10.96.0.11:53"))
    assert check.is_stale(flow(f"{NODE_IP}:30053 -> {NODE_IP}:30053"))
    assert not check.is_stale(flow("8.8.8.8:53 -> 8.8.8.8:53"))


def test_a_family_has_checks_of_its_own() -> None:
    frontends = UdpFrontends(Family.IPV6)
    its = snapshot(dns(cluster_ip="fd00:96::10"), udp_slice("ns/dns", "fd00:1::1"))
    first = frontends.update(traffic_of(its, its.services, options(Family.IPV6)))
    assert told(first) == ({"[fd00:96::10]:53": ["[fd00:1::1]:5353"]}, [])
    assert first.family is frontends.everything().family is Family.IPV6


def test_a_node_port_answers_again_where_a_service_had_the_address() -> None:
    on_node = (port("dns", 30053, protocol=Protocol.UDP),)
    taker = dns("ns/taker", "10.96.0.12", external_ips=(ip(NODE_IP),), ports=on_node)
    cluster = Cluster(dns(node_port=30053), udp_slice("ns/dns", "10.0.0.1"), taker, udp_slice("ns/taker", "10.0.0.2"))
    assert ":30053" not in told(cluster.put(udp_slice("ns/taker", "10.0.0.3")))[0], "the address is still taken"
    expected = ({":30053": ["10.0.0.1:5353"]}, ["10.96.0.12:30053", f"{NODE_IP}:30053"])
    assert told(cluster.remove(taker)) == expected
