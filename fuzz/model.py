"""What Kubernetes promises of Services, told from the objects alone: no rule, no chain, none of the project's code.

    Cluster(objects, proxy).promised(packet) -> the fates that it may have, each with exact shares

There is one fate, except where several Services claim the same address and port: then any of theirs.

Sources: https://kubernetes.io/docs/concepts/services-networking/service/,
https://kubernetes.io/docs/reference/networking/virtual-ips/, `docs/reference/services.md`,
`docs/reference/endpoints.md`, and of `docs/reference/iptables-rules.md` sections 6, 7 and 19.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from fuzz.addresses import Address, Network, address, known, network
from fuzz.backends import Backends, Endpoint, backends, endpoints_of
from fuzz.proxy import Client, Proxy
from fuzz.shapes import Object, affinity_seconds, is_foreign, is_usable

PROXY_NAME = "service.kubernetes.io/service-proxy-name"

# What becomes of packets: (verdict, where to, masqueraded) and for which share of them.
Fate = dict[tuple[str, str | None, bool], Fraction]

REJECTED: Fate = {("REJECT", None, False): Fraction(1)}
DROPPED: Fate = {("DROP", None, False): Fraction(1)}
UNTOUCHED: Fate = {("ACCEPT", None, False): Fraction(1)}


@dataclass(frozen=True)
class Asked:
    """A packet: who sends it, and for what. `seen_at` is the endpoint that the client was last sent to, if any."""

    client: Client
    address: str
    protocol: str
    port: int
    seen_at: str | None = None

    def __str__(self) -> str:
        by = self.client.interface or "the node"
        seen = f", last at {self.seen_at}" if self.seen_at else ""
        return f"{self.address} {self.protocol} {self.port} from {self.client.address} by {by}{seen}"


@dataclass(frozen=True)
class Frontend:
    """One address and port at which a port of a Service can be reached. `entrance` says in which way.

    A node port has no address of its own: any of the node's will do.
    """

    entrance: str
    address: Address | None
    protocol: str
    port: int
    served: "Served"


class Cluster:
    """The objects of a cluster, as one node's proxy takes them; those that cannot be used are left out."""

    def __init__(self, objects: Iterable[Object], proxy: Proxy) -> None:
        usable = [obj for obj in objects if is_usable(obj)]
        self.proxy = proxy
        self._slices = [obj for obj in usable if obj["kind"] == "EndpointSlice" and not is_foreign(obj)]
        self.served = [
            Served(service, port, version, self._backends(service, port, version), proxy)
            for service in usable
            if service["kind"] == "Service"
            for version in (4, 6)
            if _cluster_ip(service, version) is not None
            for port in (service["spec"].get("ports") or ())
        ]
        self.frontends = [frontend for served in self.served for frontend in served.frontends()]

    def promised(self, asked: Asked) -> list[Fate]:
        """The fates that a packet may have; more than one only where Services claim the same destination."""
        where = known(asked.address)
        claims = [frontend for frontend in self.frontends if self._is_before(frontend, asked, where)]
        fates = [frontend.served.fate(frontend.entrance, asked, where) for frontend in claims]
        taken = [fate for fate in fates if any(target for _, target, _ in fate)]
        return taken or fates or [UNTOUCHED]

    def _is_before(self, frontend: Frontend, asked: Asked, where: Address) -> bool:
        if (frontend.protocol, frontend.port) != (asked.protocol, asked.port):
            return False
        if frontend.address is None:
            return self.proxy.is_own(where) and frontend.served.version == where.version
        return frontend.address == where

    def _backends(self, service: Object, port: Object, version: int) -> Backends:
        endpoints = endpoints_of(self._slices, service, port, version)
        return backends(endpoints, self.proxy.name, self.proxy.zone)


