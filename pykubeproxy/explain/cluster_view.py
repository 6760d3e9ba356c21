"""What the objects of a cluster add to a trace: why a Service refuses, or why no rule is for it.

Rules only say that a Service has no endpoint. EndpointSlices say more: that there never was an endpoint, that all are
terminating or not ready, that they are on other nodes, or that they are listed for a port of another name.
"""

from collections import Counter

import msgspec

from pykubeproxy.explain.findings import (
    Absence,
    AllowedSources,
    EndpointNotListed,
    EndpointsElsewhere,
    EndpointState,
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
    ServiceNotListed,
)
from pykubeproxy.explain.service_causes import NoLocalEndpoints, NoReadyEndpoints, NotInSourceRanges
from pykubeproxy.model.endpoint import Endpoint, EndpointSlice, PortKey, SliceEndpoint, entries_by_port, host_port
from pykubeproxy.model.ip import CIDR, IP, Family, parse_ip
from pykubeproxy.model.pod import Pod, PodKey
from pykubeproxy.model.service import Service, ServiceKey, ServicePort, Unserved, service_ports, why_unserved
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.model.topology import usable_endpoints
from pykubeproxy.netfilter.causes import Cause
from pykubeproxy.netfilter.outcome import BranchResult, Outcome, Verdict
from pykubeproxy.netfilter.packet import Packet


class AddressHolder(msgspec.Struct, frozen=True, kw_only=True):
    """The pod (`namespace/name`) that has an address, and the node that it is on; each may be "".

    The address is the node's own if no pod is named and it is no endpoint's.
    """

    pod: str = ""
    node: str = ""


def address_of(outcome: BranchResult | Outcome, packet: Packet) -> str:
    """The address of the endpoint that an outcome leads to, or else the one to which it gets through; "" if to none."""
    if outcome.dnat is not None:
        return address_of_endpoint(outcome.dnat)
    return packet.destination.text if outcome.verdict is Verdict.ACCEPT else ""


def address_of_endpoint(endpoint: str) -> str:
    """The address of an endpoint that is given as `ip:port` or `[ip]:port`."""
    return endpoint.rpartition(":")[0].strip("[]")


