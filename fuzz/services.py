"""Random Services and their EndpointSlices, as the API has them (JSON): every field that a proxy reads, and others."""

from random import Random
from typing import Any

from fuzz import hostile
from fuzz.backends import HEADLESS
from fuzz.model import PROXY_NAME
from fuzz.shapes import SERVICE_NAME, Object

NAMESPACES = ("a", "b-1", "kube-system")
SERVICE_NAMES = ("web", "db", "x", "web-2", "a" * 63, "0")
PORT_NAMES = ("", "http", "dns", "p" * 63)
PROTOCOLS = ("TCP", "TCP", "TCP", "UDP", "SCTP")
NODES = ("node-0", "node-1", "node-2")
ZONES = ("zone-a", "zone-b")

# The last one of each family is an address of the node itself.
EXTERNAL = {
    4: ("192.0.2.1", "192.0.2.2", "198.51.100.7", "203.0.113.200", "172.31.7.2"),
    6: ("2001:db8::5", "2001:db8::6", "2001:db8:5::1", "2001:db8:113::c8", "fd00:31:7::2"),
}
RANGES = ("203.0.113.0/24", "192.168.0.0/16", "172.31.0.0/16", "10.244.0.0/24", "2001:db8:113::/48", "fd00:31::/32")
PODS = {4: "10.244.{}.{}", 6: "fd00:10:244:{}::{}"}
_VERSIONS = (4, 6)


def maybe(random: Random, chance: float, value: Any) -> dict[str, Any]:
    """`value` with the given chance, else nothing."""
    return value if random.random() < chance else {}


def service(random: Random, number: int) -> Object:
    """A Service. `number` makes its addresses and node ports its own, mostly."""
    namespace, name = random.choice(NAMESPACES), random.choice(SERVICE_NAMES)
    if random.random() < 0.03:
        name = random.choice(hostile.NAMES)
    elif random.random() < 0.02:
        namespace = random.choice(hostile.NAMES)
    metadata: Object = {"name": name, "namespace": namespace}
    metadata |= maybe(random, 0.2, {"annotations": _annotations(random)})
    metadata |= maybe(random, 0.2, {"labels": _labels(random)})
    obj: Object = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": _spec(random, number)}
    has_balancer = 0.9 if obj["spec"]["type"] == "LoadBalancer" else 0.2
    obj |= maybe(random, has_balancer, {"status": {"loadBalancer": {"ingress": _ingress(random)}}})
    if random.random() < 0.04:
        hostile.spoil(obj, random)
    return obj


def _annotations(random: Random) -> dict[str, str]:
    keys = (
        "service.kubernetes.io/topology-mode",
        "service.beta.kubernetes.io/load-balancer-source-ranges",
        "endpoints.kubernetes.io/last-change-trigger-time",
    )
    return {random.choice(keys): random.choice((*hostile.NAMES, "Auto", "10.0.0.0/8", "2024-01-01T00:00:00Z"))}


def _labels(random: Random) -> dict[str, str]:
    key = random.choice((PROXY_NAME, HEADLESS, "app", "app", hostile.NAMES[0]))
    return {key: random.choice(("", "x", *hostile.NAMES[:4]))}


def _spec(random: Random, number: int) -> Object:
    spec: Object = {
        "type": random.choice(("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName")),
        **_cluster_ips(random, number),
        "ports": _ports(random, number),
    }
    spec |= maybe(random, 0.35, {"externalIPs": _addresses(random)})
    spec |= maybe(random, 0.35, {"loadBalancerSourceRanges": _ranges(random)})
    spec |= maybe(random, 0.5, {"externalTrafficPolicy": random.choice(("Local", "Local", "Cluster"))})
    spec |= maybe(random, 0.4, {"internalTrafficPolicy": random.choice(("Local", "Cluster"))})
    spec |= maybe(random, 0.3, _affinity(random))
    spec |= maybe(random, 0.3, {"healthCheckNodePort": random.choice((0, 31000, 31001, 32000 + number % 100))})
    spec |= maybe(random, 0.1, {"publishNotReadyAddresses": random.random() < 0.5})
    spec |= maybe(random, 0.1, {"trafficDistribution": random.choice(("PreferClose", "PreferSameNode", "x"))})
    spec |= maybe(random, 0.1, {"loadBalancerIP": "192.0.2.99", "loadBalancerClass": "example.com/x"})
    spec |= maybe(random, 0.1, {"allocateLoadBalancerNodePorts": False, "selector": {"app": "x"}})
    spec |= maybe(random, 0.05, {"externalName": random.choice(hostile.NAMES)})
    return spec


def _affinity(random: Random) -> Object:
    """ClientIP affinity in most of its spellings."""
    seconds = random.choice((None, 1, 60, 10800, 86400))
    if random.random() < 0.03:
        seconds = random.choice((0, -1, 86401))
    config = random.choice(({"clientIP": {"timeoutSeconds": seconds}}, {"clientIP": None}, None))
    kind = random.choice(("ClientIP", "ClientIP", "ClientIP", "None", ""))
    return {"sessionAffinity": kind} | maybe(random, 0.8, {"sessionAffinityConfig": config})


