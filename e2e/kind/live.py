"""What a running cluster says of itself, read from the JSON of kubectl and docker: pure."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from e2e.examples import Manifests
from e2e.kind.rendering import NODE_LABEL
from e2e.kind.scenarios import Scenario
from e2e.netns import LabError
from e2e.objects import NodeStatus, Service
from e2e.topology import Address, OutsiderSpec, Topology


class LiveMetadata(Struct, frozen=True, kw_only=True):
    """ObjectMeta."""

    name: str
    labels: dict[str, str] = {}


class LiveNode(Struct, frozen=True, kw_only=True):
    """Node v1."""

    metadata: LiveMetadata
    status: NodeStatus


class PodIP(Struct, frozen=True, kw_only=True):
    """PodIP."""

    ip: str


class PodStatus(Struct, frozen=True, kw_only=True):
    """PodStatus."""

    pod_ips: tuple[PodIP, ...] = msgspec.field(name="podIPs", default=())


class LivePod(Struct, frozen=True, kw_only=True):
    """Pod v1."""

    metadata: LiveMetadata
    status: PodStatus


class NodeList(Struct, frozen=True, kw_only=True):
    """NodeList."""

    items: tuple[LiveNode, ...]


class PodList(Struct, frozen=True, kw_only=True):
    """PodList."""

    items: tuple[LivePod, ...]


class ServiceList(Struct, frozen=True, kw_only=True):
    """ServiceList."""

    items: tuple[Service, ...]


class Attachment(Struct, frozen=True, kw_only=True):
    """A container's place in a docker network."""

    ipv4: str = msgspec.field(name="IPAddress", default="")
    ipv6: str = msgspec.field(name="GlobalIPv6Address", default="")


def topology(
    declared: Topology, nodes: Iterable[LiveNode], pods: Iterable[LivePod], outsiders: tuple[OutsiderSpec, ...]
) -> Topology:
    """A scenario's topology with the addresses that its nodes and pods have here. Raises LabError."""
    node_addresses = {
        name: tuple(ip_address(entry.address) for entry in node.status.addresses if entry.type == "InternalIP")
        for node in nodes
        if (name := node.metadata.labels.get(NODE_LABEL))
    }
    pod_addresses = {pod.metadata.name: tuple(ip_address(each.ip) for each in pod.status.pod_ips) for pod in pods}
    return replace(
        declared,
        nodes=tuple(
            replace(node, addresses=_found(node_addresses, node.name, "node"), pod_networks=())
            for node in declared.nodes
        ),
        pods=tuple(replace(pod, addresses=_found(pod_addresses, pod.name, "pod")) for pod in declared.pods),
        outsiders=outsiders,
    )


def node_names(nodes: Iterable[LiveNode]) -> dict[str, str]:
    """The real name of the node that stands for each of the scenarios'."""
    return {
        node.metadata.labels[NODE_LABEL]: node.metadata.name for node in nodes if NODE_LABEL in node.metadata.labels
    }


def moved(declared: Topology, found: Topology) -> dict[Address, Address]:
    """The addresses of a scenario's machines outside, and those of the containers that stand for them."""
    here = {(each.name, address.version): address for each in found.outsiders for address in each.addresses}
    return {
        address: here[each.name, address.version]
        for each in declared.outsiders
        for address in each.addresses
        if (each.name, address.version) in here
    }


def services(scenario: Scenario, found: Iterable[Service]) -> Manifests:
    """The Services as they are in the cluster, by the names that cases have for them."""
    keyed = {
        f"{scenario.declared_namespace(service.metadata.namespace)}/{service.metadata.name}": service
        for service in found
    }
    return Manifests(nodes=(), services=keyed, slices=())


def outsider(name: str, attachment: Attachment) -> OutsiderSpec:
    """A container beside the nodes."""
    addresses = tuple(ip_address(text) for text in (attachment.ipv4, attachment.ipv6) if text)
    return OutsiderSpec(name=name, addresses=addresses, networks=())


def _found(addresses: Mapping[str, tuple[Address, ...]], name: str, kind: str) -> tuple[Address, ...]:
    if not addresses.get(name):
        raise LabError(f"the cluster has no {kind} {name}, or it has no address: `python -m e2e.kind prepare` makes it")
    return addresses[name]