class ClusterView(msgspec.Struct, frozen=True, kw_only=True):
    """The known objects of a cluster, seen in one IP family from the node `node_name` ("" if the node is not known)."""

    snapshot: Snapshot
    family: Family
    node_name: str = ""

    def with_finding(self, cause: Cause) -> Cause:
        """A cause that is about a ServicePort, with what the objects say of that port; other causes unchanged."""
        if isinstance(cause, NoReadyEndpoints | NoLocalEndpoints | NotInSourceRanges):
            return msgspec.structs.replace(cause, finding=self.finding(cause))
        return cause

    def finding(self, cause: NoReadyEndpoints | NoLocalEndpoints | NotInSourceRanges) -> Finding | None:
        """What the objects say of a ServicePort that refuses traffic, of which `cause` is the reason."""
        port = self._port_of(cause.port)
        if port is None:
            return NotAmongObjects()
        if isinstance(cause, NotInSourceRanges):
            ranges = tuple(cidr.text for cidr in port.source_ranges)
            return AllowedSources(ranges) if ranges else None
        return self._usable_endpoints(cause, port) or self._missing_endpoints(port)

    def why_stale(self, title: str, endpoint: str) -> Finding | None:
        """Why a ServicePort (`namespace/name:port`) should not lead to `endpoint` (`ip:port`); None if it should."""
        port = self._port_of(title)
        if port is None:
            return ServiceNotListed(title)
        listed = [each for each in self._endpoints(port) if each.text == endpoint]
        if not listed:
            return EndpointNotListed(title)
        if not any(each.ready or each.serves_while_terminating for each in listed):
            return EndpointUnusable(_state_of(listed[0]))
        return None

    def why_absent(self, name: str) -> Absence | None:
        """Why no rule is for a Service (`namespace/name[:port]`); None if the objects do not have it either."""
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
        return self.snapshot.services.get(ServiceKey.of_title(name))

    def service_names(self) -> list[str]:
        """All Services as `namespace/name`, sorted."""
        return sorted(map(str, self.snapshot.services))

    def service_at(self, address: str) -> Service | None:
        """The first Service by name that has an address as cluster IP, load-balancer IP or external IP."""
        for _, service in sorted(self.snapshot.services.items()):
            external = (ip.text for ip in (*service.load_balancer_ips, *service.external_ips))
            if address in (service.cluster_ip, *service.cluster_ips, *external):
                return service
        return None

    def is_node(self, address: IP) -> bool:
        """True for an address that a Node lists."""
        return any(address in node.addresses for node in self.snapshot.nodes.values())

    @property
    def knows_node(self) -> bool:
        """True if the objects have the node `node_name`, or an endpoint on it."""
        return self.node_name in self.snapshot.nodes or self.node_name in self._homes.values()

    def home_of(self, address: IP) -> str:
        """The node of a pod, by EndpointSlices, Pods or the nodes' pod networks; "" if they do not tell."""
        if address.text in self._homes:
            return self._homes[address.text]
        nodes = self.snapshot.nodes.values()
        return next((node.name for node in nodes if any(cidr.contains(address) for cidr in node.pod_cidrs)), "")

    def pod(self, name: str) -> Pod | None:
        """The pod `namespace/name`: the Pod object, or what is known of one that is an endpoint of the family."""
        key = PodKey(*name.split("/", 1)) if "/" in name else None
        if key is None or key in self.snapshot.pods:
            return None if key is None else self.snapshot.pods[key]
        slices = (each for each in self.snapshot.slices() if each.family is self.family)
        found = next((its for each in slices for its in each.endpoints if its.pod == name), None)
        ip = parse_ip(found.address) if found is not None else None
        return None if found is None or ip is None else Pod(key=key, node_name=found.node_name, ips=(ip,))

    def pod_names(self) -> set[str]:
        """The pods that there are, or that are endpoints, as `namespace/name`."""
        endpoints = {its.pod for each in self.snapshot.slices() for its in each.endpoints if its.pod}
        return endpoints.union(map(str, self.snapshot.pods))

    def holders(self) -> dict[str, AddressHolder]:
        """Who has which address, by the EndpointSlices, the Pods and the Nodes."""
        nodes = {
            ip.text: AddressHolder(node=node.name) for node in self.snapshot.nodes.values() for ip in node.addresses
        }
        endpoints = (its for each in self.snapshot.slices() for its in each.endpoints)
        return nodes | self.pod_holders() | {its.address: holder for its in endpoints if (holder := _holder(its))}

    def pod_holders(self) -> dict[str, AddressHolder]:
        """The pod and node that have each address, by Pod objects alone.

        A pod on the host's network has the addresses of its node, for which only the node is named.
        """
        return {
            ip.text: AddressHolder(pod="" if pod.is_on_host_network else str(pod.key), node=pod.node_name)
            for pod in self.snapshot.pods.values()
            for ip in pod.ips
        }

    def endpoint_holders(self, name: str) -> dict[str, AddressHolder]:
        """Who has which endpoint of a Service (`namespace/name[:port]`), by address, where its EndpointSlices tell.

        Pods in the host's network share its address: which of them is meant, only the Service tells.
        """
        endpoints = (its for each in self._slices(ServiceKey.of_title(name)) for its in each.endpoints)
        return {its.address: holder for its in endpoints if (holder := _holder(its))}

    def service_networks(self) -> tuple[CIDR, ...]:
        """The networks of the family that are for cluster IPs, by the ServiceCIDRs; none if none is known."""
        cidrs = (cidr for each in self.snapshot.service_cidrs.values() for cidr in each.cidrs)
        return tuple(cidr for cidr in cidrs if cidr.family is self.family)

    @property
    def _homes(self) -> dict[str, str]:
        """The nodes of pods by address."""
        endpoints = (its for slice_ in self.snapshot.slices() for its in slice_.endpoints)
        pods = {address: holder.node for address, holder in self.pod_holders().items() if holder.pod and holder.node}
        return pods | {its.address: its.node_name for its in endpoints if its.node_name}

    def is_endpoint(self, address: str) -> bool:
        """True for an address that an EndpointSlice lists."""
        return any(its.address == address for slice_ in self.snapshot.slices() for its in slice_.endpoints)

    def _usable_endpoints(self, cause: Cause, port: ServicePort) -> Finding | None:
        """The endpoints that a port has although rules refuse it for lack of endpoints; None if it has none."""
        usable = usable_endpoints(port, self._endpoints(port), self.node_name, "")
        if isinstance(cause, NoReadyEndpoints):
            found = len(usable.cluster or usable.local) if usable.exist_anywhere else 0
            return HasUsableEndpoints(found) if found else None
        found = len(usable.local) if self.node_name else 0
        return HasUsableEndpoints(found, self.node_name) if found else None

    def _missing_endpoints(self, port: ServicePort) -> Finding:
        """Why a port has no endpoint that can be used: what its EndpointSlices list."""
        slices = self._slices(port.service)
        if not slices:
            return HasNoSlice()
        listed = [endpoint for each in slices for endpoint in each.endpoints]
        if not listed:
            return ListsNoPods()
        fitting = [each for each in slices if _has_port(each, port)]
        if fitting:
            counted = entries_by_port(fitting).get(PortKey(port.name, port.protocol), {})
            return _endpoint_states(list(counted.values()) or listed, self.node_name)
        offered = tuple(sorted({_port_name(its.name, its.protocol) for each in slices for its in each.ports}))
        wanted = _port_name(port.name, port.protocol)
        return IsForOtherPorts(len(listed), offered, wanted) if offered else HasNoPort(len(listed), wanted)

    def _endpoints(self, port: ServicePort) -> tuple[Endpoint, ...]:
        by_port = self.snapshot.endpoints(port.service, self.family, self.node_name)
        return by_port.get(PortKey(port.name, port.protocol), ())

    def _port_of(self, title: str) -> ServicePort | None:
        """The ServicePort of `namespace/name:port`."""
        service = self.service(title)
        ports = service_ports(service, self.family) if service is not None else ()
        name = title.partition(":")[2]
        return next((port for port in ports if port.name == name), None)

    def _slices(self, key: ServiceKey) -> list[EndpointSlice]:
        return [each for each in self.snapshot.slices_of(key) if each.family is self.family]

    def _pods(self, key: ServiceKey) -> tuple[str, ...]:
        """Where the pods of a headless Service can be reached, as `ip:port`."""
        return tuple(
            host_port(endpoint.address, port.port)
            for each in self._slices(key)
            for endpoint in each.endpoints
            for port in each.ports
        )


