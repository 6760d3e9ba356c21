"""What is decided about a Service besides its rules; `tests/observe` and `tests/flows` have what is made of it."""

from typing import Any

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import PortSpec, Protocol, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.service_traffic import HealthCheck, ServiceTraffic, UdpPort, route_service
from tests.builders import NODE, at, ip, options, service, slice_of, slice_port, snapshot

DNS = service(
    "ns/dns",
    "10.96.0.10",
    type=ServiceType.LOAD_BALANCER,
    ports=(PortSpec(name="dns", protocol=Protocol.UDP, port=53, node_port=30053),),
    load_balancer_ips=(ip("203.0.113.9"),),
    external_ips=(ip("198.51.100.7"),),
)
KEY = ServiceKey("ns", "dns")


def udp_ports(known: Snapshot, **fields: Any) -> tuple[UdpPort, ...]:
    return route_service(known, KEY, options(**fields))[1].udp_ports


def test_udp_frontends() -> None:
    known = snapshot(DNS)
    addresses = (("10.96.0.10", 53), ("203.0.113.9", 53), ("198.51.100.7", 53), ("", 30053))
    assert udp_ports(known) == (UdpPort(frontends=addresses, serving=()),)
    without = tuple(each for each in addresses if each[0] != "198.51.100.7")
    assert udp_ports(known, external_ips=False) == (UdpPort(frontends=without, serving=()),)


def test_endpoints_serve_whether_or_not_they_are_ready_or_terminating() -> None:
    endpoints = (
        at("10.0.0.1"),
        at("10.0.0.2", ready=False, serving=True, terminating=True),
        at("10.0.0.3", ready=False, serving=False, terminating=True),
        at("10.0.0.4", ready=False, serving=False),
    )
    known = snapshot(DNS, slice_of("ns/dns", *endpoints, ports=(slice_port("dns", 53, Protocol.UDP),)))
    assert [port.serving for port in udp_ports(known)] == [("10.0.0.1:53", "10.0.0.2:53")]


def test_a_service_that_is_not_served_has_nothing() -> None:
    nothing = ((), ServiceTraffic())
    assert route_service(snapshot(), KEY, options()) == nothing
    assert route_service(snapshot(DNS), KEY, options(Family.IPV6)) == nothing


def test_a_compiler_tells_what_it_has_decided_once() -> None:
    local = service(
        "ns/lb",
        type=ServiceType.LOAD_BALANCER,
        external_traffic_local=True,
        health_check_node_port=30500,
        load_balancer_ips=(ip("203.0.113.9"),),
    )
    known = snapshot(local, slice_of("ns/lb", at("10.0.0.1", NODE)))
    compiler, key = Compiler(options()), ServiceKey("ns", "lb")
    compiler.update(known, [key])
    assert compiler.take_traffic() == {key: ServiceTraffic(health_check=HealthCheck(port=30500, local_endpoints=1))}
    assert compiler.take_traffic() == {}


def test_also_of_a_service_that_is_set_aside() -> None:
    known, compiler = snapshot(DNS), Compiler(options())
    compiler.set_aside({KEY: None}, known)
    assert compiler.take_traffic()[KEY].udp_ports == udp_ports(known)
