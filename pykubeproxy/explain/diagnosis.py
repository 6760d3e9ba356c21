"""Why a Service refuses, or was never there: what its objects say beyond what rules can tell.

A rule knows that there is no endpoint for it. Only EndpointSlices tell whether there never was one, or whether all are
terminating, not ready, on other nodes, or listed for a port of another name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import msgspec

from pykubeproxy.model.endpoint import (
    Endpoint,
    EndpointSlice,
    PortKey,
    SliceEndpoint,
    entries_by_port,
    host_port,
)
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey, ServicePort, service_ports, why_unserved
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.model.topology import usable_endpoints

_TITLE = re.compile(r" (?:for|of) ([a-z0-9][-a-z0-9]*)/([a-z0-9][-a-z0-9]*)(?::([a-z0-9][-a-z0-9]*))?$")
_SHOWN = 3


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of a cluster, as far as they are known, and the node from which they are seen."""

    snapshot: Snapshot
    family: Family
    node_name: str = ""

    def elaborate(self, reason: str) -> str:
        """A reason for a refusal (`reasons.refusal`), with what objects add to it; as it is where they add nothing."""
        found = _TITLE.search(reason)
        if found is None:
            return reason
        key = ServiceKey(found[1], found[2])
        port = self._port(key, found[3] or "")
        if port is None:
            return f"{reason}, which is not among the objects given: stale rules?"
        if reason.startswith("source "):
            more = ", ".join(cidr.text for cidr in port.source_ranges)
        else:
            more = self._contradiction(reason, port) or self._census(port)
        return f"{reason}: {more}" if more else reason

    def why_stale(self, title: str, endpoint: str) -> str:
        """What speaks against a way to `endpoint` (`ip:port`) of a ServicePort; empty if nothing does."""
        port = self._port_of(title)
        if port is None:
            return f"stale rules: {title} is not among the objects given"
        listed = [each for each in self._endpoints(port) if each.text == endpoint]
        if not listed:
            return f"stale rules: no EndpointSlice of {title} lists that endpoint"
        if not any(each.ready or each.serves_while_terminating for each in listed):
            return f"stale rules: that endpoint is {_condition(listed[0])}"
        return ""

    def why_absent(self, name: str) -> str:
        """Why a Service that was asked for by name is not in the rules; empty if the objects do not know it."""
        service = self.service(name)
        if service is None:
            return ""
        why = why_unserved(service, self.family)
        if why is not None:
            return f"{name} has no rules: {why}{self._instead(service)}"
        wanted = name.partition(":")[2]
        ports = service_ports(service, self.family)
        if wanted and not any(port.name == wanted for port in ports):
            return f"{service.key} has no port {wanted}: its ports are {_listed_ports(ports)}"
        return f"{name} is in the cluster, but not in these rules: see what is missing with pykubeproxy diff"

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

    def _contradiction(self, reason: str, port: ServicePort) -> str:
        """What speaks against a refusal for lack of endpoints; empty if nothing does."""
        usable = usable_endpoints(port, self._endpoints(port), self.node_name, "")
        if reason.startswith("no ready endpoints"):
            found = len(usable.cluster or usable.local) if usable.exist_anywhere else 0
            return f"stale rules: its EndpointSlices list {_count(found)} that can be used" if found else ""
        found = len(usable.local) if self.node_name else 0
        return f"stale rules: its EndpointSlices list {_count(found)} on {self.node_name}" if found else ""

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

    def _census(self, port: ServicePort) -> str:
        """What has become of the endpoints of a port."""
        slices = self._slices(port.service)
        if not slices:
            return "it has no EndpointSlice; no pod was ever found for it"
        listed = [endpoint for each in slices for endpoint in each.endpoints]
        if not listed:
            return "its EndpointSlices list no pods: does its selector match any?"
        fitting = [each for each in slices if _serves(each, port)]
        if not fitting:
            offered = sorted({f"{its.name or 'unnamed'}/{its.protocol}" for each in slices for its in each.ports})
            wanted = f"{port.name or 'unnamed'}/{port.protocol}"
            if not offered:
                verb = "has" if len(listed) == 1 else "have"
                return f"its {_count(len(listed))} {verb} no port: does a container name the targetPort of {wanted}?"
            verb = "is" if len(listed) == 1 else "are"
            return f"its {_count(len(listed))} {verb} for port {' and '.join(offered)}, not {wanted}"
        counted = entries_by_port(fitting).get(PortKey(port.name, port.protocol), {})
        return _conditions(list(counted.values()) or listed, self.node_name)

    def _instead(self, service: Service) -> str:
        """Where the pods of a headless Service can be reached."""
        if service.cluster_ip != "None":
            return ""
        targets = [
            host_port(endpoint.address, port.port)
            for each in self._slices(service.key)
            for endpoint in each.endpoints
            for port in each.ports
        ]
        return f": ask for {_listed(targets)}" if targets else ", and it has none"


def unknown(name: str, titles: Iterable[str]) -> str:
    """The end of a sentence about a name that is not among `titles`: which of them may have been meant."""
    known = sorted(set(titles))
    if not known:
        return "; they know no Service at all"
    close = get_close_matches(name, known, n=_SHOWN, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else f"; they know {_listed(known)}"


def _serves(slice_: EndpointSlice, port: ServicePort) -> bool:
    return any((its.name, its.protocol) == (port.name, port.protocol) for its in slice_.ports)


def _conditions(endpoints: list[SliceEndpoint], node_name: str) -> str:
    """`3 endpoints, all terminating`; where they are, if they could serve but for that."""
    total = _count(len(endpoints))
    if any(endpoint.ready or (endpoint.serving and endpoint.terminating) for endpoint in endpoints):
        homes = sorted({endpoint.node_name or "no node" for endpoint in endpoints} - {node_name})
        return f"{total}, on {_listed(homes)}" if homes else total
    kinds = Counter(_condition(endpoint) for endpoint in endpoints)
    if len(kinds) == 1:
        every = "all " if len(endpoints) > 1 else ""
        return f"{total}, {every}{next(iter(kinds))}"
    return f"{total}: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}"


def _condition(endpoint: SliceEndpoint | Endpoint) -> str:
    if endpoint.terminating:
        return "terminating"
    return "ready" if endpoint.ready else "not ready"


def _count(number: int) -> str:
    return f"{number} endpoint{'' if number == 1 else 's'}"


def _listed_ports(ports: Iterable[ServicePort]) -> str:
    return ", ".join(f"{port.name or 'unnamed'} ({port.port}/{port.protocol.lower()})" for port in ports)


def _listed(texts: list[str]) -> str:
    return ", ".join(_shortened(texts))


def _shortened(texts: list[str]) -> Iterator[str]:
    yield from texts[:_SHOWN]
    if len(texts) > _SHOWN:
        yield f"{len(texts) - _SHOWN} more"
