"""The parts of Kubernetes objects that a lab needs, named as in the API reference, for manifests in good order.

They are apart from the proxy's own reading of the same objects, because that is what a lab is there to test.
"""

import msgspec
from msgspec import Struct

from e2e.topology import Protocol


class Metadata(Struct, frozen=True, kw_only=True):
    """ObjectMeta."""

    name: str
    namespace: str = "default"


class NodeAddress(Struct, frozen=True, kw_only=True):
    """An entry of a Node's status.addresses; a lab uses those of type InternalIP."""

    type: str
    address: str


class NodeStatus(Struct, frozen=True, kw_only=True):
    """NodeStatus."""

    addresses: tuple[NodeAddress, ...] = ()


class NodeSpec(Struct, frozen=True, kw_only=True):
    """NodeSpec: the networks of the node's pods."""

    pod_cidrs: tuple[str, ...] = msgspec.field(name="podCIDRs", default=())


class Node(Struct, frozen=True, kw_only=True):
    """Node v1."""

    metadata: Metadata
    spec: NodeSpec
    status: NodeStatus


class ServicePort(Struct, frozen=True, kw_only=True, rename="camel"):
    """A Service's port; the target port must be given as a number."""

    port: int
    name: str = ""
    protocol: Protocol = Protocol.TCP
    target_port: int = 0
    node_port: int = 0


class ServiceSpec(Struct, frozen=True, kw_only=True):
    """ServiceSpec."""

    ports: tuple[ServicePort, ...]
    cluster_ips: tuple[str, ...] = msgspec.field(name="clusterIPs", default=())
    external_ips: tuple[str, ...] = msgspec.field(name="externalIPs", default=())


class Ingress(Struct, frozen=True, kw_only=True, rename="camel"):
    """LoadBalancerIngress; with the mode Proxy, packets are for the load balancer itself."""

    ip: str = ""
    ip_mode: str = "VIP"


class LoadBalancer(Struct, frozen=True, kw_only=True):
    """LoadBalancerStatus."""

    ingress: tuple[Ingress, ...] = ()


class ServiceStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """ServiceStatus."""

    load_balancer: LoadBalancer = LoadBalancer()


class Service(Struct, frozen=True, kw_only=True):
    """Service v1."""

    metadata: Metadata
    spec: ServiceSpec
    status: ServiceStatus = ServiceStatus()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


class TargetRef(Struct, frozen=True, kw_only=True):
    """ObjectReference to the pod behind an endpoint."""

    name: str


class Endpoint(Struct, frozen=True, kw_only=True, rename="camel"):
    """Endpoint; a lab needs to know which pod it is and where that pod runs."""

    addresses: tuple[str, ...]
    node_name: str
    target_ref: TargetRef


class EndpointPort(Struct, frozen=True, kw_only=True):
    """EndpointPort."""

    port: int
    name: str = ""
    protocol: Protocol = Protocol.TCP


class EndpointSlice(Struct, frozen=True, kw_only=True):
    """EndpointSlice discovery.k8s.io/v1."""

    metadata: Metadata
    ports: tuple[EndpointPort, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
