"""Who is there, and the Services that stand while the cases are run, with their endpoints.

Three nodes in two zones, four pods that answer, named for their nodes, and outside a client, a stranger and a load
balancer. The load balancer addresses and external IPs of Services are at home on node-a: the router sends them there.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from e2e.objects import JsonObject, Member, node, port, service, services_by_name, slices, topology_of
from e2e.topology import CLIENT, Listener, OutsiderSpec, PodSpec, Protocol, Topology, node_spec

HTTP, DNS = 8080, 5353
CROWD_PORTS = range(8100, 8140)  # four pods with forty ports each: more endpoints than one chain takes
HEALTH_PORT = 32060

NODES = tuple(map(node_spec, range(3)))
ZONES = {"node-a": "zone-1", "node-b": "zone-1", "node-c": "zone-2"}

BALANCER = OutsiderSpec(
    name="balancer",
    addresses=(ip_address("192.0.2.130"), ip_address("2001:db8:2:1::130")),
    networks=(ip_network("192.0.2.128/28"), ip_network("2001:db8:2:1::/64")),
)
"""A load balancer that is a machine of its own, not an address that leads to nodes."""


def _pod(name: str, home: int, number: int) -> PodSpec:
    spec = NODES[home]
    return PodSpec(name=name, node=spec.name, addresses=tuple(network[number] for network in spec.pod_networks))


PODS = {pod.name: pod for pod in (_pod("a1", 0, 11), _pod("a2", 0, 12), _pod("b1", 1, 11), _pod("c1", 2, 11))}
"""Which ports they serve is told by the Services."""


def members(*names: str) -> tuple[Member, ...]:
    return tuple(Member(pod=PODS[name]) for name in names)


def _http(node_port: int | None = None) -> JsonObject:
    return port(80, HTTP, node_port=node_port)


def _dns(node_port: int | None = None) -> JsonObject:
    # A node port up to 30085 is given only to who names it. This one is never that of `_http`: an API server lets
    # protocols share one only where `port` is the same.
    return port(53, DNS, name="dns", protocol="UDP", node_port=node_port)


def _ips(number: int) -> list[str]:
    return [f"192.0.2.{number}", f"2001:db8:2::{number}"]


def _vips(*ips: object, **fields: str) -> list[JsonObject]:
    return [{"ip": str(ip)} | fields for ip in ips]


def _with(made: JsonObject, endpoints: Iterable[Member]) -> Iterator[JsonObject]:
    yield made
    yield from slices(made, endpoints)


def _several() -> Iterator[JsonObject]:
    """TCP and UDP on one number, and a port that has endpoints of its own."""
    admin = port(9090, HTTP, name="admin")
    made = service("several", 11, _dns(), port(53, HTTP, name="dns-tcp"), _http(), admin)
    yield made
    yield from slices(made, members("a1", "c1"), ports=made["spec"]["ports"][:3])
    yield from slices(made, members("b1"), name="several-admin", ports=[admin])


def _crowd() -> Iterator[JsonObject]:
    made = service("crowd", 26, _http())
    yield made
    for number in CROWD_PORTS:
        yield from slices(made, members(*PODS), name=f"crowd-{number}", ports=[port(80, number)])


def _hinted(*, also_nodes: bool) -> Iterator[Member]:
    for pod in (PODS["a1"], PODS["b1"], PODS["c1"]):
        yield Member(pod=pod, zones=(ZONES[pod.node],), nodes=(pod.node,) if also_nodes else ())


_NODE_PORTS: JsonObject = {"type": "NodePort"}
_BALANCED: JsonObject = {"type": "LoadBalancer"}
_RESTRICTED = _BALANCED | {"loadBalancerSourceRanges": [str(network) for network in CLIENT.networks]}
_LOCAL = _BALANCED | {"externalTrafficPolicy": "Local", "healthCheckNodePort": HEALTH_PORT}
_SOON = _BALANCED | {"externalIPs": _ips(25)}

OBJECTS: tuple[JsonObject, ...] = (
    *(node(spec, zone=ZONES[spec.name]) for spec in NODES),
    *_with(service("web", 10, _http(), _dns()), members(*PODS)),
    *_several(),
    *_with(service("shop", 13, _http(30013), _dns(30043), **_NODE_PORTS), members("a1", "b1")),
    *_with(service("store", 14, _http(30014), _dns(30044), vips=_vips(*_ips(14)), **_BALANCED), members("a2", "c1")),
    *_with(service("office", 15, _http(30015), _dns(30045), vips=_vips(*_ips(15)), **_RESTRICTED), members("a1", "b1")),
    *_with(
        service("proxied", 16, _http(30016), vips=_vips(*BALANCER.addresses, ipMode="Proxy"), **_BALANCED),
        members("a1", "b1"),
    ),
    *_with(service("branch", 17, _http(), _dns(), externalIPs=_ips(17)), members("b1", "c1")),
    *_with(service("audit", 18, _http(30018), _dns(30048), vips=_vips(*_ips(18)), **_LOCAL), members("a1", "a2", "b1")),
    *_with(
        service("agent", 19, _http(30019), _dns(30049), internalTrafficPolicy="Local", **_NODE_PORTS),
        members("a1", "b1"),
    ),
    *_with(service("cart", 20, _http(30020), _dns(), sessionAffinity="ClientIP", **_NODE_PORTS), members(*PODS)),
    *_with(service("alone", 21, _http(30021), _dns(), **_NODE_PORTS), members("b1")),
    *_with(
        service("zonal", 22, _http(30022), trafficDistribution="PreferSameZone", **_NODE_PORTS),
        _hinted(also_nodes=False),
    ),
    *_with(service("nearby", 23, _http(), trafficDistribution="PreferSameNode"), _hinted(also_nodes=True)),
    *_with(service("soon", 24, _http(30024), _dns(30054), vips=_vips(*_ips(24)), **_SOON), ()),
    *_crowd(),
)

SERVICES = services_by_name(OBJECTS)


def topology() -> Topology:
    built = topology_of(OBJECTS)
    balancer = replace(BALANCER, listeners=(Listener(protocol=Protocol.TCP, port=80),))
    return replace(built, outsiders=(*built.outsiders, balancer))
