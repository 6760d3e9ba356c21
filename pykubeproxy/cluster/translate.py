"""Wire objects to model values; the border that keeps bad input out.

Every name, port and address that can reach a rule line is checked here, so nothing behind this module has to quote or
escape. An object that cannot be used raises `BadObject` with its field; a part that the API's consumers are meant to
tolerate (`docs/reference/services.md` section 14, `docs/reference/endpoints.md` section 3) is left out and reported as
`Ignored`.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

import msgspec

from pykubeproxy.cluster import ip_families, wire
from pykubeproxy.cluster.shared_text import all_shared, shared
from pykubeproxy.model.endpoint import (
    HEADLESS_LABEL,
    SERVICE_NAME_LABEL,
    TRIGGER_TIME_ANNOTATION,
    EndpointSlice,
    SliceEndpoint,
    SliceKey,
    SlicePort,
)
from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.node import ZONE_LABEL, Node
from pykubeproxy.model.pod import Pod, PodKey
from pykubeproxy.model.service import (
    SERVICE_PROXY_NAME_LABEL,
    PortSpec,
    Protocol,
    Service,
    ServiceCIDR,
    ServiceKey,
    ServiceType,
)

AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler"
DEFAULT_AFFINITY_SECONDS = 10800
MAX_AFFINITY_SECONDS = 86400

_ENDED = ("Succeeded", "Failed")
"""The phases of a pod whose addresses may be those of others by now."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)


class _Policy(StrEnum):
    CLUSTER = "Cluster"
    LOCAL = "Local"


class _Affinity(StrEnum):
    NONE = "None"
    CLIENT_IP = "ClientIP"


Choice = TypeVar("Choice", bound=StrEnum)


