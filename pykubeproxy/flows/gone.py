"""Which TCP flows lead to endpoints that are gone for good, so that nobody will answer any more. Pure.

Connection tracking sends the packets of a connection to one endpoint for as long as it lasts. If that endpoint's pod is
deleted, the client hears nothing until its time-out. If the flow is forgotten, its next packet is looked at afresh: it
meets another endpoint, which knows no such connection and resets it.

An endpoint is gone if its Service is still there and lists it no longer in any condition, ready or not, terminating or
not; if no other Service of the family lists it; and if that has been so for `GRACE_SECONDS`, because an endpoint that
moves from one EndpointSlice to another may be in none of them for a moment. Nothing is known of endpoints that went
while no proxy ran.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pykubeproxy.flows.stale import Flow, Frontend, SocketAddress, pack_endpoint, pack_frontend, pack_ip, port_of
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.service import Protocol, ServiceKey
from pykubeproxy.rules.service_traffic import ServiceTraffic

GRACE_SECONDS = 5.0


class GoneEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoints that are gone, by the frontends that led to them: what TCP flows are to be checked against.

    `node_addresses` are the packed addresses on which node ports answer; None if they are not known.
    """

    protocol = Protocol.TCP

    family: Family
    endpoints: dict[Frontend, frozenset[SocketAddress]] = {}
    node_addresses: frozenset[bytes] | None = None

    @property
    def is_empty(self) -> bool:
        """True if no endpoint is gone."""
        return not self.endpoints

    def is_stale(self, flow: Flow) -> bool:
        """True if a frontend has led `flow` to an endpoint that is gone."""
        destination = flow.destination
        if flow.answered_by in self.endpoints.get(destination, ()):
            return True
        port = port_of(destination)
        if flow.answered_by not in self.endpoints.get(port, ()):
            return False
        return self.node_addresses is None or destination.removesuffix(port) in self.node_addresses

    def on_node(self, addresses: Iterable[IP] | None) -> "GoneEndpoints":
        """This check, for a node whose node ports answer on `addresses` (None: not known, so any address may be)."""
        packed = None if addresses is None else frozenset(pack_ip(ip.text) for ip in addresses)
        return msgspec.structs.replace(self, node_addresses=packed)


class ListedEndpoints:
    """The TCP endpoints that Services list in one family, and those that are gone. Times are in seconds."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._of_service: dict[ServiceKey, dict[Frontend, frozenset[SocketAddress]]] = {}
        self._count: Counter[SocketAddress] = Counter()
        self._missing: dict[tuple[Frontend, SocketAddress], float | None] = {}

    @property
    def next_at(self) -> float | None:
        """When the next endpoint will count as gone; None if there is none to wait for."""
        times = [since for since in self._missing.values() if since is not None]
        return min(times) + GRACE_SECONDS if times else None

    def update(self, services: Mapping[ServiceKey, ServiceTraffic]) -> None:
        """Take in how some Services are routed now, in rules that may not be in force yet."""
        for key, traffic in services.items():
            old, new = self._of_service.pop(key, {}), _packed(traffic)
            if new:
                self._of_service[key] = new
            self._count.subtract(_all(old))
            self._count.update(_all(new))
            for frontend in old.keys() & new.keys():
                for endpoint in old[frontend] - new[frontend]:
                    self._missing.setdefault((frontend, endpoint), None)
        self._count = +self._count

    def in_force(self, now: float) -> None:
        """The rules are in force: none of them leads to an endpoint that is missing."""
        for key, since in self._missing.items():
            if since is None:
                self._missing[key] = now

    def take_gone(self, now: float) -> GoneEndpoints:
        """The endpoints that count as gone by now, each once; those that are listed again are dropped."""
        frontends = frozenset[Frontend]().union(*self._of_service.values()) if self._missing else frozenset()
        found: dict[Frontend, set[SocketAddress]] = {}
        for (frontend, endpoint), since in tuple(self._missing.items()):
            if endpoint in self._count or frontend not in frontends:
                del self._missing[frontend, endpoint]
            elif since is not None and now >= since + GRACE_SECONDS:
                del self._missing[frontend, endpoint]
                found.setdefault(frontend, set()).add(endpoint)
        return GoneEndpoints(family=self._family, endpoints={each: frozenset(gone) for each, gone in found.items()})


def _packed(traffic: ServiceTraffic) -> dict[Frontend, frozenset[SocketAddress]]:
    """The TCP frontends of one Service, and the endpoints that it lists for each."""
    found: dict[Frontend, frozenset[SocketAddress]] = {}
    for port in traffic.tcp_ports:
        endpoints = frozenset(map(pack_endpoint, port.endpoints))
        found.update((pack_frontend(address, number), endpoints) for address, number in port.frontends)
    return found


def _all(frontends: Mapping[Frontend, frozenset[SocketAddress]]) -> Iterator[SocketAddress]:
    """All endpoints of one Service, each once."""
    yield from frozenset[SocketAddress]().union(*frontends.values())
