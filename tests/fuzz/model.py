"""What Kubernetes promises of Services, told a second time, from the objects alone.

    Cluster(objects, options, own).promised(asked) -> the fates that a packet may have, each with exact shares

There is one fate, except where several Services claim the same address and port: then any of theirs. No rule and no
chain is looked at, and nothing is used that decides for the program who may reach what.

Sources: https://kubernetes.io/docs/concepts/services-networking/service/,
https://kubernetes.io/docs/reference/networking/virtual-ips/, `docs/reference/services.md`,
`docs/reference/endpoints.md`, and of `docs/reference/iptables-rules.md` sections 6, 7, 11, 12 and 19.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from pykubeproxy.model.endpoint import EndpointSlice, SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import PortSpec, Service, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Verdict
from pykubeproxy.rules.options import RuleOptions
from tests.packets import Client, Destination, Fate

REJECTED: Fate = frozenset({(Verdict.REJECT, None, False, Fraction(1))})
DROPPED: Fate = frozenset({(Verdict.DROP, None, False, Fraction(1))})
UNTOUCHED: Fate = frozenset({(Verdict.ACCEPT, None, False, Fraction(1))})

# Endpoints by `ip:port`.
Endpoints = dict[str, SliceEndpoint]


class Asked(NamedTuple):
    """A packet: who sends it, and for what. `seen_at` is the endpoint that the client was last sent to, if any."""

    client: Client
    to: Destination
    seen_at: str | None = None


class Frontend(NamedTuple):
    """One address and port at which a port of a Service can be reached. `entrance` says in which way.

    A node port has no address of its own: any of the node's will do.
    """

    entrance: str
    address: str | None
    protocol: str
    port: int
    served: "Served"


class Node:
    """A node of one family: what it was told, and its `own` addresses."""

    def __init__(self, its: RuleOptions, own: Collection[str]) -> None:
        self.its = its
        self._own = own

    def is_own(self, address: str) -> bool:
        """True for an address of the node itself."""
        return ip_address(address).is_loopback or address in self._own

    def is_pod(self, client: Client) -> bool | None:
        """Whether a client counts as a pod of this cluster or node; None if this node cannot tell."""
        told_by = self.its.pod_traffic
        if told_by is None:
            return None
        if told_by.source:
            return ip_address(client.address) in ip_network(told_by.source)
        prefix, plus, _ = told_by.interface.partition("+")
        return client.interface.startswith(prefix) if plus else client.interface == told_by.interface

    def takes_node_ports_on(self, address: str) -> bool:
        """Whether node ports work on an address of the node; on ::1, they never do."""
        if ip_address(address).is_loopback and (self.its.family is Family.IPV6 or not self.its.localhost_node_ports):
            return False
        return self.its.node_port_addresses is None or address in self.its.node_port_addresses


class Cluster:
    """The objects of a cluster, as one node sees them in one family."""

    def __init__(self, objects: Iterable[Object], its: RuleOptions, own: Collection[str]) -> None:
        self._node = Node(its, own)
        everything = list(objects)
        slices = [obj for obj in everything if isinstance(obj, EndpointSlice) and obj.family is its.family]
        self.frontends = [
            frontend
            for service in everything
            if isinstance(service, Service) and (cluster_ip := _cluster_ip(service, its.family)) is not None
            for port in service.ports
            for frontend in Served(service, port, _endpoints(service, port, slices), self._node).frontends(cluster_ip)
        ]

    def promised(self, asked: Asked) -> list[Fate]:
        """The fates that a packet may have; more than one only where Services claim the same destination."""
        claims = [frontend for frontend in self.frontends if self._is_meant(frontend, asked.to)]
        fates = [frontend.served.fate(frontend.entrance, asked) for frontend in claims]
        taken = [fate for fate in fates if any(target for _, target, _, _ in fate)]
        return taken or fates or [UNTOUCHED]

    def _is_meant(self, frontend: Frontend, to: Destination) -> bool:
        has_address = self._node.is_own(to.address) if frontend.address is None else frontend.address == to.address
        return has_address and (frontend.protocol, frontend.port) == (to.protocol, to.port)


class Served:
    """One port of one Service in one family: who may be sent to which of its endpoints."""

    def __init__(self, service: Service, port: PortSpec, endpoints: Endpoints, node: Node) -> None:
        self._service, self._port, self._node = service, port, node
        self._vips = [ip.text for ip in service.load_balancer_ips if ip.family is node.its.family]
        ready = _those(endpoints, lambda each: each.ready)
        # These may stand in when no ready one is left.
        leaving = _those(endpoints, lambda each: not each.ready and each.serving and each.terminating)
        self._everywhere = _hinted(ready, node.its) or leaving
        self._here = _local(ready, node.its) or _local(leaving, node.its)
        self.endpoints: Endpoints = {**self._everywhere, **self._here}
        self.title = f"{service.key}:{port.name}" if port.name else str(service.key)
        self.has_affinity = service.affinity_seconds is not None

    def frontends(self, cluster_ip: str) -> Iterator[Frontend]:
        """All addresses and ports at which it can be reached."""
        protocol = self._port.protocol.lower()
        at = [("cluster IP", cluster_ip)]
        if self._node.its.external_ips:
            family = self._node.its.family
            at += [("external IP", ip.text) for ip in self._service.external_ips if ip.family is family]
        at += [("load balancer", text) for text in self._vips]
        for entrance, address in at:
            yield Frontend(entrance, address, protocol, self._port.port, self)
        if self._port.node_port:
            yield Frontend("node port", None, protocol, self._port.node_port, self)

    def fate(self, entrance: str, asked: Asked) -> Fate:
        """What becomes of a packet that comes in by an entrance."""
        match entrance:
            case "cluster IP":
                return self._inside(asked)
            case "load balancer":
                return self._by_load_balancer(asked)
            case "node port":
                return self._by_node_port(asked)
            case _:
                return self._outside(asked)

    def _inside(self, asked: Asked) -> Fate:
        """The cluster IP: reject without endpoints, drop without local ones if only those are wanted."""
        if not self._has_any:
            return REJECTED
        chosen = self._here if self._service.internal_traffic_local else self._everywhere
        masquerades = self._node.its.masquerade_all or self._node.is_pod(asked.client) is False
        return self._spread(chosen, asked, masquerades=masquerades) if chosen else DROPPED

    def _outside(self, asked: Asked) -> Fate:
        """Addresses for clients outside. The node's own packets are not refused unless they come back to it."""
        if not self._has_any:
            return UNTOUCHED if asked.client.is_node and not self._node.is_own(asked.to.address) else REJECTED
        if not self._is_external_local():
            return self._spread(self._everywhere, asked, masquerades=True)
        if self._node.is_pod(asked.client):
            return self._spread(self._everywhere, asked, masquerades=False)
        if self._node.is_own(asked.client.address):
            return self._spread(self._everywhere, asked, masquerades=True)
        return self._spread(self._here, asked, masquerades=False) if self._here else DROPPED

    def _by_load_balancer(self, asked: Asked) -> Fate:
        """The same, for clients in the source ranges: all, if one of them is everywhere."""
        ranges = self._source_ranges()
        if not ranges or not self._has_any or any(each.prefixlen == 0 for each in ranges):
            return self._outside(asked)
        node_ip = self._node.its.node_ip
        has_node = node_ip is not None and any(ip_address(node_ip.text) in each for each in ranges)
        is_allowed = any(ip_address(asked.client.address) in each for each in ranges)
        is_allowed |= has_node and asked.client.address in self._vips
        return self._outside(asked) if is_allowed else DROPPED

    def _by_node_port(self, asked: Asked) -> Fate:
        """The same on addresses of the node. On those that are not for node ports, traffic may still be refused."""
        if not self._has_any:
            return REJECTED
        if self._node.takes_node_ports_on(asked.to.address):
            return self._outside(asked)
        return DROPPED if self._is_external_local() and not self._here else UNTOUCHED

    def _source_ranges(self) -> list[IPv4Network | IPv6Network]:
        return [ip_network(each.text) for each in self._service.source_ranges if each.family is self._node.its.family]

    def _is_external_local(self) -> bool:
        """Policy Local, where there is an outside to speak of (`docs/reference/services.md` section 8)."""
        is_outside = self._service.type in (ServiceType.NODE_PORT, ServiceType.LOAD_BALANCER)
        has_addresses = bool(self._service.external_ips) or self._service.has_unusable_external_ips
        return self._service.external_traffic_local and (is_outside or has_addresses)

    @property
    def _has_any(self) -> bool:
        return bool(self._everywhere)

    def _spread(self, endpoints: Endpoints, asked: Asked, *, masquerades: bool) -> Fate:
        """An equal share for each, or all to the one that is remembered; who reaches himself is masqueraded anyway."""
        is_known = self.has_affinity and asked.seen_at in endpoints
        chosen = {text: each for text, each in endpoints.items() if not is_known or text == asked.seen_at}
        return frozenset(
            (Verdict.ACCEPT, text, masquerades or each.address == asked.client.address, Fraction(1, len(chosen)))
            for text, each in chosen.items()
        )


