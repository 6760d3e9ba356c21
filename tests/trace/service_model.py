"""What Kubernetes promises of a Service, told from the objects alone: no rule, no chain, none of the project's code.

Sources: https://kubernetes.io/docs/concepts/services-networking/service/ and .../service-traffic-policy/, and of the
reference texts, `endpoints.md` sections 6 and 7.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml

NODE = "node-0"
NODE_ADDRESSES = {4: "172.31.1.2", 6: "fd00:31:1::2"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
PROXY_NAME = "service.kubernetes.io/service-proxy-name"

# What becomes of packets: (verdict, where to, masqueraded) and for which share of them.
Fate = dict[tuple[str, str | None, bool], Fraction]


@dataclass(frozen=True)
class Client:
    """Where packets come from. `interface` is the one by which they reach the node, None for the node's own."""

    address: str
    interface: str | None

    @property
    def is_node(self) -> bool:
        return self.interface is None

    @property
    def version(self) -> int:
        return ip_address(self.address).version


@dataclass(frozen=True)
class Question:
    """A packet, and what should become of it."""

    client: Client
    address: str
    port: int
    protocol: str
    fate: Fate
    about: str

    def __str__(self) -> str:
        return f"{self.about} from {self.client.address}"


@dataclass(frozen=True)
class Endpoint:
    """One address and port of a Service's port."""

    text: str
    address: str
    ready: bool
    leaving: bool
    local: bool
    hints: dict[str, Any] = field(compare=False)


class Proxy:
    """The flags of a kube-proxy, as far as they matter to packets."""

    def __init__(self, words: list[str]) -> None:
        self._values = dict(zip(words, [*words[1:], ""], strict=True))
        self.masquerades_all = "--masquerade-all" in words
        self.localhost_node_ports = "--iptables-localhost-nodeports=false" not in words

    def is_pod(self, client: Client) -> bool | None:
        """Whether a client counts as a pod of this cluster (node); None if this proxy cannot tell."""
        match self._values.get("--detect-local-mode", "ClusterCIDR"):
            case "BridgeInterface":
                return client.interface == self._values["--pod-bridge-interface"]
            case "InterfaceNamePrefix":
                return bool(
                    client.interface and client.interface.startswith(self._values["--pod-interface-name-prefix"])
                )
            case "NodeCIDR":
                networks = ["10.244.0.0/24", "fd00:10:244::/64"]
            case _:
                networks = self._values.get("--cluster-cidr", "").split(",")
        mine = [ip_network(text) for text in networks if text and ip_network(text).version == client.version]
        return ip_address(client.address) in mine[0] if mine else None

    def clients(self, version: int) -> list[Client]:
        """Some of everything: pods here and elsewhere, the node itself, and machines outside."""
        here, there, outside, stranger = {
            4: ("10.244.0.9", "10.244.1.9", "203.0.113.9", "192.0.2.77"),
            6: ("fd00:10:244::9", "fd00:10:244:1::9", "2001:db8:113::9", "2001:db8:2::77"),
        }[version]
        door = self._values.get("--pod-interface-name-prefix")
        pods = f"{door}0123" if door else "cni0"
        return [
            Client(here, pods),
            Client("10.244.0.11" if version == 4 else "fd00:10:244::11", pods),
            Client(there, "eth0"),
            Client(outside, "eth0"),
            Client(stranger, "eth0"),
            Client(NODE_ADDRESSES[version], None),
        ]

    def takes_node_ports_on(self, address: str) -> bool:
        """Whether node ports work on an address of the node."""
        chosen = self._values.get("--nodeport-addresses", "0.0.0.0/0,::/0")
        number = ip_address(address)
        if number.is_loopback and (number.version == 6 or not self.localhost_node_ports):
            return False
        if chosen == "primary":
            return address in NODE_ADDRESSES.values()
        networks = [ip_network(text) for text in chosen.split(",") if ip_network(text).version == number.version]
        return not networks or any(number in network for network in networks)


