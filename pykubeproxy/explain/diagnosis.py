"""Why a Service refuses, or was never there: what its objects say beyond what rules can tell.

A rule knows that there is no endpoint for it. Only EndpointSlices tell whether there never was one, or whether all are
terminating, not ready, on other nodes, or listed for a port of another name.
"""

from collections import Counter

import msgspec

from pykubeproxy.explain.findings import (
    Absence,
    AllowedSources,
    Condition,
    EndpointNotListed,
    EndpointsElsewhere,
    EndpointsUnusable,
    EndpointUnusable,
    Finding,
    HasNoPort,
    HasNoRules,
    HasNoSlice,
    HasNoSuchPort,
    HasUsableEndpoints,
    IsForOtherPorts,
    ListsNoPods,
    NotAmongObjects,
    NotInTheseRules,
    PortAt,
    ServiceGone,
)
from pykubeproxy.explain.service_causes import NoLocalEndpoints, NoReadyEndpoints, NotInSourceRanges
from pykubeproxy.model.endpoint import Endpoint, EndpointSlice, PortKey, SliceEndpoint, entries_by_port, host_port
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey, ServicePort, Unserved, service_ports, why_unserved
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.model.topology import usable_endpoints
from pykubeproxy.netfilter.causes import Cause


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of a cluster, as far as they are known, and the node from which they are seen."""

    snapshot: Snapshot
    family: Family
    node_name: str = ""

    def elaborate(self, cause: Cause) -> Cause:
        """The cause of a refusal with what objects add to it; as it is where they add nothing."""
        match cause:
            case NoReadyEndpoints(port=title) | NoLocalEndpoints(port=title) | NotInSourceRanges(port=title):
                return msgspec.structs.replace(cause, finding=self._finding(cause, self._port_of(title)))
            case _:
                return cause

    def _finding(self, cause: Cause, port: ServicePort | None) -> Finding | None:
        """What objects add to the refusal of a ServicePort, which is None if they do not know it."""
        if port is None:
            return NotAmongObjects()
        if isinstance(cause, NotInSourceRanges):
            ranges = tuple(cidr.text for cidr in port.source_ranges)
            return AllowedSources(ranges) if ranges else None
        return self._contradiction(cause, port) or self._census(port)

    def why_stale(self, title: str, endpoint: str) -> Finding | None:
        """What speaks against a way to `endpoint` (`ip:port`) of a ServicePort; None if nothing does."""
        port = self._port_of(title)
        if port is None:
            return ServiceGone(title)
        listed = [each for each in self._endpoints(port) if each.text == endpoint]
        if not listed:
            return EndpointNotListed(title)
        if not any(each.ready or each.serves_while_terminating for each in listed):
            return EndpointUnusable(_condition(listed[0]))
        return None

    def why_absent(self, name: str) -> Absence | None:
        """Why a Service that was asked for by name is not in the rules; None if the objects do not know it."""
        service = self.service(name)
        if service is None:
            return None
        why = why_unserved(service, self.family)
        if why is not None:
            pods = self._pods(service.key) if why is Unserved.HEADLESS else ()
            return HasNoRules(name, why, self.family, pods)
        wanted = name.partition(":")[2]
        ports = service_ports(service, self.family)
        if wanted and not any(port.name == wanted for port in ports):
            offered = tuple(PortAt(port.port, port.protocol.lower(), port.name) for port in ports)
            return HasNoSuchPort(str(service.key), wanted, offered)
        return NotInTheseRules(name)

    def service(self, name: str) -> Service | None:
        """The Service of `namespace/name` or `namespace/name:port`."""
        namespace, _, rest = name.partition("/")
        return self.snapshot.services.get(ServiceKey(namespace, rest.partition(":")[0]))

    def titles(self) -> list[str]:
        """The names of all Services, for suggestions."""
        return sorted(map(str, self.snapshot.services))

    def service_at(self, address: str) -> Service | None:
        """The Service that has an address as cluster IP, load-balancer IP or external IP."""
        for _, service in sorted(self.snapshot.services.items()):
            outside = (ip.text for ip in (*service.load_balancer_ips, *service.external_ips))
            if address in (service.cluster_ip, *service.cluster_ips, *outside):
                return service
        return None

    def is_endpoint(self, address: str) -> bool:
        """True for an address that an EndpointSlice lists."""
        return any(its.address == address for slice_ in self.snapshot.slices() for its in slice_.endpoints)

    def _contradiction(self, cause: Cause, port: ServicePort) -> Finding | None:
        """What speaks against a refusal for lack of endpoints; None if nothing does."""
        usable = usable_endpoints(port, self._endpoints(port), self.node_name, "")
        if isinstance(cause, NoReadyEndpoints):
            found = len(usable.cluster or usable.local) if usable.exist_anywhere else 0
            return HasUsableEndpoints(found) if found else None
        found = len(usable.local) if self.node_name else 0
        return HasUsableEndpoints(found, self.node_name) if found else None

    def _endpoints(self, port: ServicePort) -> tuple[Endpoint, ...]:
        by_port = self.snapshot.endpoints(port.service, self.family, self.node_name)
        return by_port.get(PortKey(port.name, port.protocol), ())

    def _port_of(self, title: str) -> ServicePort | None:
        """The ServicePort of `namespace/name:port`."""
        service, _, name = title.partition(":")
        namespace, _, its_name = service.partition("/")
        return self._port(ServiceKey(namespace, its_name), name)

    def _port(self, key: ServiceKey, name: str) -> ServicePort | None:
        service = self.snapshot.services.get(key)
        ports = service_ports(service, self.family) if service is not None else ()
        return next((port for port in ports if port.name == name), None)

    def _slices(self, key: ServiceKey) -> list[EndpointSlice]:
        return [each for each in self.snapshot.slices() if each.service == key and each.family is self.family]

    def _census(self, port: ServicePort) -> Finding:
        """What has become of the endpoints of a port."""
        slices = self._slices(port.service)
        if not slices:
            return HasNoSlice()
        listed = [endpoint for each in slices for endpoint in each.endpoints]
        if not listed:
            return ListsNoPods()
        fitting = [each for each in slices if _serves(each, port)]
        if fitting:
            counted = entries_by_port(fitting).get(PortKey(port.name, port.protocol), {})
            return _conditions(list(counted.values()) or listed, self.node_name)
        offered = tuple(sorted({_port_name(its.name, its.protocol) for each in slices for its in each.ports}))
        wanted = _port_name(port.name, port.protocol)
        return IsForOtherPorts(len(listed), offered, wanted) if offered else HasNoPort(len(listed), wanted)

    def _pods(self, key: ServiceKey) -> tuple[str, ...]:
        """Where the pods of a headless Service can be reached, as `ip:port`."""
        return tuple(
            host_port(endpoint.address, port.port)
            for each in self._slices(key)
            for endpoint in each.endpoints
            for port in each.ports
        )


def _port_name(name: str, protocol: str) -> str:
    """A port of an EndpointSlice or Service, as `http/TCP`."""
    return f"{name or 'unnamed'}/{protocol}"


def _serves(slice_: EndpointSlice, port: ServicePort) -> bool:
    return any((its.name, its.protocol) == (port.name, port.protocol) for its in slice_.ports)


def _conditions(endpoints: list[SliceEndpoint], node_name: str) -> Finding:
    """Where endpoints are that could serve but for that; else in which condition they are."""
    if any(endpoint.ready or (endpoint.serving and endpoint.terminating) for endpoint in endpoints):
        return EndpointsElsewhere(
            len(endpoints), tuple(sorted({each.node_name or "" for each in endpoints} - {node_name}))
        )
    kinds = Counter(_condition(endpoint) for endpoint in endpoints)
    return EndpointsUnusable(len(endpoints), tuple(sorted(kinds.items())))


def _condition(endpoint: SliceEndpoint | Endpoint) -> Condition:
    if endpoint.terminating:
        return Condition.TERMINATING
    return Condition.READY if endpoint.ready else Condition.NOT_READY
