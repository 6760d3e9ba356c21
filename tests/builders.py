"""Short ways to the model's values, with the names that the reference texts use."""

from collections.abc import Iterable
from typing import Any

from pykubeproxy.model.endpoint import Endpoint, EndpointSlice, SliceEndpoint, SliceKey, SlicePort, host_port
from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.service import PortSpec, Protocol, Service, ServiceKey, ServicePort, service_ports
from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.rules.compile import compile_port
from pykubeproxy.rules.fragment import Fragment
from pykubeproxy.rules.options import PodTraffic, RuleOptions
from pykubeproxy.rules.routing import route
from pykubeproxy.rules.service_traffic import ServiceTraffic, route_service

NODE = "test-node"
POD_CIDRS = {Family.IPV4: "10.0.0.0/8", Family.IPV6: "fd00:10::/64"}
NODE_IPS = {Family.IPV4: "192.168.0.2", Family.IPV6: "2001:db8::1"}


def ip(text: str) -> IP:
    """An address that must be one."""
    parsed = parse_ip(text)
    assert parsed is not None, text
    return parsed


def cidr(text: str) -> CIDR:
    """A network that must be one."""
    parsed = parse_cidr(text)
    assert parsed is not None, text
    return parsed


def port(name: str = "p80", number: int = 80, node_port: int = 0, protocol: Protocol = Protocol.TCP) -> PortSpec:
    """A port of a Service."""
    return PortSpec(name=name, protocol=protocol, port=number, node_port=node_port)


def service(name: str = "ns1/svc1", cluster_ip: str = "172.30.0.41", **fields: Any) -> Service:
    """A Service of one address family, the one of its cluster IP, with port p80 unless said otherwise."""
    return Service(key=ServiceKey(*name.split("/")), cluster_ip=cluster_ip, **{"ports": (port(),), **fields})


def service_port(name: str = "ns1/svc1", cluster_ip: str = "172.30.0.41", **fields: Any) -> ServicePort:
    """The first ServicePort of such a Service."""
    family = Family.IPV6 if ":" in cluster_ip else Family.IPV4
    return service_ports(service(name, cluster_ip, **fields), family)[0]


def slice_of(
    name: str,
    *endpoints: SliceEndpoint | str,
    part: str = "a",
    ports: tuple[SlicePort, ...] | None = None,
    **fields: Any,
) -> EndpointSlice:
    """An EndpointSlice of the Service `name`, of the family of its first endpoint; its own name ends in `part`."""
    values = tuple(at(item) if isinstance(item, str) else item for item in endpoints)
    is_ipv6 = bool(values) and ":" in values[0].address
    key = ServiceKey(*name.split("/"))
    defaults: dict[str, Any] = {
        "key": SliceKey(key.namespace, f"{key.name}-{part}"),
        "service": key,
        "family": Family.IPV6 if is_ipv6 else Family.IPV4,
        "ports": (slice_port(),) if ports is None else ports,
        "endpoints": values,
    }
    return EndpointSlice(**{**defaults, **fields})


def slice_port(name: str = "p80", number: int = 80, protocol: Protocol = Protocol.TCP) -> SlicePort:
    """A port of a slice."""
    return SlicePort(name=name, protocol=protocol, port=number)


def at(address: str, node: str = "", **fields: Any) -> SliceEndpoint:
    """An endpoint of a slice; ready unless said otherwise."""
    return SliceEndpoint(address=address, node_name=node, **fields)


def endpoint(text: str, **fields: Any) -> Endpoint:
    """An endpoint of a ServicePort, at `ip:port` or with port 80."""
    address, _, number = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    return Endpoint(text=host_port(address or text, int(number or 80)), ip=address or text, **fields)


def options(family: Family = Family.IPV4, **fields: Any) -> RuleOptions:
    """What the reference's node has: everything default, pods told apart by their CIDR."""
    defaults: dict[str, Any] = {
        "family": family,
        "node_name": NODE,
        "node_ip": ip(NODE_IPS[family]),
        "pod_traffic": PodTraffic(source=POD_CIDRS[family]),
        "localhost_node_ports": family is Family.IPV4,
    }
    return RuleOptions(**{**defaults, **fields})


def snapshot(*objects: Object) -> Snapshot:
    """A Snapshot that holds these objects."""
    made = Snapshot()
    for obj in objects:
        made.put(obj)
    return made


def traffic_of(
    known: Snapshot, touched: Iterable[ServiceKey], its: RuleOptions | None = None
) -> dict[ServiceKey, ServiceTraffic]:
    """What is decided about some Services besides their rules."""
    return {key: route_service(known, key, its or options())[1] for key in touched}


def compiled_port(port: ServicePort, endpoints: tuple[Endpoint, ...], its: RuleOptions, **options: bool) -> Fragment:
    """The fragment of a ServicePort with these endpoints."""
    return compile_port(route(port, endpoints, its), its, **options)
