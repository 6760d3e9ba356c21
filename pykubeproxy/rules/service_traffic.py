"""How the traffic of one Service is routed: decided once for rules, health checks, metrics and UDP flows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from pykubeproxy.model.endpoint import Endpoint, PortKey
from pykubeproxy.model.service import Protocol, ServiceKey, ServicePort, service_ports
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Refusal, Routing, route


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a load balancer asks on which port: the number of ready endpoints on this node, each address counted once.

    Source: `docs/reference/services.md` section 10, `docs/reference/endpoints.md` section 9.
    """

    port: int
    local_endpoints: int


class WithoutEndpoints(NamedTuple):
    """Number of ServicePorts without endpoints, for some or all of their traffic.

    `refusing` ones have no endpoint at all, and refuse connections; `dropping` ones have none on this node where a
    traffic policy is Local, and drop them. `internal` and `external` are the latter as kube-proxy counts them, by
    policy: also those that nobody outside can reach yet.
    """

    refusing: int = 0
    dropping: int = 0
    internal: int = 0
    external: int = 0


class UdpPort(msgspec.Struct, frozen=True, kw_only=True):
    """A ServicePort with the protocol UDP.

    `frontends` are the addresses and ports at which clients find it, the address of a node port being empty. `serving`
    are the endpoints, as `ip:port`, that may go on answering: all that serve, wherever they are and whether or not they
    terminate. Source: `docs/reference/conntrack.md` section 2.
    """

    frontends: tuple[tuple[str, int], ...]
    serving: tuple[str, ...]


class TcpPort(msgspec.Struct, frozen=True, kw_only=True):
    """A ServicePort with the protocol TCP: its `frontends`, as in UdpPort, and all `endpoints` that are listed for it.

    `endpoints` are given as `ip:port`, ready or not, terminating or not.
    """

    frontends: tuple[tuple[str, int], ...]
    endpoints: tuple[str, ...]


class ServiceTraffic(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is decided about a Service in one family besides its rules; nothing for a Service that is not served.

    There are `tcp_ports` only if TCP flows are to be ended.
    """

    health_check: HealthCheck | None = None
    without_endpoints: WithoutEndpoints = WithoutEndpoints()
    udp_ports: tuple[UdpPort, ...] = ()
    tcp_ports: tuple[TcpPort, ...] = ()


# Most Services have endpoints, and neither a health check nor UDP ports: one value stands for all of them.
_ORDINARY = ServiceTraffic()


def route_service(
    snapshot: Snapshot, key: ServiceKey, options: RuleOptions
) -> tuple[tuple[Routing, ...], ServiceTraffic]:
    """Decide about all ports of a Service, in the order of `spec.ports`; about none if it is not served."""
    service = snapshot.services.get(key)
    ports = service_ports(service, options.family) if service is not None else ()
    if not ports:
        return (), _ORDINARY
    by_port = snapshot.endpoints(key, options.family, options.node_name)
    routings = tuple(route(port, by_port.get(PortKey(port.name, port.protocol), ()), options) for port in ports)
    traffic = ServiceTraffic(
        health_check=_health_check(ports[0], by_port),
        without_endpoints=_without_endpoints(routings),
        udp_ports=tuple(_udp_ports(ports, by_port, options)),
        tcp_ports=tuple(_tcp_ports(ports, by_port, options)) if options.end_established_tcp else (),
    )
    return routings, _ORDINARY if traffic == _ORDINARY else traffic


def _without_endpoints(routings: Iterable[Routing]) -> WithoutEndpoints:
    refusing = dropping = internal = external = 0
    for its in routings:
        refusing += its.internal.refusal is Refusal.NO_ENDPOINTS
        drops_internal = its.internal.refusal is Refusal.NO_LOCAL_ENDPOINTS
        drops_external = its.external.refusal is Refusal.NO_LOCAL_ENDPOINTS
        internal += drops_internal
        external += drops_external
        dropping += drops_internal or (drops_external and its.port.externally_accessible)
    return WithoutEndpoints(refusing, dropping, internal, external)


def _health_check(port: ServicePort, by_port: dict[PortKey, tuple[Endpoint, ...]]) -> HealthCheck | None:
    if not port.health_check_node_port:
        return None
    ready = {one.ip for endpoints in by_port.values() for one in endpoints if one.is_local and one.ready}
    return HealthCheck(port=port.health_check_node_port, local_endpoints=len(ready))


def _udp_ports(
    ports: tuple[ServicePort, ...], by_port: dict[PortKey, tuple[Endpoint, ...]], options: RuleOptions
) -> Iterator[UdpPort]:
    for port in ports:
        if port.protocol is Protocol.UDP:
            endpoints = by_port.get(PortKey(port.name, port.protocol), ())
            yield UdpPort(
                frontends=tuple(_frontends(port, options)),
                serving=tuple(endpoint.text for endpoint in endpoints if endpoint.serving),
            )


def _tcp_ports(
    ports: tuple[ServicePort, ...], by_port: dict[PortKey, tuple[Endpoint, ...]], options: RuleOptions
) -> Iterator[TcpPort]:
    for port in ports:
        if port.protocol is Protocol.TCP:
            endpoints = by_port.get(PortKey(port.name, port.protocol), ())
            yield TcpPort(
                frontends=tuple(_frontends(port, options)), endpoints=tuple(endpoint.text for endpoint in endpoints)
            )


def _frontends(port: ServicePort, options: RuleOptions) -> Iterator[tuple[str, int]]:
    yield port.cluster_ip, port.port
    for address in (*port.load_balancer_ips, *(port.external_ips if options.external_ips else ())):
        yield address, port.port
    if port.node_port:
        yield "", port.node_port