def cluster_ip(number: int, version: int) -> str:
    """The cluster IP of a Service; some are close to each other, some far apart."""
    if version == 4:
        return f"10.{96 + number % 3}.{number // 200}.{number % 200 + 1}"
    return f"fd00:10:96::{number % 3:x}:{number + 1:x}"


def _cluster_ips(random: Random, number: int) -> Object:
    if random.random() < 0.04:
        number = random.randrange(3)
    ips = {version: cluster_ip(number, version) for version in _VERSIONS}
    case = random.randrange(20)
    if case < 8:
        order = random.sample(_VERSIONS, 2)
        return _addressing([ips[version] for version in order], [f"IPv{version}" for version in order])
    if case < 15:
        version = random.choice(_VERSIONS)
        return _addressing([ips[version]], [f"IPv{version}"])
    odd = random.choice((*hostile.ADDRESSES, *hostile.SLOPPY))
    choices: tuple[Object, ...] = (
        {"clusterIP": ips[4]},
        {"clusterIP": ips[6], "ipFamilies": None},
        {"clusterIPs": [ips[4], ips[6]]},
        {"clusterIP": "None", "clusterIPs": ["None"]},
        {"clusterIP": ""},
        {},
        _addressing([ips[4]], ["IPv4", "IPv6"]),
        _addressing([ips[6], ips[4]], ["IPv4", "IPv6"]),
        _addressing([odd], [random.choice(("IPv4", "IPv6"))]),
        {"clusterIP": odd},
        {"clusterIP": random.choice(hostile.SLOPPY)},
        _addressing([ips[4]], [random.choice(hostile.NAMES)]),
    )
    return random.choice(choices)


def _addressing(addresses: list[str], families: list[str]) -> Object:
    return {"clusterIP": addresses[0], "clusterIPs": addresses, "ipFamilies": families}


def _ports(random: Random, number: int) -> list[Object] | None:
    """Ports: with the same numbers and different protocols too; seldom none, or two that the API would not allow."""
    if random.random() < 0.03:
        return random.choice((None, []))
    names = random.sample(PORT_NAMES, random.choice((1, 1, 1, 2, 3)))
    ports = []
    for index, name in enumerate(names):
        port: Object = {"port": random.choice((53, 80, 443))} | (
            {"name": name} if name or random.random() < 0.5 else {}
        )
        port |= maybe(random, 0.9, {"protocol": random.choice(PROTOCOLS)})
        port |= maybe(random, 0.4, {"nodePort": _node_port(random, number, index)})
        port |= maybe(random, 0.2, {"targetPort": "http", "appProtocol": random.choice(hostile.NAMES)})
        ports.append(port)
    if random.random() < 0.02:
        ports.append(dict(ports[0], port=8443))
    if random.random() < 0.02:
        ports[0]["name"] = random.choice(hostile.NAMES)
    if random.random() < 0.01:
        ports[0]["protocol"] = random.choice(("tcp", "ICMP", "TCP -j ACCEPT", ""))
    if random.random() < 0.01:
        ports[0][random.choice(("port", "nodePort"))] = random.choice((0, -1, 65535, 65536, 2**31))
    return ports


def _node_port(random: Random, number: int, index: int) -> int:
    return 30000 + random.randrange(5) if random.random() < 0.05 else 30010 + number * 3 + index


def _addresses(random: Random) -> list[str]:
    pool = [*EXTERNAL[4], *EXTERNAL[6], *EXTERNAL[4], *EXTERNAL[6]]
    odd = [*hostile.SLOPPY, *hostile.ADDRESSES, *hostile.UNSPECIFIED]
    return [random.choice(odd if random.random() < 0.1 else pool) for _ in range(random.choice((1, 1, 2, 3)))]


def _ranges(random: Random) -> list[str]:
    odd = random.random() < 0.3
    return [random.choice(hostile.RANGES if odd else RANGES) for _ in range(random.choice((1, 2, 2, 3)))]


def _ingress(random: Random) -> list[Object] | None:
    if random.random() < 0.1:
        nothing: tuple[list[Object] | None, ...] = (None, [], [{}], [{"hostname": random.choice(hostile.NAMES)}])
        return random.choice(nothing)
    found = []
    for text in _addresses(random)[:2]:
        mode = random.choice(("VIP", "VIP", None, "Proxy", "proxy"))
        found.append({"ip": text} | maybe(random, 0.4, {"ipMode": mode}) | maybe(random, 0.1, {"hostname": "x"}))
    return found


