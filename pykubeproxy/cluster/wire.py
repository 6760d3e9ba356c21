"""The parts of Kubernetes API objects that a proxy reads, as msgspec structs: small, and decoded straight from bytes.

Field names and nullability follow the API reference for Service v1, EndpointSlice discovery.k8s.io/v1, Node v1, Pod v1
and ServiceCIDR networking.k8s.io/v1.
Unknown fields are skipped while decoding. `null` stands for "not given" wherever the API allows it.
"""

import msgspec


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Common settings of all structs here."""


class Metadata(_Wire):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class ServicePort(_Wire):
    port: int
    name: str | None = None
    protocol: str | None = None
    node_port: int | None = None


class ClientIPConfig(_Wire):
    timeout_seconds: int | None = None


class SessionAffinityConfig(_Wire):
    # Spelled clientIP in the API, which the camel-case rule would not produce.
    client_ip: ClientIPConfig | None = msgspec.field(default=None, name="clientIP")


class ServiceSpec(_Wire):
    type: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    cluster_ips: list[str] | None = msgspec.field(default=None, name="clusterIPs")
    ip_families: list[str] | None = None
    ip_family_policy: str | None = None
    ports: list[ServicePort] | None = None
    external_ips: list[str] | None = msgspec.field(default=None, name="externalIPs")
    load_balancer_source_ranges: list[str] | None = None
    session_affinity: str | None = None
    session_affinity_config: SessionAffinityConfig | None = None
    external_traffic_policy: str | None = None
    internal_traffic_policy: str | None = None
    health_check_node_port: int | None = None


class Ingress(_Wire):
    ip: str | None = None
    ip_mode: str | None = None


class LoadBalancerStatus(_Wire):
    ingress: list[Ingress] | None = None


class ServiceStatus(_Wire):
    load_balancer: LoadBalancerStatus | None = None


class Service(_Wire):
    metadata: Metadata
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class SlicePort(_Wire):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class Conditions(_Wire):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Hint(_Wire):
    name: str = ""


class Hints(_Wire):
    for_zones: list[Hint] | None = None
    for_nodes: list[Hint] | None = None


class TargetRef(_Wire):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class SliceEndpoint(_Wire):
    addresses: list[str] | None = None
    conditions: Conditions | None = None
    node_name: str | None = None
    target_ref: TargetRef | None = None
    hints: Hints | None = None


class EndpointSlice(_Wire):
    metadata: Metadata
    address_type: str = ""
    endpoints: list[SliceEndpoint] | None = None
    ports: list[SlicePort] | None = None


class NodeAddress(_Wire):
    type: str = ""
    address: str = ""


class Taint(_Wire):
    key: str = ""


class NodeSpec(_Wire):
    pod_cidr: str | None = msgspec.field(default=None, name="podCIDR")
    pod_cidrs: list[str] | None = msgspec.field(default=None, name="podCIDRs")
    taints: list[Taint] | None = None


class NodeStatus(_Wire):
    addresses: list[NodeAddress] | None = None


class Node(_Wire):
    metadata: Metadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class PodSpec(_Wire):
    node_name: str | None = None
    host_network: bool | None = None


class PodIP(_Wire):
    ip: str = ""


class PodStatus(_Wire):
    phase: str | None = None
    pod_ips: list[PodIP] | None = msgspec.field(default=None, name="podIPs")


class Pod(_Wire):
    metadata: Metadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


class ServiceCIDRSpec(_Wire):
    cidrs: list[str] | None = None


class ServiceCIDR(_Wire):
    metadata: Metadata
    spec: ServiceCIDRSpec | None = None
