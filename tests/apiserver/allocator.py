"""Cluster IPs, node ports and health-check node ports: who has which, and what is free.

As the real server does, addresses and ports that nobody named are taken from the upper part of their range, so that a
test can name ones from the lower part.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from tests.apiserver.errors import Cause

JsonObject = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FAMILIES = {4: "IPv4", 6: "IPv6"}


class Taken(Exception):
    """A Service asks for something that it cannot have; ``cause`` says what."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"{cause.field}: {cause.problem}")
        self.cause = cause


class Allocator:
    """What each Service holds. Not thread-safe: the registry calls it under the store's lock."""

    def __init__(self, cidrs: Sequence[str], node_ports: range = range(30000, 32768)) -> None:
        """Serve these Service CIDRs, the first one being of the cluster's default family."""
        self._networks: dict[str, Network] = {}
        for cidr in cidrs:
            network = ipaddress.ip_network(cidr)
            self._networks[FAMILIES[network.version]] = network
        self._addresses = {family: _upper_half(network) for family, network in self._networks.items()}
        self._node_ports = node_ports
        self._owner: dict[Hashable, str] = {}
        self._held: dict[str, set[Hashable]] = {}

    @property
    def families(self) -> list[str]:
        """The families of the cluster, the default one first."""
        return list(self._networks)

    def first_address(self) -> str:
        """Return the address that the ``kubernetes`` Service has: the first of the first range."""
        network = next(iter(self._networks.values()))
        return str(network.network_address + 1)

    def assign(self, owner: str, service: JsonObject) -> None:
        """Give ``owner`` what its Service names, and fill in what it leaves open. Raises Taken, and changes nothing."""
        wanted: set[Hashable] = set()
        spec = service["spec"]
        for index, text in enumerate(ip for ip in spec.get("clusterIPs") or [] if ip != "None"):
            self._want(owner, wanted, _canonical(text), f"spec.clusterIPs[{index}]", "IP")
        self._fill_addresses(wanted, spec)
        if spec["type"] in ("NodePort", "LoadBalancer"):
            self._assign_node_ports(owner, wanted, spec)
        if _needs_health_check(spec):
            if spec.get("healthCheckNodePort"):
                self._want(owner, wanted, spec["healthCheckNodePort"], "spec.healthCheckNodePort", "port")
            else:
                spec["healthCheckNodePort"] = self._free_port(wanted)
                wanted.add(spec["healthCheckNodePort"])
        self.release(owner)
        self._held[owner] = wanted
        self._owner.update(dict.fromkeys(wanted, owner))

    def release(self, owner: str) -> None:
        """Free everything that ``owner`` holds."""
        for item in self._held.pop(owner, ()):
            del self._owner[item]

    def _want(self, owner: str, wanted: set[Hashable], item: Hashable, field: str, what: str) -> None:
        if item in wanted or self._owner.get(item, owner) != owner:
            raise Taken(Cause(field=field, problem=f"Invalid value: {item!r}: provided {what} is already allocated"))
        wanted.add(item)

    def _assign_node_ports(self, owner: str, wanted: set[Hashable], spec: JsonObject) -> None:
        """Take the node ports that are named, and fill in the others if the Service wants any.

        In a new Service, protocols share a node port only where their `port` is the same too (TCP and UDP 53). In an
        update, any that name the same one share it, and none is shared unless it is named.
        """
        created = owner not in self._held
        ports = spec.get("ports") or []
        named = {port["nodePort"] for port in ports if port.get("nodePort")}
        shared = {port["port"]: port["nodePort"] for port in reversed(ports) if created and port.get("nodePort")}
        seen: set[int] = set()
        for index, port in enumerate(ports):
            number = port["port"]
            if port.get("nodePort") or spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True):
                node_port = port.get("nodePort") or shared.get(number) or self._free_port(wanted | named)
                known = number in seen and node_port == shared[number] if created else node_port in wanted
                if not known:
                    self._want_node_port(owner, wanted, node_port, f"spec.ports[{index}].nodePort")
                port["nodePort"] = node_port
                if created:
                    seen.add(number)
                    shared.setdefault(number, node_port)

    def _want_node_port(self, owner: str, wanted: set[Hashable], node_port: int, field: str) -> None:
        if node_port not in self._node_ports:
            valid = f"{self._node_ports.start}-{self._node_ports.stop - 1}"
            problem = f"provided port is not in the valid range. The range of valid ports is {valid}"
            raise Taken(Cause(field=field, problem=f"Invalid value: {node_port}: {problem}"))
        self._want(owner, wanted, node_port, field, "port")

    def _fill_addresses(self, wanted: set[Hashable], spec: JsonObject) -> None:
        addresses = spec.get("clusterIPs") or []
        if spec["type"] == "ExternalName" or "None" in addresses:
            return
        for family in spec["ipFamilies"][len(addresses) :]:
            address = next(a for a in self._addresses[family] if a not in self._owner)
            wanted.add(address)
            addresses.append(address)
        spec["clusterIP"], spec["clusterIPs"] = addresses[0], addresses

    def _free_port(self, wanted: set[Hashable]) -> int:
        ports = self._node_ports
        for port in ports[len(ports) // 2 :]:
            if port not in self._owner and port not in wanted:
                return port
        raise Taken(Cause(field="spec.ports", problem="Internal error: range is full", reason="InternalError"))


def _upper_half(network: Network) -> Iterator[str]:
    middle = int(network.network_address) + network.num_addresses // 2
    make = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    for number in range(middle, int(network.network_address) + network.num_addresses - 1):
        yield str(make(number))


def _canonical(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _needs_health_check(spec: JsonObject) -> bool:
    return bool(spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")
