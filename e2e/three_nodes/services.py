"""The Services that stand while the cases are run, and their endpoints.

What is at home on node-a: the load balancer addresses and external IPs of Services, which the router sends there.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from e2e.examples import Manifests, manifests_of, topology_of
from e2e.making import JsonObject, Member, port, service, slices
from e2e.three_nodes.places import BALANCER, NODE_OBJECTS, PODS, ZONES, members
from e2e.topology import CLIENT, Listener, Protocol, Topology

HTTP, DNS, STREAM = 8080, 5353, 9000
CROWD_PORTS = range(8100, 8140)  # four pods with forty ports each: more endpoints than one chain takes
HEALTH_PORT = 32060


def _http(node_port: int | None = None) -> JsonObject:
    return port(80, HTTP, node_port=node_port)


def _dns(node_port: int | None = None) -> JsonObject:
    # A node port up to 30085 is given only to who names it. This one is never that of `_http`: an API server lets
    # protocols share one only where `port` is the same.
    return port(53, DNS, name="dns", protocol="UDP", node_port=node_port)


def _vips(number: int) -> list[JsonObject]:
    return [{"ip": f"192.0.2.{number}"}, {"ip": f"2001:db8:2::{number}"}]


def _with(made: JsonObject, endpoints: Iterable[Member]) -> Iterator[JsonObject]:
    yield made
    yield from slices(made, endpoints)


def _several() -> Iterator[JsonObject]:
    """TCP and UDP on one number, and a port that has endpoints of its own."""
    own = port(9090, HTTP, name="admin")
    made = service("several", 11, _dns(), port(53, HTTP, name="dns-tcp"), _http(), own)
    yield made
    yield from slices(made, members("a1", "c1"), ports=made["spec"]["ports"][:3])
    yield from slices(made, members("b1"), name="several-admin", ports=[own])


def _crowd() -> Iterator[JsonObject]:
    made = service("crowd", 26, _http())
    yield made
    for number in CROWD_PORTS:
        yield from slices(made, members(*PODS), name=f"crowd-{number}", ports=[port(80, number)])


def _headless() -> JsonObject:
    return service("database", 12, port(HTTP, HTTP), clusterIP="None", clusterIPs=["None"])


def _restricted() -> JsonObject:
    ranges = [str(network) for network in CLIENT.networks]
    balancer = {"type": "LoadBalancer", "loadBalancerSourceRanges": ranges}
    return service("office", 15, _http(30015), _dns(30045), vips=_vips(15), **balancer)


def _proxied() -> JsonObject:
    vips = [{"ip": str(address), "ipMode": "Proxy"} for address in BALANCER.addresses]
    return service("proxied", 16, _http(30016), type="LoadBalancer", vips=vips)


def _local_outside() -> JsonObject:
    policy = {"externalTrafficPolicy": "Local", "healthCheckNodePort": HEALTH_PORT}
    return service("audit", 18, _http(30018), _dns(30048), type="LoadBalancer", vips=_vips(18), **policy)


def _local_inside() -> JsonObject:
    return service("agent", 19, _http(30019), _dns(30049), type="NodePort", internalTrafficPolicy="Local")


def _zonal() -> Iterator[Member]:
    for pod in (PODS["a1"], PODS["b1"], PODS["c1"]):
        yield Member(pod=pod, zones=(ZONES[pod.node],))


def _nearby() -> Iterator[Member]:
    for pod in (PODS["a1"], PODS["b1"], PODS["c1"]):
        yield Member(pod=pod, zones=(ZONES[pod.node],), nodes=(pod.node,))


OBJECTS: tuple[JsonObject, ...] = (
    *NODE_OBJECTS,
    *_with(service("web", 10, _http(), _dns()), members(*PODS)),
    *_several(),
    *_with(_headless(), members("a1", "c1")),
    *_with(service("shop", 13, _http(30013), _dns(30043), type="NodePort"), members("a1", "b1")),
    *_with(service("store", 14, _http(30014), _dns(30044), type="LoadBalancer", vips=_vips(14)), members("a2", "c1")),
    *_with(_restricted(), members("a1", "b1")),
    *_with(_proxied(), members("a1", "b1")),
    *_with(service("branch", 17, _http(), _dns(), externalIPs=[vip["ip"] for vip in _vips(17)]), members("b1", "c1")),
    *_with(_local_outside(), members("a1", "a2", "b1")),
    *_with(_local_inside(), members("a1", "b1")),
    *_with(service("cart", 20, _http(30020), _dns(), type="NodePort", sessionAffinity="ClientIP"), members(*PODS)),
    *_with(service("alone", 21, _http(30021), _dns(), type="NodePort"), members("b1")),
    *_with(service("zonal", 22, _http(30022), type="NodePort", trafficDistribution="PreferSameZone"), _zonal()),
    *_with(service("nearby", 23, _http(), trafficDistribution="PreferSameNode"), _nearby()),
    *_with(
        service(
            "soon",
            24,
            _http(30024),
            _dns(30054),
            type="LoadBalancer",
            vips=_vips(24),
            externalIPs=[vip["ip"] for vip in _vips(25)],
        ),
        (),
    ),
    *_with(
        service("stream", 25, port(9, STREAM, protocol="SCTP", node_port=30025), type="NodePort"), members("a1", "c1")
    ),
    *_crowd(),
)

MANIFESTS: Manifests = manifests_of(OBJECTS)


def topology(*, sctp: bool) -> Topology:
    """The lab for all this; without `sctp`, pods do not serve what the kernel cannot speak."""
    built = topology_of(MANIFESTS)
    balancer = replace(BALANCER, listeners=(Listener(protocol=Protocol.TCP, port=80),))
    pods = tuple(
        replace(pod, listeners=tuple(each for each in pod.listeners if sctp or each.protocol is not Protocol.SCTP))
        for pod in built.pods
    )
    return replace(built, pods=pods, outsiders=(*built.outsiders, balancer))
