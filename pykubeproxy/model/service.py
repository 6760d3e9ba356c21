"""Services, and the ServicePorts that one IP family of a node serves for them.

Source: the Service API (https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/) and
`docs/reference/services.md`. A dual-stack Service yields ServicePorts in each of its families, independently of the
other.
"""

from enum import StrEnum
from typing import NamedTuple, Self

import msgspec

from pykubeproxy.model.ip import CIDR, IP, Family, parse_ip

SERVICE_PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"


class Protocol(StrEnum):
    """Transport protocol, spelled as in the API; rules and hashes use the lower-case word."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class ServiceType(StrEnum):
    """`spec.type`."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_NAME = "ExternalName"


class ServiceKey(NamedTuple):
    """What names a Service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def of_title(cls, title: str) -> Self:
        """The Service of a ServicePort's title, `namespace/name:port` or `namespace/name`."""
        namespace, _, rest = title.partition("/")
        return cls(namespace, rest.partition(":")[0])


class ServiceCIDR(msgspec.Struct, frozen=True, kw_only=True):
    """A ServiceCIDR object: networks whose addresses are for cluster IPs alone, at most one of each family.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/networking-resources/service-cidr-v1/.
    """

    name: str
    cidrs: tuple[CIDR, ...] = ()


class PortSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of `spec.ports`. `name` is empty for an unnamed port, `node_port` 0 where there is none."""

    name: str
    protocol: Protocol
    port: int
    node_port: int = 0


class Service(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A Service object, reduced to what a proxy reads, of both families.

    Source: `docs/reference/services.md` sections 2 to 11.

    `cluster_ip` and `cluster_ips` keep the API's text, because `""` and `"None"` have a meaning there.
    `affinity_seconds` is None without ClientIP affinity. `load_balancer_ips` holds the ingress addresses in VIP mode.
    `has_unusable_external_ips`: `spec.externalIPs` has entries that are no addresses, and not in `external_ips`.
    """

    key: ServiceKey
    type: ServiceType = ServiceType.CLUSTER_IP
    cluster_ip: str
    cluster_ips: tuple[str, ...] = ()
    ip_families: tuple[str, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    external_ips: tuple[IP, ...] = ()
    has_unusable_external_ips: bool = False
    load_balancer_ips: tuple[IP, ...] = ()
    source_ranges: tuple[CIDR, ...] = ()
    affinity_seconds: int | None = None
    external_traffic_local: bool = False
    internal_traffic_local: bool = False
    health_check_node_port: int = 0
    has_foreign_proxy: bool = False

    @property
    def external_policy_local(self) -> bool:
        """True for externalTrafficPolicy Local, if the Service can be reached from outside the cluster.

        Source: `docs/reference/services.md` section 8.
        """
        if not self.external_traffic_local:
            return False
        if self.type is ServiceType.CLUSTER_IP:
            # Entries that are not addresses count too: kube-proxy only checks that the list is not empty.
            return bool(self.external_ips) or self.has_unusable_external_ips
        return self.type in (ServiceType.NODE_PORT, ServiceType.LOAD_BALANCER)


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One port of one Service in one family: the unit that rules are made for.

    Source: `docs/reference/services.md` section 5.
    """

    service: ServiceKey
    name: str
    protocol: Protocol
    family: Family
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[CIDR, ...] = ()
    affinity_seconds: int | None = None
    external_policy_local: bool = False
    internal_policy_local: bool = False
    health_check_node_port: int = 0

    @property
    def title(self) -> str:
        """`namespace/name:port`, the name by which comments and hashes call it; no colon for an unnamed port."""
        title = f"{self.service.namespace}/{self.service.name}"
        return f"{title}:{self.name}" if self.name else title

    @property
    def externally_accessible(self) -> bool:
        """True if traffic can arrive other than through the cluster IP."""
        return bool(self.node_port or self.load_balancer_ips or self.external_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """True if some traffic may go to endpoints on any node; local clients of an external address always may."""
        return not self.internal_policy_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        """True if some traffic is restricted to endpoints on this node."""
        return self.internal_policy_local or (self.external_policy_local and self.externally_accessible)


class Unserved(StrEnum):
    """Why a proxy makes no rules for a Service."""

    FOREIGN_PROXY = "foreign-proxy"
    EXTERNAL_NAME = "external-name"
    HEADLESS = "headless"
    NO_CLUSTER_IP = "no-cluster-ip"
    NO_CLUSTER_IP_OF_FAMILY = "no-cluster-ip-of-family"


def why_unserved(service: Service, family: Family) -> Unserved | None:
    """Why a proxy makes no rules for `service` in `family`; None if it does.

    Source: `docs/reference/services.md` sections 2 to 4.
    """
    why = _why_unserved(service)
    if why is None and cluster_ip_of(service, family) is None:
        return Unserved.NO_CLUSTER_IP_OF_FAMILY
    return why


def _why_unserved(service: Service) -> Unserved | None:
    """Why a proxy makes no rules for `service` in any family; None if it may make some."""
    if service.has_foreign_proxy:
        return Unserved.FOREIGN_PROXY
    if service.type is ServiceType.EXTERNAL_NAME:
        return Unserved.EXTERNAL_NAME
    if service.cluster_ip == "None":
        return Unserved.HEADLESS
    return None if service.cluster_ip else Unserved.NO_CLUSTER_IP


def cluster_ip_of(service: Service, family: Family) -> str | None:
    """The cluster IP of one family, canonical; None if the Service has none.

    Source: `docs/reference/services.md` section 4.
    """
    candidates = [service.cluster_ip]
    if service.ip_families:
        pairs = zip(service.ip_families, service.cluster_ips, strict=False)
        candidates = [text for listed, text in pairs if listed == family]
    ip = parse_ip(candidates[0]) if candidates else None
    return ip.text if ip is not None and ip.family is family else None


def service_ports(service: Service, family: Family) -> tuple[ServicePort, ...]:
    """The ServicePorts of `service` in `family`, in the order of `spec.ports`; empty if it is not served there."""
    cluster_ip = cluster_ip_of(service, family) if _why_unserved(service) is None else None
    if cluster_ip is None:
        return ()
    return tuple(
        ServicePort(
            service=service.key,
            name=spec.name,
            protocol=spec.protocol,
            family=family,
            cluster_ip=cluster_ip,
            port=spec.port,
            node_port=spec.node_port,
            external_ips=_texts(service.external_ips, family),
            load_balancer_ips=_texts(service.load_balancer_ips, family),
            source_ranges=_source_ranges(service, family),
            affinity_seconds=service.affinity_seconds,
            external_policy_local=service.external_policy_local,
            internal_policy_local=service.internal_traffic_local,
            health_check_node_port=_health_check_node_port(service),
        )
        for spec in service.ports
    )


def _texts(ips: tuple[IP, ...], family: Family) -> tuple[str, ...]:
    return tuple(ip.text for ip in ips if ip.family is family)


def _source_ranges(service: Service, family: Family) -> tuple[CIDR, ...]:
    """The ranges of one family; one that admits everybody lifts the restriction.

    Source: `docs/reference/services.md` section 7.
    """
    ranges = tuple(cidr for cidr in service.source_ranges if cidr.family is family)
    return () if any(cidr.prefix == 0 for cidr in ranges) else ranges


def _health_check_node_port(service: Service) -> int:
    """The port on which a load balancer checks for local endpoints; 0 if there is no such check.

    Source: `docs/reference/services.md` section 10.
    """
    asked = service.type is ServiceType.LOAD_BALANCER and service.external_policy_local
    return service.health_check_node_port if asked else 0