class Served:
    """One port of one Service in one family."""

    def __init__(self, service: Object, port: Object, version: int, its: Backends, proxy: Proxy) -> None:
        self._spec = service["spec"]
        self._port = port
        self._backends = its
        self._proxy = proxy
        self._vips = _load_balancers(service, version)
        self.version = version
        self.title = f"{service['metadata']['namespace']}/{service['metadata']['name']}:{port.get('name') or ''}"
        self.cluster_ip = _cluster_ip(service, version)
        self.affinity_seconds = affinity_seconds(self._spec)

    def frontends(self) -> Iterator[Frontend]:
        """All addresses and ports at which it can be reached."""
        protocol = (self._port.get("protocol") or "TCP").lower()
        at = [("cluster IP", self.cluster_ip)]
        if self._proxy.serves_external_ips:
            at += [("external IP", each) for each in _addresses(self._spec.get("externalIPs"), self.version)]
        at += [("load balancer", each) for each in self._vips]
        for entrance, each in at:
            yield Frontend(entrance, each, protocol, self._port["port"], self)
        if self._port.get("nodePort"):
            yield Frontend("node port", None, protocol, self._port["nodePort"], self)

    @property
    def endpoints(self) -> set[str]:
        """All endpoints that some traffic may be sent to."""
        return {each.text for each in (*self._backends.everywhere, *self._backends.here)}

    @property
    def clients(self) -> set[str]:
        """The addresses of those endpoints, which may be clients as well."""
        return {each.address for each in (*self._backends.everywhere, *self._backends.here)}

    @property
    def health_check_node_port(self) -> int:
        """The port of the node at which load balancers ask for local endpoints; 0 if there is none."""
        is_asked = self._spec.get("type") == "LoadBalancer" and self._is_external_local()
        return self._spec.get("healthCheckNodePort") or 0 if is_asked else 0

    def fate(self, entrance: str, asked: Asked, where: Address) -> Fate:
        """What becomes of a packet that comes in by an entrance."""
        match entrance:
            case "cluster IP":
                return self._inside(asked)
            case "load balancer":
                return self._by_load_balancer(asked, where)
            case "node port":
                return self._by_node_port(asked, where)
            case _:
                return self._outside(asked, where)

    def _inside(self, asked: Asked) -> Fate:
        """The cluster IP: reject without endpoints, drop without local ones if only those are wanted."""
        if not self._backends.any:
            return REJECTED
        is_local = self._spec.get("internalTrafficPolicy") == "Local"
        chosen = self._backends.here if is_local else self._backends.everywhere
        masquerades = self._proxy.masquerades_all or self._proxy.is_pod(asked.client) is False
        return self._spread(chosen, asked, masquerades=masquerades) if chosen else DROPPED

    def _outside(self, asked: Asked, where: Address) -> Fate:
        """Addresses for clients outside. The node's own packets are not refused unless they come back to it."""
        if not self._backends.any:
            return UNTOUCHED if asked.client.is_node and not self._proxy.is_own(where) else REJECTED
        if not self._is_external_local():
            return self._spread(self._backends.everywhere, asked, masquerades=True)
        if self._proxy.is_pod(asked.client):
            return self._spread(self._backends.everywhere, asked, masquerades=False)
        if self._proxy.is_own(known(asked.client.address)):
            return self._spread(self._backends.everywhere, asked, masquerades=True)
        return self._spread(self._backends.here, asked, masquerades=False) if self._backends.here else DROPPED

    def _by_load_balancer(self, asked: Asked, where: Address) -> Fate:
        """The same, for clients in the source ranges."""
        ranges = self._source_ranges()
        if not ranges or not self._backends.any:
            return self._outside(asked, where)
        client = known(asked.client.address)
        has_node = any(self._proxy.node_ip(self.version) in each for each in ranges)
        is_allowed = any(client in each for each in ranges) or (has_node and client in self._vips)
        return self._outside(asked, where) if is_allowed else DROPPED

    def _by_node_port(self, asked: Asked, where: Address) -> Fate:
        """The same on addresses of the node. On those that are not for node ports, traffic may still be refused."""
        if not self._backends.any:
            return REJECTED
        if self._proxy.takes_node_ports_on(where):
            return self._outside(asked, where)
        return DROPPED if self._is_external_local() and not self._backends.here else UNTOUCHED

    def _source_ranges(self) -> list[Network]:
        """The ranges of this family; one of all addresses lifts the restriction.

        Source: `docs/reference/services.md` section 7.
        """
        texts = self._spec.get("loadBalancerSourceRanges") or ()
        found = [each for text in texts if (each := network(text.strip())) and each.version == self.version]
        return [] if any(each.prefixlen == 0 for each in found) else found

    def _is_external_local(self) -> bool:
        """Policy Local, where there is an outside to speak of (`docs/reference/services.md` section 8)."""
        if self._spec.get("externalTrafficPolicy") != "Local":
            return False
        kind = self._spec.get("type") or "ClusterIP"
        return kind in ("NodePort", "LoadBalancer") or bool(self._spec.get("externalIPs"))

    def _spread(self, endpoints: Iterable[Endpoint], asked: Asked, *, masquerades: bool) -> Fate:
        """An equal share for each, or all to the one that is remembered; who reaches himself is masqueraded anyway."""
        chosen = tuple(endpoints)
        if self.affinity_seconds is not None:
            chosen = tuple(each for each in chosen if each.text == asked.seen_at) or chosen
        share = Fraction(1, len(chosen))
        client = known(asked.client.address)
        return {("ACCEPT", each.text, masquerades or known(each.address) == client): share for each in chosen}


def _cluster_ip(service: Object, version: int) -> Address | None:
    """The cluster IP of a family; None if a Service has none there, or none at all.

    Source: `docs/reference/services.md` sections 2 to 4.
    """
    spec = service.get("spec") or {}
    # A manifest may give only one of both fields; the API server would fill in the other.
    texts = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    single = spec.get("clusterIP") or (texts[0] if texts else "")
    is_elsewhere = PROXY_NAME in (service["metadata"].get("labels") or {})
    if single in ("", "None") or spec.get("type") == "ExternalName" or is_elsewhere:
        return None
    families = spec.get("ipFamilies")
    if families:
        texts = [text for family, text in zip(families, texts, strict=False) if family == f"IPv{version}"][:1]
    else:
        # Nor does it have to give the families, which the addresses tell, unless the two fields contradict each other.
        its = [text for text in texts if (ip := address(text)) is not None and ip.version == version]
        texts = its[:1] if texts[0] == single else [single]
    found = address(texts[0]) if texts else None
    return found if found is not None and found.version == version else None


def _addresses(texts: Iterable[str] | None, version: int) -> list[Address]:
    return [each for text in texts or () if (each := address(text)) is not None and each.version == version]


def _load_balancers(service: Object, version: int) -> list[Address]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    texts = [each.get("ip") for each in ingress if each.get("ipMode") in (None, "", "VIP")]
    return _addresses([text for text in texts if text], version)
