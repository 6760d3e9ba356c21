"""A topology, and the Services to ask for, read from a folder of manifests.

Nodes come from Node objects, pods from the `targetRef` of endpoints: so whoever adds a file to the folder gets the pods
for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from e2e.netns import LabError
from e2e.objects import EndpointSlice, Node, Service
from e2e.topology import (
    OUTSIDERS,
    Address,
    Listener,
    NodeSpec,
    PodSpec,
    Topology,
    VirtualAddress,
    client_pod,
)


class Manifests(Struct, frozen=True, kw_only=True):
    """The objects of a folder."""

    nodes: tuple[Node, ...]
    services: Mapping[str, Service]
    slices: tuple[EndpointSlice, ...]


_KINDS = {"Node": Node, "Service": Service, "EndpointSlice": EndpointSlice}


def read_manifests(folder: Path) -> Manifests:
    """Reads every *.yaml in the folder. Raises LabError, naming file and field, for what cannot be understood."""
    understood: list[Node | Service | EndpointSlice] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            understood += _understood(yaml.safe_load_all(path.read_text()))
        except (yaml.YAMLError, msgspec.ValidationError) as error:
            raise LabError(f"{path}: {error}") from error
    return _sorted_by_kind(understood)


def manifests_of(documents: Iterable[Any]) -> Manifests:
    """The same of API objects, as dicts."""
    return _sorted_by_kind(_understood(documents))


def _understood(documents: Iterable[Any]) -> list[Node | Service | EndpointSlice]:
    wanted = (document for document in documents if document and document.get("kind") in _KINDS)
    return [msgspec.convert(document, _KINDS[document["kind"]]) for document in wanted]


def _sorted_by_kind(objects: Iterable[Node | Service | EndpointSlice]) -> Manifests:
    found: dict[type, list[Any]] = defaultdict(list)
    for each in objects:
        found[type(each)].append(each)
    return Manifests(
        nodes=tuple(found[Node]),
        services={service.key: service for service in found[Service]},
        slices=tuple(found[EndpointSlice]),
    )


def topology_of(manifests: Manifests) -> Topology:
    """The lab for these objects: their nodes, the pods behind their endpoints, and a client pod on every node.

    Packets for load balancer addresses and external IPs are brought to the first node.
    """
    nodes = tuple(map(_node_spec, manifests.nodes))
    if not nodes:
        raise LabError("no Node object in the manifests: a lab needs at least one")
    return Topology(
        nodes=nodes,
        pods=(*_pod_specs(manifests.slices), *map(client_pod, nodes)),
        outsiders=OUTSIDERS,
        virtual_addresses=tuple(
            VirtualAddress(address=address, node=nodes[0].name)
            for service in manifests.services.values()
            for address in (*_balanced(service, "VIP"), *external_addresses(service))
        ),
    )


def virtual_addresses(service: Service) -> tuple[Address, ...]:
    """The addresses of a Service's load balancer, whether nodes are to serve them or it does so by itself."""
    return (*_balanced(service, "VIP"), *_balanced(service, "Proxy"))


def external_addresses(service: Service) -> tuple[Address, ...]:
    """A Service's external IPs."""
    return tuple(map(ip_address, service.spec.external_ips))


def _balanced(service: Service, mode: str) -> Iterable[Address]:
    return (
        ip_address(ingress.ip)
        for ingress in service.status.load_balancer.ingress
        if ingress.ip and ingress.ip_mode == mode
    )


def _node_spec(node: Node) -> NodeSpec:
    return NodeSpec(
        name=node.metadata.name,
        addresses=tuple(ip_address(entry.address) for entry in node.status.addresses if entry.type == "InternalIP"),
        pod_networks=tuple(map(ip_network, node.spec.pod_cidrs)),
    )


def _pod_specs(slices: Iterable[EndpointSlice]) -> tuple[PodSpec, ...]:
    """One pod for each name that endpoints refer to, with all the addresses and ports that slices give it."""
    homes: dict[str, str] = {}
    addresses: dict[str, set[Address]] = defaultdict(set)
    listeners: dict[str, set[Listener]] = defaultdict(set)
    for piece in slices:
        for endpoint in piece.endpoints:
            pod = endpoint.target_ref.name
            homes[pod] = endpoint.node_name
            addresses[pod].add(ip_address(endpoint.addresses[0]))
            listeners[pod].update(Listener(protocol=port.protocol, port=port.port) for port in piece.ports)
    return tuple(
        PodSpec(
            name=pod,
            node=homes[pod],
            addresses=tuple(sorted(addresses[pod], key=lambda address: address.version)),
            listeners=tuple(sorted(listeners[pod])),
        )
        for pod in sorted(homes)
    )
