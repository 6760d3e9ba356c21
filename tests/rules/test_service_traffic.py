"""What is decided about a Service besides its rules; `tests/observe` and `tests/flows` have what is made of it."""

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import PortSpec, Protocol, ServiceKey, ServiceType
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.service_traffic import HealthCheck, ServiceTraffic, UdpPort, route_service
from tests.builders import NODE, at, ip, options, service, slice_of, snapshot

DNS = service(
    "ns/dns",
    "10.96.0.10",
    type=ServiceType.LOAD_BALANCER,
    ports=(PortSpec(name="dns", protocol=Protocol.UDP, port=53, node_port=30053),),
    load_balancer_ips=(ip("203.0.113.9"),),
    external_ips=(ip("198.51.100.7"),),
)
KEY = ServiceKey("ns", "dns")


EXTERNAL_IP = ("198.51.100.7", 53)


@pytest.mark.parametrize(("external_ips", "also"), [(True, [EXTERNAL_IP]), (False, [])])
def test_udp_frontends(also: list[tuple[str, int]], *, external_ips: bool) -> None:
    frontends = (("10.96.0.10", 53), ("203.0.113.9", 53), *also, ("", 30053))
    traffic = route_service(snapshot(DNS), KEY, options(external_ips=external_ips))[1]
    assert traffic.udp_ports == (UdpPort(frontends=frontends, serving=()),)


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
    assert compiler.take_traffic() == {KEY: route_service(known, KEY, options())[1]}
