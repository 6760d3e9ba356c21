"""Kubernetes objects as dicts: makes them as the control plane would write them, and reads from them what a lab needs.

That is apart from the proxy's own reading of the same objects, because that is what a lab is there to test. What is
made is dual-stack, its addresses come by rule: a Service's number is the last part of its cluster IPs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from e2e.netns import LabError
from e2e.topology import OUTSIDERS, Address, Listener, NodeSpec, PodSpec, Protocol, Topology, client_pod

JsonObject = dict[str, Any]

NAMESPACE = "default"
IP_FAMILIES = ("IPv4", "IPv6")


class Member(Struct, frozen=True, kw_only=True):
    """A pod as an endpoint: its conditions, and the zones and nodes whose clients it is meant for."""

    pod: PodSpec
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


def node(spec: NodeSpec, **labels: str) -> JsonObject:
    """A Node; `labels` are those of topology.kubernetes.io."""
    cidrs = [str(network) for network in spec.pod_networks]
    addresses = [{"type": "InternalIP", "address": str(address)} for address in spec.addresses]
    labels = {f"topology.kubernetes.io/{key}": value for key, value in labels.items()}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": {"kubernetes.io/hostname": spec.name} | labels},
        "spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs},
        "status": {"addresses": addresses},
    }


def port(
    number: int, target: int, *, name: str = "http", protocol: str = "TCP", node_port: int | None = None
) -> JsonObject:
    made = {"name": name, "protocol": protocol, "port": number, "targetPort": target}
    return made if node_port is None else made | {"nodePort": node_port}


def cluster_ips(number: int) -> tuple[IPv4Address, IPv6Address]:
    """The cluster IPs of the Service with this number, which is less than 65,536."""
    return IPv4Address("10.96.0.0") + number, IPv6Address("fd00:10:96::") + number


def service(name: str, number: int, *ports: JsonObject, vips: Sequence[JsonObject] = (), **spec: Any) -> JsonObject:
    """A Service; `vips` is what a load balancer says of itself, `spec` adds or replaces fields."""
    addresses = [str(address) for address in cluster_ips(number)]
    made: JsonObject = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "type": "ClusterIP",
            "ipFamilyPolicy": "RequireDualStack",
            "ipFamilies": list(IP_FAMILIES),
            "clusterIP": addresses[0],
            "clusterIPs": addresses,
            "ports": list(ports),
        }
        | spec,
    }
    return made | {"status": {"loadBalancer": {"ingress": list(vips)}}} if vips else made


def slices(
    service: JsonObject, members: Iterable[Member], *, name: str = "", ports: Iterable[JsonObject] | None = None
) -> Iterator[JsonObject]:
    """The EndpointSlices of a Service, one per IP family: for all its ports, or for `ports` under another `name`."""
    owner = service["metadata"]["name"]
    labels = {"kubernetes.io/service-name": owner}
    if service["spec"]["clusterIP"] == "None":
        labels["service.kubernetes.io/headless"] = ""
    served = [
        {"name": port["name"], "protocol": port["protocol"], "port": port["targetPort"]}
        for port in (service["spec"]["ports"] if ports is None else ports)
    ]
    listed = tuple(members)
    for index, family in enumerate(IP_FAMILIES):
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name or owner}-{family.lower()}", "namespace": NAMESPACE, "labels": labels},
            "addressType": family,
            "ports": served,
            "endpoints": [_endpoint(member, index) for member in listed],
        }


def _endpoint(member: Member, family: int) -> JsonObject:
    made: JsonObject = {
        "addresses": [str(member.pod.addresses[family])],
        "conditions": {"ready": member.ready, "serving": member.serving, "terminating": member.terminating},
        "nodeName": member.pod.node,
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": member.pod.name},
    }
    wanted = {"forZones": member.zones, "forNodes": member.nodes}
    hints = {kind: [{"name": name} for name in names] for kind, names in wanted.items() if names}
    return made | {"hints": hints} if hints else made


def read_manifests(folder: Path) -> list[JsonObject]:
    documents = (yaml.safe_load_all(path.read_text()) for path in sorted(folder.glob("*.yaml")))
    return [document for its in documents for document in its if document]


def of_kind(objects: Iterable[JsonObject], kind: str) -> list[JsonObject]:
    return [each for each in objects if each["kind"] == kind]


def services_by_name(objects: Iterable[JsonObject]) -> Mapping[str, JsonObject]:
    made = ((each["metadata"], each) for each in of_kind(objects, "Service"))
    return {f"{metadata.get('namespace', NAMESPACE)}/{metadata['name']}": each for metadata, each in made}


def topology_of(objects: Sequence[JsonObject]) -> Topology:
    """The lab for these objects: their nodes, the pods behind their endpoints, and a client pod on every node.

    Packets for load balancer addresses and external IPs are brought to the first node.
    """
    nodes = tuple(map(_node_spec, of_kind(objects, "Node")))
    if not nodes:
        raise LabError("no Node object in the manifests: a lab needs at least one")
    return Topology(
        nodes=nodes,
        pods=(*_pod_specs(of_kind(objects, "EndpointSlice")), *map(client_pod, nodes)),
        outsiders=OUTSIDERS,
        virtual_addresses=tuple(
            address
            for service in of_kind(objects, "Service")
            for address in (*virtual_addresses(service, ("VIP",)), *external_addresses(service))
        ),
    )


def virtual_addresses(service: JsonObject, modes: Sequence[str] = ("VIP", "Proxy")) -> list[Address]:
    """The addresses of a Service's load balancer; of the mode VIP, those that nodes are to serve."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    return [ip_address(each["ip"]) for each in ingress if "ip" in each and each.get("ipMode", "VIP") in modes]


def external_addresses(service: JsonObject) -> list[Address]:
    return [ip_address(each) for each in service["spec"].get("externalIPs", ())]


def _node_spec(node: JsonObject) -> NodeSpec:
    listed = node["status"]["addresses"]
    return NodeSpec(
        name=node["metadata"]["name"],
        addresses=tuple(ip_address(each["address"]) for each in listed if each["type"] == "InternalIP"),
        pod_networks=tuple(map(ip_network, node["spec"]["podCIDRs"])),
    )


def _pod_specs(slices: Iterable[JsonObject]) -> Iterator[PodSpec]:
    """One pod for each name that endpoints refer to, with all the addresses and ports that slices give it."""
    homes: dict[str, str] = {}
    addresses: dict[str, set[Address]] = defaultdict(set)
    listeners: dict[str, set[Listener]] = defaultdict(set)
    for piece in slices:
        served = {
            Listener(protocol=Protocol(each.get("protocol", "TCP")), port=each["port"]) for each in piece["ports"]
        }
        for endpoint in piece["endpoints"]:
            pod = endpoint["targetRef"]["name"]
            homes[pod] = endpoint["nodeName"]
            addresses[pod].add(ip_address(endpoint["addresses"][0]))
            listeners[pod] |= served
    for pod in sorted(homes):
        its = tuple(sorted(addresses[pod], key=lambda address: address.version))
        yield PodSpec(name=pod, node=homes[pod], addresses=its, listeners=tuple(sorted(listeners[pod])))