def _those(endpoints: Endpoints, condition: Callable[[SliceEndpoint], bool]) -> Endpoints:
    return {text: each for text, each in endpoints.items() if condition(each)}


def _local(endpoints: Endpoints, its: RuleOptions) -> Endpoints:
    return _those(endpoints, lambda each: bool(its.node_name) and each.node_name == its.node_name)


def _hinted(ready: Endpoints, its: RuleOptions) -> Endpoints:
    """The ready endpoints that topology hints leave to this node: all, unless every one of them has hints."""
    if all(each.nodes for each in ready.values()):
        chosen = _those(ready, lambda each: its.node_name in each.nodes)
        if chosen:
            return chosen
    if its.zone and all(each.zones for each in ready.values()):
        chosen = _those(ready, lambda each: its.zone in each.zones)
        if chosen:
            return chosen
    return ready


def _endpoints(service: Service, port: PortSpec, slices: Iterable[EndpointSlice]) -> Endpoints:
    """The endpoints of a port. Of one that is listed twice, the entry in the better condition counts.

    Slices are taken in the order of their names; the API leaves that open.
    """
    found: Endpoints = {}
    its = (each for each in slices if each.service == service.key and not each.is_headless)
    for slice_ in sorted(its, key=lambda each: each.key.name):
        for number in [each.port for each in slice_.ports if (each.name, each.protocol) == (port.name, port.protocol)]:
            for each in slice_.endpoints:
                text = f"[{each.address}]:{number}" if ":" in each.address else f"{each.address}:{number}"
                # The last of equals counts, if it is not terminating.
                if text not in found or _rank(each) + (not each.terminating) / 2 > _rank(found[text]):
                    found[text] = each
    return found


def _rank(endpoint: SliceEndpoint) -> int:
    """How good the condition is that an entry tells of."""
    return 4 * endpoint.ready + 2 * endpoint.serving + (not endpoint.terminating)


def _cluster_ip(service: Service, family: Family) -> str | None:
    """The cluster IP of a family; None if a Service has none there, or is not served at all."""
    is_elsewhere = service.has_foreign_proxy or service.type is ServiceType.EXTERNAL_NAME
    if is_elsewhere or service.cluster_ip in ("", "None"):
        return None
    its = [service.cluster_ip]
    if service.ip_families:
        listed = zip(service.ip_families, service.cluster_ips, strict=False)
        its = [text for named, text in listed if named == family]
    return its[0] if its and f"IPv{ip_address(its[0]).version}" == family else None