class BadObject(ValueError):
    """An object that cannot be used: `field` says where it is wrong, `problem` what would be right."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class Ignored(msgspec.Struct, frozen=True):
    """A part of an object that was left out while the rest is used; with `is_error`, a mistake that spoils its use."""

    field: str
    why: str
    is_error: bool = False

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


def service(obj: wire.Service) -> tuple[Service, tuple[Ignored, ...]]:
    """A Service, and what was left out of it. Raises BadObject."""
    spec = obj.spec or wire.ServiceSpec()
    ignored: list[Ignored] = []
    external_ips = tuple(_ips(spec.external_ips or (), "spec.externalIPs", ignored))
    translated = Service(
        key=ServiceKey(_namespace(obj.metadata), _dns_label(obj.metadata.name, "metadata.name")),
        type=_choice(ServiceType, spec.type or "ClusterIP", "spec.type"),
        cluster_ip=_cluster_ip(spec),
        cluster_ips=_cluster_ips(spec),
        ip_families=all_shared(ip_families.filled_in(spec)),
        ports=_service_ports(spec),
        external_ips=external_ips,
        has_unusable_external_ips=len(external_ips) < len(spec.external_ips or ()),
        load_balancer_ips=_load_balancer_ips(obj.status),
        source_ranges=tuple(_cidrs(spec.load_balancer_source_ranges or (), "spec.loadBalancerSourceRanges", ignored)),
        affinity_seconds=_affinity_seconds(spec),
        external_traffic_local=_policy(spec.external_traffic_policy, "spec.externalTrafficPolicy") is _Policy.LOCAL,
        internal_traffic_local=_policy(spec.internal_traffic_policy, "spec.internalTrafficPolicy") is _Policy.LOCAL,
        health_check_node_port=_port(spec.health_check_node_port or 0, "spec.healthCheckNodePort", lowest=0),
        has_foreign_proxy=SERVICE_PROXY_NAME_LABEL in (obj.metadata.labels or {}),
    )
    ignored += [Ignored(field, why, is_error=True) for field, why in ip_families.contradictions(spec)]
    if _lacks_health_check(translated):
        why = "0, so that no load balancer can ask under externalTrafficPolicy Local whether this node has endpoints"
        ignored.append(Ignored("spec.healthCheckNodePort", why, is_error=True))
    return translated, tuple(ignored)


def endpoint_slice(
    obj: wire.EndpointSlice, *, with_pods: bool = True
) -> tuple[EndpointSlice | None, tuple[Ignored, ...]]:
    """An EndpointSlice, and what was left out of it; None in its place if a proxy has no use for any of it.

    `with_pods` tells whether the names of pods are kept, which rules do without. Raises BadObject.
    """
    key = SliceKey(_namespace(obj.metadata), _dns_subdomain(obj.metadata.name, "metadata.name"))
    labels = obj.metadata.labels or {}
    if obj.address_type not in (Family.IPV4, Family.IPV6):
        return None, (Ignored("addressType", f"{obj.address_type!r} is neither IPv4 nor IPv6"),)
    if not labels.get(SERVICE_NAME_LABEL):
        return None, (Ignored(f"metadata.labels[{SERVICE_NAME_LABEL}]", "missing, so it belongs to no Service"),)
    ignored: list[Ignored] = []
    family = Family(obj.address_type)
    translated = EndpointSlice(
        key=key,
        service=ServiceKey(key.namespace, labels[SERVICE_NAME_LABEL]),
        family=family,
        ports=all_shared(_slice_ports(obj.ports or (), ignored)),
        endpoints=tuple(_slice_endpoints(obj.endpoints or (), family, ignored, with_pods=with_pods)),
        is_headless=HEADLESS_LABEL in labels,
        triggered_at=_trigger_time(obj.metadata),
    )
    return translated, tuple(ignored)


def node(obj: wire.Node) -> tuple[Node, tuple[Ignored, ...]]:
    """A Node, and what was left out of it. Raises BadObject."""
    spec = obj.spec or wire.NodeSpec()
    ignored: list[Ignored] = []
    addresses = (obj.status.addresses if obj.status else None) or []
    by_type = [entry.address for kind in ("InternalIP", "ExternalIP") for entry in addresses if entry.type == kind]
    cidrs = spec.pod_cidrs or ([spec.pod_cidr] if spec.pod_cidr else [])
    translated = Node(
        name=_dns_subdomain(obj.metadata.name, "metadata.name"),
        addresses=tuple(_ips(by_type, "status.addresses", ignored)),
        pod_cidrs=tuple(_cidrs(cidrs, "spec.podCIDRs", ignored)),
        zone=(obj.metadata.labels or {}).get(ZONE_LABEL, ""),
        being_deleted=obj.metadata.deletion_timestamp is not None
        or any(taint.key == AUTOSCALER_TAINT for taint in spec.taints or ()),
    )
    return translated, tuple(ignored)


def pod(obj: wire.Pod) -> tuple[Pod, tuple[Ignored, ...]]:
    """A Pod, and what was left out of it. Raises BadObject."""
    spec, status = obj.spec or wire.PodSpec(), obj.status or wire.PodStatus()
    ignored: list[Ignored] = []
    addresses = () if status.phase in _ENDED else [each.ip for each in status.pod_ips or ()]
    translated = Pod(
        key=PodKey(_namespace(obj.metadata), _dns_subdomain(obj.metadata.name, "metadata.name")),
        node_name=shared(spec.node_name or ""),
        ips=tuple(_ips(addresses, "status.podIPs", ignored)),
        is_on_host_network=bool(spec.host_network),
    )
    return translated, tuple(ignored)


def service_cidr(obj: wire.ServiceCIDR) -> tuple[ServiceCIDR, tuple[Ignored, ...]]:
    """A ServiceCIDR, and what was left out of it. Raises BadObject."""
    ignored: list[Ignored] = []
    cidrs = tuple(_cidrs((obj.spec.cidrs if obj.spec else None) or (), "spec.cidrs", ignored))
    return ServiceCIDR(name=_dns_subdomain(obj.metadata.name, "metadata.name"), cidrs=cidrs), tuple(ignored)


# Services


def _lacks_health_check(service: Service) -> bool:
    """True if health checks are needed and have no port, which kube-proxy calls an error.

    Source: `docs/reference/services.md` section 14.
    """
    is_asked_for = service.type is ServiceType.LOAD_BALANCER and service.external_policy_local
    return is_asked_for and not service.health_check_node_port and not service.has_foreign_proxy


def _cluster_ip(spec: wire.ServiceSpec) -> str:
    """`spec.clusterIP`; a hand-written manifest may give only the list."""
    return _cluster_ip_text(spec.cluster_ip or ((spec.cluster_ips or [""])[0]), "spec.clusterIP")


def _cluster_ips(spec: wire.ServiceSpec) -> tuple[str, ...]:
    """`spec.clusterIPs`; where a hand-written manifest gives none, the API server would put `spec.clusterIP` there."""
    texts = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    return tuple(_cluster_ip_text(text, f"spec.clusterIPs[{i}]") for i, text in enumerate(texts))


def _cluster_ip_text(text: str, field: str) -> str:
    if text not in ("", "None") and parse_ip(text) is None:
        raise BadObject(field, f'{text!r} is not an IP address, "None" or empty')
    return text


def _service_ports(spec: wire.ServiceSpec) -> tuple[PortSpec, ...]:
    ports = []
    for i, port in enumerate(spec.ports or ()):
        field = f"spec.ports[{i}]"
        ports.append(
            PortSpec(
                name=_port_name(port.name or "", f"{field}.name"),
                protocol=_choice(Protocol, port.protocol or "TCP", f"{field}.protocol"),
                port=_port(port.port, f"{field}.port"),
                node_port=_port(port.node_port or 0, f"{field}.nodePort", lowest=0),
            )
        )
    keys = [(port.name, port.protocol) for port in ports]
    if len(set(keys)) < len(keys):
        raise BadObject("spec.ports", "two ports share a name and protocol; each port of a Service needs its own name")
    return tuple(ports)


def _load_balancer_ips(status: wire.ServiceStatus | None) -> tuple[IP, ...]:
    """Ingress addresses in VIP mode; with any other mode the load balancer delivers to the node by itself."""
    ingress = (status.load_balancer.ingress if status and status.load_balancer else None) or []
    parsed = (parse_ip(entry.ip) for entry in ingress if entry.ip and entry.ip_mode in (None, "", "VIP"))
    return tuple(ip for ip in parsed if ip is not None)


def _affinity_seconds(spec: wire.ServiceSpec) -> int | None:
    if _choice(_Affinity, spec.session_affinity or "None", "spec.sessionAffinity") is _Affinity.NONE:
        return None
    config = spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    if seconds is None:
        return DEFAULT_AFFINITY_SECONDS
    if not 0 < seconds <= MAX_AFFINITY_SECONDS:
        raise BadObject(
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds", f"{seconds} is not within 1 to {MAX_AFFINITY_SECONDS}"
        )
    return seconds


def _policy(text: str | None, field: str) -> _Policy:
    return _choice(_Policy, text or "Cluster", field)


# EndpointSlices


def _trigger_time(metadata: wire.Metadata) -> float | None:
    """When the change happened that led to this one; None without an annotation that says so in RFC 3339."""
    text = (metadata.annotations or {}).get(TRIGGER_TIME_ANNOTATION, "")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _slice_ports(ports: Iterable[wire.SlicePort], ignored: list[Ignored]) -> Iterable[SlicePort]:
    for i, port in enumerate(ports):
        field = f"ports[{i}]"
        if port.name is None:
            ignored.append(Ignored(f"{field}.name", "not set, so it matches no Service port"))
        elif not port.port:
            ignored.append(Ignored(f"{field}.port", "not set, so there is nothing to send traffic to"))
        else:
            yield SlicePort(
                name=_port_name(port.name, f"{field}.name"),
                protocol=_choice(Protocol, port.protocol or "TCP", f"{field}.protocol"),
                port=_port(port.port, f"{field}.port"),
            )


def _slice_endpoints(
    endpoints: Iterable[wire.SliceEndpoint], family: Family, ignored: list[Ignored], *, with_pods: bool
) -> Iterable[SliceEndpoint]:
    for i, endpoint in enumerate(endpoints):
        if not endpoint.addresses:
            ignored.append(Ignored(f"endpoints[{i}].addresses", "empty"))
            continue
        # Consumers use the first address only; see the API's description of `addresses`.
        address = parse_ip(endpoint.addresses[0])
        if address is None or address.family is not family:
            why = f"{endpoint.addresses[0]!r} is not an {family} address"
            ignored.append(Ignored(f"endpoints[{i}].addresses[0]", why))
            continue
        conditions = endpoint.conditions or _UNKNOWN
        hints = endpoint.hints or _NO_HINTS
        yield SliceEndpoint(
            address=address.text,
            node_name=shared(endpoint.node_name or ""),
            pod=_target_pod(endpoint.target_ref) if with_pods else "",
            ready=conditions.ready is not False,
            serving=conditions.serving is not False,
            terminating=conditions.terminating is True,
            zones=all_shared(hint.name for hint in hints.for_zones or ()),
            nodes=all_shared(hint.name for hint in hints.for_nodes or ()),
        )


def _target_pod(target: wire.TargetRef | None) -> str:
    """The pod behind an endpoint, as `namespace/name`; "" if it is another object, or none, or has no valid name."""
    if target is None or target.kind != "Pod":
        return ""
    is_valid = _DNS_LABEL.fullmatch(target.namespace or "") and _DNS_SUBDOMAIN.fullmatch(target.name or "")
    return f"{target.namespace}/{target.name}" if is_valid else ""


_UNKNOWN = wire.Conditions()
_NO_HINTS = wire.Hints()


# Fields


def _namespace(metadata: wire.Metadata) -> str:
    return shared(_dns_label(metadata.namespace, "metadata.namespace"))


def _dns_label(text: str, field: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise BadObject(field, f"{text!r} is not a DNS label (a-z, 0-9 and '-', at most 63 characters)")
    return text


def _dns_subdomain(text: str, field: str) -> str:
    if not _DNS_SUBDOMAIN.fullmatch(text):
        raise BadObject(field, f"{text!r} is not a DNS name (a-z, 0-9, '-' and '.', at most 253 characters)")
    return text


def _port_name(text: str, field: str) -> str:
    return shared(_dns_label(text, field)) if text else ""


def _port(number: int, field: str, lowest: int = 1) -> int:
    if not lowest <= number <= 65535:
        raise BadObject(field, f"{number} is not within {lowest} to 65535")
    return number


def _choice(kind: type[Choice], text: str, field: str) -> Choice:
    try:
        member: Choice = _member(kind, text)
    except ValueError:
        raise BadObject(field, f"{text!r} is not one of {', '.join(kind)}") from None
    return member


@lru_cache(maxsize=64)
def _member(kind: type[Choice], text: str) -> Choice:
    """The member of `kind` with this value, looked up: calling `kind` takes ten times as long, for each object."""
    return kind(text)


def _ips(texts: Iterable[str], field: str, ignored: list[Ignored]) -> Iterable[IP]:
    for i, text in enumerate(texts):
        ip = parse_ip(text)
        if ip is not None:
            yield ip
        elif text.strip():
            ignored.append(Ignored(f"{field}[{i}]", f"{text!r} is not an IP address"))


def _cidrs(texts: Iterable[str], field: str, ignored: list[Ignored]) -> Iterable[CIDR]:
    for i, text in enumerate(texts):
        cidr = parse_cidr(text.strip())
        if cidr is not None:
            yield cidr
        elif text.strip():
            ignored.append(Ignored(f"{field}[{i}]", f"{text!r} is not a CIDR such as 10.0.0.0/8"))
