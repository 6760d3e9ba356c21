"""Which UDP flows are stale: those that connection tracking keeps sending to where no endpoint of the Service is left.

Where a flow goes is decided by its first packet, and remembered for as long as packets keep coming. TCP finds out by
itself that its peer is gone; a UDP client that goes on sending from one port never does. So after the rules have
changed, the flows that they would no longer send this way are to be forgotten.

Source: `docs/reference/conntrack.md` sections 2 and 3. More is covered here than kube-proxy covers: a Service without
endpoints, a Service or address that is gone, and a node port only where it is this node's.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from pykubeproxy.model.endpoint import host_port
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.service import Protocol, ServiceKey
from pykubeproxy.rules.service_traffic import ServiceTraffic

# An address and a port as packets hold them: 4 or 16 bytes, then 2, most significant first.
SocketAddress = bytes

# Where clients find a ServicePort: a SocketAddress, or for a node port only the 2 bytes of the port.
Frontend = bytes

Serving = frozenset[SocketAddress]

_PORT_BYTES = 2


class Flow(NamedTuple):
    """A UDP or TCP flow: whom the client addressed, who answers, and the kernel's own description, opaque here."""

    destination: SocketAddress
    answered_by: SocketAddress
    entry: bytes = b""

    def __str__(self) -> str:
        return f"{socket_text(self.destination)} -> {socket_text(self.answered_by)}"


class FlowCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the flows of one family are to be checked against, after some frontends have changed.

    `serving` holds the endpoints that serve each frontend, none for a Service without endpoints; `retired` are the
    frontends that no Service has any more. Frontends in neither are not concerned. `node_addresses` are the packed
    addresses on which node ports answer, None if they are not known.
    """

    protocol = Protocol.UDP

    family: Family
    serving: dict[Frontend, Serving] = {}
    retired: frozenset[Frontend] = frozenset()
    node_addresses: frozenset[bytes] | None = None

    @property
    def is_empty(self) -> bool:
        """True if no flow can be stale."""
        return not self.serving and not self.retired

    def is_stale(self, flow: Flow) -> bool:
        """True if `flow` is to be forgotten, so that its next packet is looked at afresh."""
        destination = flow.destination
        serving = self.serving.get(destination)
        port = destination[-_PORT_BYTES:]
        # An address of a Service is matched before node ports are, in the rules as here.
        if serving is None and port in self.serving and self._is_of_node(destination):
            serving = self.serving[port]
        if serving is not None:
            return flow.answered_by not in serving
        # A flow that was never translated is somebody's own, now that the address is no Service's any more.
        return self._is_retired(destination) and flow.answered_by != destination

    def on_node(self, addresses: Iterable[IP] | None) -> "FlowCheck":
        """This check, for a node whose node ports answer on `addresses` (None: not known, so any address may be)."""
        packed = None if addresses is None else frozenset(pack_ip(ip.text) for ip in addresses)
        return msgspec.structs.replace(self, node_addresses=packed)

    def then(self, newer: "FlowCheck") -> "FlowCheck":
        """One check in place of two: this one, not done yet, and a `newer` one of the same family."""
        kept = {frontend: serving for frontend, serving in self.serving.items() if frontend not in newer.retired}
        return FlowCheck(
            family=newer.family,
            serving=kept | newer.serving,
            retired=(self.retired - newer.serving.keys()) | newer.retired,
            node_addresses=newer.node_addresses,
        )

    def _is_retired(self, destination: SocketAddress) -> bool:
        if destination in self.retired:
            return True
        return destination[-_PORT_BYTES:] in self.retired and self._is_of_node(destination)

    def _is_of_node(self, destination: SocketAddress) -> bool:
        return self.node_addresses is None or destination[:-_PORT_BYTES] in self.node_addresses


class UdpFrontends:
    """The UDP frontends of all Services in one family, and the endpoints that serve each."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._of_service: dict[ServiceKey, dict[Frontend, Serving]] = {}
        self._of_frontend: dict[Frontend, dict[ServiceKey, Serving]] = {}
        self._of_port: dict[bytes, set[Frontend]] = {}

    def update(self, services: Mapping[ServiceKey, ServiceTraffic]) -> FlowCheck:
        """Take in how some Services are routed now; return what flows to check for.

        The check is empty if no UDP frontend came or went and none is served by other endpoints than before.
        """
        changed: set[Frontend] = set()
        for key, traffic in services.items():
            changed |= self._replace(key, _packed(traffic))
        return self.check(changed)

    def check(self, frontends: Collection[Frontend]) -> FlowCheck:
        """What to check flows for if some frontends were served differently before; those that are gone are retired."""
        concerned = {related for frontend in frontends for related in self._related(frontend)}
        serving = {frontend: self._serving(frontend) for frontend in concerned if frontend in self._of_frontend}
        return FlowCheck(family=self._family, serving=serving, retired=frozenset(frontends) - serving.keys())

    def everything(self) -> FlowCheck:
        """What to check all flows to Services for: the rules were not in force for a while, whoever's fault it was."""
        return FlowCheck(family=self._family, serving={each: self._serving(each) for each in self._of_frontend})

    def _replace(self, key: ServiceKey, new: dict[Frontend, Serving]) -> set[Frontend]:
        """Put one Service's frontends in the place of its old ones; return those that differ."""
        old = self._of_service.pop(key, {})
        if new:
            self._of_service[key] = new
        changed = {frontend for frontend in old.keys() | new.keys() if old.get(frontend) != new.get(frontend)}
        for frontend in changed:
            if frontend in new:
                self._of_frontend.setdefault(frontend, {})[key] = new[frontend]
                self._of_port.setdefault(frontend[-_PORT_BYTES:], set()).add(frontend)
            else:
                self._release(key, frontend)
        return changed

    def _release(self, key: ServiceKey, frontend: Frontend) -> None:
        owners = self._of_frontend[frontend]
        del owners[key]
        if owners:
            return
        del self._of_frontend[frontend]
        same_port = self._of_port[frontend[-_PORT_BYTES:]]
        same_port.remove(frontend)
        if not same_port:
            del self._of_port[frontend[-_PORT_BYTES:]]

    def _related(self, frontend: Frontend) -> Iterator[Frontend]:
        """`frontend`, and those without which a check would be wrong about flows to an address of this node.

        There a node port answers unless a Service has the address, and answers again once no Service has it.
        """
        yield frontend
        port = frontend[-_PORT_BYTES:]
        is_retired_address = frontend not in self._of_frontend and port in self._of_frontend
        if frontend == port or is_retired_address:
            yield from self._of_port.get(port, ())

    def _serving(self, frontend: Frontend) -> Serving:
        """All endpoints that serve `frontend`; where Services claim the same one, any of them may answer."""
        return frozenset[SocketAddress]().union(*self._of_frontend[frontend].values())