def _holder(endpoint: SliceEndpoint) -> AddressHolder | None:
    """Who has the address of an endpoint; None if its EndpointSlice does not tell."""
    is_told = endpoint.pod or endpoint.node_name
    return AddressHolder(pod=endpoint.pod, node=endpoint.node_name) if is_told else None


def _port_name(name: str, protocol: str) -> str:
    """A port of an EndpointSlice or Service, as `http/TCP`."""
    return f"{name or 'unnamed'}/{protocol}"


def _has_port(slice_: EndpointSlice, port: ServicePort) -> bool:
    return any((its.name, its.protocol) == (port.name, port.protocol) for its in slice_.ports)


def _endpoint_states(endpoints: list[SliceEndpoint], node_name: str) -> Finding:
    """The other nodes that have usable endpoints; if none has, how many endpoints are in which state."""
    if any(endpoint.ready or (endpoint.serving and endpoint.terminating) for endpoint in endpoints):
        return EndpointsElsewhere(
            len(endpoints), tuple(sorted({each.node_name or "" for each in endpoints} - {node_name}))
        )
    states = Counter(_state_of(endpoint) for endpoint in endpoints)
    return EndpointsUnusable(len(endpoints), tuple(sorted(states.items())))


def _state_of(endpoint: SliceEndpoint | Endpoint) -> EndpointState:
    if endpoint.terminating:
        return EndpointState.TERMINATING
    return EndpointState.READY if endpoint.ready else EndpointState.NOT_READY
