"""What the destination of a packet is that no rule redirects, and whether the packet is lost.

It is lost if its destination is for Services alone: no machine has a cluster IP, so that a packet which leaves for one
unchanged reaches nobody. A packet to an external IP or to a load balancer's address is lost in this sense too, unless
objects say that the address is a node's. A packet that is delivered to this node is only lost if it was sent to a
node port: at other ports, and where something is known to listen, a process of the node may answer.
"""

from collections.abc import Container
from functools import cached_property

import msgspec

from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.findings import (
    AddressOf,
    Finding,
    HasNoRules,
    HasOtherPorts,
    NoServiceAt,
    NoSuchNodePort,
    PortAt,
    RulesNotMet,
)
from pykubeproxy.explain.service_causes import ArrivesWithFinding, Lost
from pykubeproxy.explain.service_lookup import (
    NamedService,
    cluster_ip_network,
    health_check_ports,
    is_endpoint,
    node_ports,
    services_at,
)
from pykubeproxy.model.ip import CIDR
from pykubeproxy.model.service import Unserved
from pykubeproxy.netfilter.causes import Arrives, Cause
from pykubeproxy.netfilter.events import Delivered, Sent
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

NODE_PORT_RANGE = range(30000, 32768)
"""The node ports that the API server gives away unless it is told otherwise (--service-node-port-range)."""

_NEAREST = 3


class _Assessment(msgspec.Struct, frozen=True):
    finding: Finding
    is_lost: bool


class UnservedDestination:
    """The destination of one packet, by the rules, by the objects (None if there are none), and by who listens here."""

    def __init__(
        self, packet: Packet, ruleset: Ruleset, cluster: ClusterView | None, listening: Container[int] = ()
    ) -> None:
        self._packet = packet
        self._address = packet.destination.text
        self._port = packet.destination_port
        self._ruleset = ruleset
        self._cluster = cluster
        self._listening = listening

    def cause(self, event: Delivered | Sent) -> Cause:
        """Why a packet that no rule redirects arrives, or is lost; `event` says where it goes."""
        found = self._when_sent if isinstance(event, Sent) else self._when_delivered
        if found is None:
            return Arrives(event)
        return Lost(event, found.finding) if found.is_lost else ArrivesWithFinding(event, found.finding)

    @cached_property
    def _when_sent(self) -> _Assessment | None:
        """A packet that leaves this node."""
        is_node = self._cluster is not None and self._cluster.is_node(self._packet.destination)
        found = self.at_service
        if found is not None:
            return _Assessment(found, is_lost=not is_node)
        if self._cluster is not None and (named := self._in_objects(self._cluster)) is not None:
            return _Assessment(named, is_lost=not (is_node or _is_of_another_proxy(named)))
        network = self._service_network
        if network is None or self._is_endpoint or is_node:
            return None
        return _Assessment(NoServiceAt(self._address, network.text, bool(self._service_cidrs)), is_lost=True)

    @cached_property
    def _when_delivered(self) -> _Assessment | None:
        """A packet for a process of this node."""
        found = self.at_service
        if found is not None:
            return _Assessment(found, is_lost=False)
        if self._ruleset.lines("nat", names.NODE_PORTS) is not None:
            return self._at_node_port()
        named = self._in_objects(self._cluster) if self._cluster is not None else None
        return None if named is None else _Assessment(named, is_lost=False)

    @cached_property
    def at_service(self) -> Finding | None:
        """What the rules have at the packet's address; None if they have nothing there."""
        at = [_port_at(each) for each in services_at(self._ruleset, self._address)]
        for each in at:
            if self._fits(each):
                return RulesNotMet(self._address, each)
        return HasOtherPorts(self._address, self._port, self._packet.protocol, tuple(at)) if at else None

    def _at_node_port(self) -> _Assessment | None:
        if any(map(self._fits, map(_port_at, health_check_ports(self._ruleset)))):
            return None
        known = [_port_at(each) for each in node_ports(self._ruleset)]
        is_free = self._port not in self._listening
        for each in known:
            if self._fits(each):
                return _Assessment(RulesNotMet(self._address, each), is_free)
        if self._port not in NODE_PORT_RANGE:
            return _Assessment(NoSuchNodePort(self._port, self._packet.protocol), is_lost=False)
        port = self._port or 0
        nearest = sorted(known, key=lambda each: (abs(each.port - port), each.port, each.protocol))
        return _Assessment(NoSuchNodePort(port, self._packet.protocol, tuple(nearest[:_NEAREST])), is_free)

    def _in_objects(self, cluster: ClusterView) -> AddressOf | None:
        """The Service that has the packet's destination according to the objects, although no rule is for it."""
        service = cluster.service_at(self._address)
        absence = cluster.why_absent(str(service.key)) if service is not None else None
        return AddressOf(self._address, absence.service, absence) if absence is not None else None

    @property
    def _service_network(self) -> CIDR | None:
        """The network for cluster IPs that the destination is in: one of the ServiceCIDRs, or what the rules prove."""
        networks = self._service_cidrs or (cluster_ip_network(self._ruleset),)
        return next((each for each in networks if each is not None and each.contains(self._packet.destination)), None)

    @cached_property
    def _service_cidrs(self) -> tuple[CIDR, ...]:
        return self._cluster.service_networks() if self._cluster is not None else ()

    @property
    def _is_endpoint(self) -> bool:
        known = self._cluster is not None and self._cluster.is_endpoint(self._address)
        return known or is_endpoint(self._ruleset, self._address)

    def _fits(self, at: PortAt) -> bool:
        return (at.protocol, at.port) == (self._packet.protocol, self._port)


def _port_at(service: NamedService) -> PortAt:
    return PortAt(service.port, service.protocol, service.title)


def _is_of_another_proxy(finding: AddressOf) -> bool:
    return isinstance(finding.absence, HasNoRules) and finding.absence.why is Unserved.FOREIGN_PROXY