def endpoint_slice(random: Random, services: list[Object]) -> Object:
    """A slice, in most cases of one of these Services, with its ports."""
    owner = random.choice(services) if services and random.random() < 0.95 else service(random, 0)
    namespace, name = owner["metadata"]["namespace"], owner["metadata"]["name"]
    version = random.choice(_VERSIONS)
    own = random.choice(("s1", "s2", "s3", "s.4"))
    own = f"{name[:8]}-{own}" if random.random() < 0.9 and name.isascii() else own
    labels = {SERVICE_NAME: name} | maybe(random, 0.04, {HEADLESS: random.choice(("", "true"))})
    metadata: Object = {"name": own, "namespace": namespace, "labels": labels}
    metadata |= maybe(random, 0.2, {"annotations": _annotations(random)})
    if random.random() < 0.03:
        metadata["labels"] = random.choice((None, {}, {SERVICE_NAME: ""}, {SERVICE_NAME: random.choice(hostile.NAMES)}))
    if random.random() < 0.02:
        metadata["name"] = random.choice(hostile.NAMES)
    family = f"IPv{version}" if random.random() < 0.97 else random.choice(("FQDN", "", "ipv4", "IPv4 "))
    obj: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": family,
        "ports": _slice_ports(random, owner),
        "endpoints": _endpoints(random, version),
    }
    if random.random() < 0.04:
        hostile.spoil(obj, random)
    return obj


def _slice_ports(random: Random, owner: Object) -> list[Object] | None:
    spec = owner.get("spec")
    own = spec.get("ports") if isinstance(spec, dict) else None
    ports = []
    for each in own if isinstance(own, list) else ():
        port = each if isinstance(each, dict) else {}
        made: Object = {"name": port.get("name", ""), "port": random.choice((80, 80, 8080))}
        made |= {"protocol": port["protocol"]} if "protocol" in port else {}
        if random.random() < 0.05:
            made[random.choice(("name", "port", "protocol"))] = None
        if random.random() < 0.02:
            made["port"] = random.choice((0, -1, 65536))
        if random.random() < 0.01:
            made["name"] = random.choice(hostile.NAMES)
        ports.append(made)
    if random.random() < 0.1:
        ports.append({"name": random.choice(PORT_NAMES), "port": 9090, "protocol": random.choice(PROTOCOLS)})
    return ports if random.random() < 0.97 else random.choice((None, []))


def _endpoints(random: Random, version: int) -> list[Object]:
    """Endpoints that have much in common: a rolling update, a controller that gives all of them hints."""
    number = random.choice((0, 1, 1, 2, 3, 3, 5, 9))
    state = random.choice(("ready", "ready", "mixed", "mixed", "leaving", "gone"))
    hints = random.choice(("none", "none", "none", "zones", "nodes", "both", "mixed"))
    return [_endpoint(random, version, state, hints) for _ in range(number)]


def _endpoint(random: Random, version: int, state: str, hints: str) -> Object:
    address = PODS[version].format(random.randrange(2), random.randrange(1, 13))
    if random.random() < 0.03:
        address = random.choice((*hostile.ADDRESSES, *hostile.SLOPPY, PODS[10 - version].format(0, 1)))
    made: Object = {"addresses": [address]}
    if random.random() < 0.03:
        made["addresses"] = random.choice(([], None, [address, "10.244.9.9"]))
    made |= _conditions(random, state if random.random() < 0.9 else "mixed")
    made |= maybe(random, 0.9, {"nodeName": random.choice((*NODES[:2], *NODES, "", None))})
    made |= maybe(random, 0.0 if hints == "none" else 0.97, {"hints": _hints(random, hints)})
    made |= maybe(random, 0.1, {"zone": random.choice(ZONES), "hostname": random.choice(hostile.NAMES)})
    return made


def _conditions(random: Random, state: str) -> Object:
    match state:
        case "ready":
            return random.choice(({}, {"conditions": {"ready": True}}, {"conditions": {"ready": None}}))
        case "leaving":
            return {"conditions": {"ready": False, "serving": True, "terminating": True}}
        case "gone":
            return {"conditions": {"ready": False, "serving": False, "terminating": random.random() < 0.5}}
        case _:
            words = ("ready", "serving", "terminating")
            return {"conditions": {word: random.choice((True, False, None)) for word in words if random.random() < 0.8}}


def _hints(random: Random, style: str) -> Object | None:
    zones = [{"name": zone} for zone in random.sample(ZONES, random.choice((1, 1, 2)))]
    nodes = [{"name": node} for node in random.sample(NODES, random.choice((1, 2)))]
    if style in ("zones", "nodes", "both"):
        return maybe(random, style != "nodes", {"forZones": zones}) | maybe(
            random, style != "zones", {"forNodes": nodes}
        )
    if random.random() < 0.2:
        zones = [{"name": random.choice(("", *hostile.NAMES))}]
    return random.choice(({"forZones": zones}, {"forNodes": nodes}, {"forZones": [], "forNodes": nodes}, None))