def _packed(traffic: ServiceTraffic) -> dict[Frontend, Serving]:
    """The UDP frontends of one Service, and who serves each."""
    found: dict[Frontend, Serving] = {}
    for port in traffic.udp_ports:
        serving = frozenset(map(pack_endpoint, port.serving))
        for address, number in port.frontends:
            found[pack_frontend(address, number)] = serving
    return found


def pack_endpoint(text: str) -> SocketAddress:
    """`ip:port` or `[ip]:port` as packets hold it."""
    address, _, port = text.rpartition(":")
    return pack_socket(address.strip("[]"), int(port))


def pack_frontend(address: str, port: int) -> Frontend:
    """Where clients find a ServicePort; `address` is empty for a node port."""
    return pack_socket(address, port) if address else pack_port(port)


def port_of(address: SocketAddress) -> bytes:
    """The port of an address, as packets hold it."""
    return address[-_PORT_BYTES:]


def address_of(address: SocketAddress) -> str:
    """The IP address, as text, without the port."""
    return str(ipaddress.ip_address(address[:-_PORT_BYTES]))


def pack_ip(address: str) -> bytes:
    """An address as packets hold it."""
    return ipaddress.ip_address(address).packed


def pack_port(port: int) -> bytes:
    """A port as packets hold it; also the Frontend of a node port."""
    return port.to_bytes(_PORT_BYTES, "big")


def pack_socket(address: str, port: int) -> SocketAddress:
    """An address and a port as packets hold them."""
    return pack_ip(address) + pack_port(port)


def socket_text(packed: SocketAddress) -> str:
    """A SocketAddress as `ip:port` or `[ip]:port`; a node port's Frontend as `:port`."""
    address, port = packed[:-_PORT_BYTES], int.from_bytes(packed[-_PORT_BYTES:], "big")
    return host_port(str(ipaddress.ip_address(address)), port) if address else f":{port}"
