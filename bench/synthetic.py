"""Clusters that do not exist: as many Services and endpoints as asked for, always the same ones.

Objects are made as JSON, in the length in which the API server sends them, and are read by the project's own decoder;
so manifests, API and values in memory are the same cluster.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from pykubeproxy.cluster import translate, wire
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.service import Service
from pykubeproxy.model.snapshot import Object

Document = dict[str, Any]

CLUSTER_CIDR = "10.128.0.0/9"
NAMESPACE = "default"
SERVICE_PORT, TARGET_PORT = 80, 8080
FIRST_NODE_PORT = 30_000

# The most endpoints that the control plane puts into one EndpointSlice, by default.
_SLICE_SIZE = 100

_SERVICE_NETWORK = int(IPv4Address("10.96.0.0"))
_POD_NETWORK = int(IPv4Address("10.128.0.0"))
_SERVICE_ADDRESSES = 1 << 16
# Odd, so that numbers become different addresses; near the golden section, so that these lie scattered evenly.
_STRIDE = 40_503
_NODES = 100
_CREATED = "2026-01-01T00:00:00Z"


class Shape(Struct, frozen=True):
    """A cluster's size: Services, endpoints of each, and how many of the Services have a node port."""

    services: int
    endpoints: int
    node_ports: int = 0

    def __str__(self) -> str:
        return f"{in_short(self.services)} x {in_short(self.endpoints)}"


def in_short(number: int) -> str:
    """10000 as `10k`."""
    return f"{number // 1000}k" if number >= 1000 and number % 1000 == 0 else str(number)


def cluster_ip(number: int) -> str:
    """The cluster IP of a Service: scattered over a /16, as the API server's allocator does it.

    Of the first 13,000, none is 10.96.0.1, the API server's own.
    """
    return str(IPv4Address(_SERVICE_NETWORK + (number * _STRIDE + 7) % _SERVICE_ADDRESSES))


def pod_ip(number: int) -> str:
    """The address of a pod; counted through the whole cluster."""
    return str(IPv4Address(_POD_NETWORK + 2 + number))


def service_document(number: int, shape: Shape) -> Document:
    """Service `number` as the API server would send it."""
    has_node_port = number < shape.node_ports
    node_port = {"nodePort": FIRST_NODE_PORT + number} if has_node_port else {}
    name = service_name(number)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, number, {"app": name, "app.kubernetes.io/managed-by": "Helm"}),
        "spec": {
            "type": "NodePort" if has_node_port else "ClusterIP",
            "clusterIP": cluster_ip(number),
            "clusterIPs": [cluster_ip(number)],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "ports": [
                {"name": "http", "protocol": "TCP", "port": SERVICE_PORT, "targetPort": TARGET_PORT, **node_port}
            ],
            "selector": {"app": name},
            "sessionAffinity": "None",
        },
        "status": {"loadBalancer": {}},
    }


def slice_documents(number: int, shape: Shape, generation: int = 0, address: str = "") -> Iterator[Document]:
    """The EndpointSlices of Service `number`.

    In each `generation` its last endpoint is another pod. With an `address`, that is where all endpoints are.
    """
    pods = [number * shape.endpoints + index for index in range(shape.endpoints)]
    if generation and pods:
        pods[-1] = shape.services * shape.endpoints + generation
    for part in range(0, len(pods), _SLICE_SIZE):
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": _metadata(
                f"{service_name(number)}-{part // _SLICE_SIZE:05x}",
                number,
                {
                    "app": service_name(number),
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    "kubernetes.io/service-name": service_name(number),
                },
            ),
            "addressType": "IPv4",
            "ports": [{"name": "http", "protocol": "TCP", "port": TARGET_PORT}],
            "endpoints": [_endpoint(pod, address) for pod in pods[part : part + _SLICE_SIZE]],
        }


def documents(shape: Shape) -> Iterator[Document]:
    """All objects of a cluster, as the API server would send them."""
    for number in range(shape.services):
        yield service_document(number, shape)
        yield from slice_documents(number, shape)


def unassigned(document: Document) -> Document:
    """An object without what the API server gives."""
    given = ("uid", "resourceVersion", "generation", "creationTimestamp")
    metadata = {key: value for key, value in document["metadata"].items() if key not in given}
    return {key: value for key, value in document.items() if key != "status"} | {"metadata": metadata}


def objects(shape: Shape) -> Iterator[Object]:
    """All objects of a cluster, as values."""
    return map(as_value, documents(shape))


def service(number: int, shape: Shape) -> Service:
    """Service `number` as a value."""
    value = as_value(service_document(number, shape))
    assert isinstance(value, Service)
    return value


def slices(number: int, shape: Shape, generation: int = 0, address: str = "") -> Iterator[EndpointSlice]:
    """The EndpointSlices of Service `number` as values."""
    for document in slice_documents(number, shape, generation, address):
        value = as_value(document)
        assert isinstance(value, EndpointSlice)
        yield value


def as_value(document: Document) -> Object:
    """Read an object as the program reads what the API server sends."""
    text = msgspec.json.encode(document)
    value: Object | None
    if document["kind"] == "Service":
        value, ignored = translate.service(msgspec.json.decode(text, type=wire.Service))
    else:
        value, ignored = translate.endpoint_slice(msgspec.json.decode(text, type=wire.EndpointSlice))
    assert value is not None
    assert not ignored, ignored
    return value


def write_manifest(path: Path, shape: Shape) -> None:
    """Write a cluster as `kubectl get -o json` prints it, without the line breaks; never all of it in memory."""
    encode = msgspec.json.encode
    with path.open("wb") as file:
        file.write(b'{"apiVersion":"v1","kind":"List","items":[')
        for number, document in enumerate(documents(shape)):
            file.write(b"," * bool(number) + encode(document))
        file.write(b"]}")


def _endpoint(pod: int, address: str) -> Document:
    node = f"node-{pod % _NODES}"
    return {
        "addresses": [address or pod_ip(pod)],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": f"pod-{pod}", "uid": str(UUID(int=pod))},
        "zone": f"zone-{pod % 3}",
    }


def _metadata(name: str, number: int, labels: dict[str, str]) -> Document:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "uid": str(UUID(int=number)),
        "resourceVersion": str(1000 + number),
        "generation": 1,
        "creationTimestamp": _CREATED,
        "labels": labels,
    }


def service_name(number: int) -> str:
    """The name of a Service; also sorts as the rules of its node port do."""
    return f"service-{number}"