class Cluster:
    """The objects of one folder."""

    def __init__(self, folder: Path) -> None:
        self._objects = list(yaml.safe_load_all((folder / "objects.yaml").read_text()))
        self.proxy = Proxy((folder / "flags.txt").read_text().split())
        self._zone = next(
            item["metadata"]["labels"].get("topology.kubernetes.io/zone")
            for item in self._objects
            if item["kind"] == "Node" and item["metadata"]["name"] == NODE
        )

    def questions(self) -> Iterator[Question]:
        """Every port of every Service, by every entrance, from everywhere."""
        for service in self._objects:
            if service["kind"] == "Service" and PROXY_NAME not in service["metadata"].get("labels", {}):
                for port in service["spec"].get("ports") or ():
                    for version in (4, 6):
                        for client in self.proxy.clients(version):
                            yield from self._asked(service, port, client)

    def _asked(self, service: dict[str, Any], port: dict[str, Any], client: Client) -> Iterator[Question]:
        addresses = [text for text in service["spec"].get("clusterIPs") or () if text not in ("", "None")]
        if not any(ip_address(text).version == client.version for text in addresses):
            return
        entrance = Entrance(self, service, port, client)

        def question(address: str, number: int, fate: Fate, about: str) -> Question:
            where = f"{service['metadata']['name']}:{port.get('name')} by {about} {address}"
            return Question(client, address, number, port["protocol"].lower(), fate, where)

        def mine(texts: list[str]) -> list[str]:
            return [text for text in texts if ip_address(text).version == client.version]

        for address in mine(addresses):
            yield question(address, port["port"], entrance.cluster_ip(), "cluster IP")
        for address in mine(service["spec"].get("externalIPs") or []):
            yield question(address, port["port"], entrance.external(), "external IP")
        for address in mine(_load_balancers(service)):
            yield question(address, port["port"], entrance.load_balancer(), "load balancer")
        if "nodePort" in port:
            own = [NODE_ADDRESSES[client.version], *([LOOPBACK[client.version]] if client.is_node else [])]
            for address in own:
                yield question(address, port["nodePort"], entrance.node_port(address), "node port")

    def endpoints(self, service: dict[str, Any], port: dict[str, Any], version: int) -> list[Endpoint]:
        """The endpoints of a port; of those that are listed twice, the ready one counts."""
        found: dict[str, Endpoint] = {}
        name = service["metadata"]["name"]
        for item in self._objects:
            labels = item["metadata"].get("labels", {})
            if item["kind"] != "EndpointSlice" or labels.get("kubernetes.io/service-name") != name:
                continue
            if item["addressType"] != f"IPv{version}":
                continue
            for number in (each["port"] for each in item["ports"] if (each.get("name") or "") == port.get("name", "")):
                for endpoint in item["endpoints"] or ():
                    made = _endpoint(endpoint, number)
                    if made.text not in found or made.ready:
                        found[made.text] = made
        return list(found.values())

    def hinted(self, ready: list[Endpoint]) -> list[Endpoint]:
        """The ready endpoints that topology hints leave to this node."""
        for key, mine in (("forNodes", NODE), ("forZones", self._zone)):
            named = {each.text: [hint["name"] for hint in each.hints.get(key) or ()] for each in ready}
            chosen = [each for each in ready if mine in named[each.text]]
            if chosen and all(named.values()):
                return chosen
        return ready


def _endpoint(item: dict[str, Any], port: int) -> Endpoint:
    conditions = item.get("conditions") or {}
    ready = conditions.get("ready", True)
    leaving = conditions.get("serving", ready) and conditions.get("terminating", False)
    address = item["addresses"][0]
    text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return Endpoint(text, address, ready, leaving, item.get("nodeName") == NODE, item.get("hints") or {})


def _load_balancers(service: dict[str, Any]) -> list[str]:
    ingress = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    return [each["ip"] for each in ingress if "ip" in each and each.get("ipMode", "VIP") == "VIP"]


class Entrance:
    """One client before one port of a Service."""

    def __init__(self, cluster: Cluster, service: dict[str, Any], port: dict[str, Any], client: Client) -> None:
        everything = cluster.endpoints(service, port, client.version)
        ready = [each for each in everything if each.ready]
        leaving = [each for each in everything if not each.ready and each.leaving]
        self._any = bool(ready or leaving)
        self._all = cluster.hinted(ready) or leaving
        self._local = [each for each in ready if each.local] or [each for each in leaving if each.local]
        self._spec = service["spec"]
        self._proxy = cluster.proxy
        self._client = client
        self._is_pod = cluster.proxy.is_pod(client)

    def cluster_ip(self) -> Fate:
        """What the cluster IP does: reject without endpoints, drop without local ones if only those are wanted."""
        masquerades = self._proxy.masquerades_all or self._is_pod is False
        chosen = self._local if self._spec.get("internalTrafficPolicy") == "Local" else self._all
        if not self._any:
            return REJECTED
        return self._spread(chosen, masquerades=masquerades) if chosen else DROPPED

    def external(self) -> Fate:
        """What addresses for clients outside do; the node's own packets are never refused on their way out."""
        if not self._any:
            return UNTOUCHED if self._client.is_node else REJECTED
        if self._spec.get("externalTrafficPolicy") != "Local":
            return self._spread(self._all, masquerades=True)
        if self._is_pod:
            return self._spread(self._all, masquerades=False)
        if self._client.is_node:
            return self._spread(self._all, masquerades=True)
        return self._spread(self._local, masquerades=False) if self._local else DROPPED

    def load_balancer(self) -> Fate:
        """The same, for clients in the source ranges."""
        ranges = self._spec.get("loadBalancerSourceRanges") or ()
        mine = [ip_network(text) for text in ranges if ip_network(text).version == self._client.version]
        if mine and self._any and not any(ip_address(self._client.address) in network for network in mine):
            return DROPPED
        return self.external()

    def node_port(self, address: str) -> Fate:
        """The same on addresses of the node; packets to others are the node's own affair."""
        if not self._any:
            return REJECTED
        return self.external() if self._proxy.takes_node_ports_on(address) else UNTOUCHED

    def _spread(self, endpoints: list[Endpoint], *, masquerades: bool) -> Fate:
        """An equal share for each; who reaches himself must be masqueraded in any case."""
        share = Fraction(1, len(endpoints))
        return {("ACCEPT", each.text, masquerades or each.address == self._client.address): share for each in endpoints}


REJECTED: Fate = {("REJECT", None, False): Fraction(1)}
DROPPED: Fate = {("DROP", None, False): Fraction(1)}
UNTOUCHED: Fate = {("ACCEPT", None, False): Fraction(1)}
