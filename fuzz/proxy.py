"""What a proxy was told and where it runs, as far as it matters to packets; none of the project's code.

Flags are those of kube-proxy (`docs/reference/iptables-rules.md` sections 11 and 12).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fuzz.addresses import Address, address, known, network

ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Client:
    """Where packets come from. `interface` is the one by which they reach the node, None for the node's own."""

    address: str
    interface: str | None

    @property
    def is_node(self) -> bool:
        """True for the node's own processes."""
        return self.interface is None

    @property
    def version(self) -> int:
        """4 or 6."""
        return known(self.address).version


class Proxy:
    """The flags of a kube-proxy, the node `name` with its Node object if it has one, and the node's own addresses.

    `primary` are the addresses by which the node is known without a Node object.
    """

    def __init__(
        self,
        words: Sequence[str],
        name: str,
        addresses: Iterable[str],
        primary: Iterable[str] = (),
        node: dict[str, Any] | None = None,
    ) -> None:
        self._values = dict(_pairs(words))
        self._own = [known(text) for text in addresses]
        self._primary = [known(text) for text in primary]
        self._node = node
        self.name = name
        self.masquerades_all = self._is_on("masquerade-all", "false")
        self.serves_external_ips = "AllowServiceExternalIPs=false" not in self._values.get("feature-gates", "")

    @property
    def zone(self) -> str:
        """The node's zone; empty if it has none."""
        labels = self._node["metadata"].get("labels") if self._node else None
        return (labels or {}).get(ZONE) or ""

    def node_ip(self, version: int) -> Address:
        """The address by which the node is known in a family; that of localhost where there is none."""
        found = next((each for each in self._known_as() if each.version == version), None)
        return found or known("127.0.0.1" if version == 4 else "::1")

    def is_own(self, where: Address) -> bool:
        """True for an address of the node itself."""
        return where.is_loopback or where in self._own

    def is_pod(self, client: Client) -> bool | None:
        """Whether a client counts as a pod of this cluster or node; None if this proxy cannot tell."""
        match self._values.get("detect-local-mode", "ClusterCIDR"):
            case "BridgeInterface":
                return client.interface == self._values["pod-bridge-interface"]
            case "InterfaceNamePrefix":
                prefix = self._values["pod-interface-name-prefix"]
                return client.interface is not None and client.interface.startswith(prefix)
            case "NodeCIDR":
                texts = self._pod_networks()
            case _:
                texts = self._values.get("cluster-cidr", "").split(",")
        networks = [found for text in texts if (found := network(text.strip())) and found.version == client.version]
        return known(client.address) in networks[0] if networks else None

    def takes_node_ports_on(self, where: Address) -> bool:
        """Whether node ports work on an address of the node."""
        texts = self._values.get("nodeport-addresses", "").split(",")
        if texts == ["primary"]:
            texts = [f"{ip}/{ip.max_prefixlen}" for v in (4, 6) if not (ip := self.node_ip(v)).is_loopback]
        networks = [found for text in texts if (found := network(text)) and found.version == where.version]
        if where.is_loopback and (where.version == 6 or not self._opens_localhost(networks)):
            return False
        return not networks or any(where in each for each in networks)

    def _opens_localhost(self, networks: Sequence[Any]) -> bool:
        wanted = self._is_on("iptables-localhost-nodeports", "true")
        found = (each.network_address.is_loopback or known("127.0.0.0") in each for each in networks)
        return wanted and (not networks or any(found))

    def _known_as(self) -> list[Address]:
        if self._node is None:
            return self._primary
        entries = (self._node.get("status") or {}).get("addresses") or ()
        found = (
            address(entry.get("address"))
            for kind in ("InternalIP", "ExternalIP")
            for entry in entries
            if entry.get("type") == kind
        )
        return [each for each in found if each is not None]

    def _pod_networks(self) -> list[str]:
        spec = (self._node.get("spec") or {}) if self._node else {}
        return spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])

    def _is_on(self, flag: str, default: str) -> bool:
        return self._values.get(flag, default) == "true"


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Flags and their values, written as `--flag=value`, `--flag value`, or `--flag` for true."""
    waiting = ""
    for word in words:
        if not word.startswith("--"):
            yield waiting, word
            waiting = ""
            continue
        if waiting:
            yield waiting, "true"
        name, equals, value = word.removeprefix("--").partition("=")
        if equals:
            yield name, value
        waiting = "" if equals else name
    if waiting:
        yield waiting, "true"
