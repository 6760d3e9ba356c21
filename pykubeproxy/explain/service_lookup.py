"""Services by name and by address, found in rules alone: no object is needed.

Comments say `namespace/name:port cluster IP`, or that it `has no endpoints` (`docs/reference/iptables-rules.md` section
7).
"""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from pykubeproxy.explain.finding_words import known_names_text
from pykubeproxy.model.ip import CIDR, network_of, parse_ip
from pykubeproxy.rules import names, text
from pykubeproxy.rules.reading import endpoint_of, read
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.rules.text import RuleKind

_OF_CLUSTER_IP = (RuleKind.CLUSTER_IP, RuleKind.NO_ENDPOINTS, RuleKind.NO_LOCAL_ENDPOINTS)
_SUGGESTED = 3
_API_SERVER = "default/kubernetes"
_MOST_HOST_BITS = 20


class NamedService(msgspec.Struct, frozen=True, kw_only=True):
    """One port of a Service: `title` is `namespace/name:port`, `address` one of its addresses."""

    title: str
    address: str
    protocol: str
    port: int


class UnknownService(ValueError):
    """A name that is not in the rules, or that fits several ports; the message suggests others."""


def named_services(ruleset: Ruleset) -> Iterator[NamedService]:
    """The ServicePorts whose cluster IP is in the rules, with endpoints or without."""
    seen = set()
    for name in ("nat", "filter"):
        for chain, lines in ruleset.chains(name).items():
            # Rules for external addresses say `has no endpoints` as well.
            for line in lines if chain.startswith((names.SERVICES, names.CLUSTER_POLICY)) else ():
                found = _service_in(line, _OF_CLUSTER_IP) if " -d " in line else None
                if found is not None and found not in seen:
                    seen.add(found)
                    yield found


def find_service(ruleset: Ruleset, name: str, others: Iterable[str] = (), protocol: str = "") -> NamedService:
    """The ServicePort of a name: `namespace/name:port`, or `namespace/name` of a Service with one port.

    The port may be a number. With `protocol`, only ports of that protocol count. Raises UnknownService, whose message
    suggests names from the rules and from `others`.
    """
    known = [service for service in named_services(ruleset) if protocol in ("", service.protocol)]
    exact = [service for service in known if service.title == name]
    ports = exact or [service for service in known if service.title.partition(":")[0] == name]
    service, _, port = name.partition(":")
    ports = ports or [each for each in known if each.title.partition(":")[0] == service and str(each.port) == port]
    if len(ports) == 1:
        return ports[0]
    if ports:
        raise UnknownService(f"{name} has several ports: {_choices(ports)}; name one")
    siblings = [each for each in known if each.title.partition(":")[0] == service]
    if siblings:
        raise UnknownService(f"{service} has no port {name.partition(':')[2]} in these rules, but {_choices(siblings)}")
    raise UnknownService(f"no Service {name} in these rules{known_names_text(name, [*_names(known), *others])}")


def suggestion(ruleset: Ruleset, name: str, others: Iterable[str] = ()) -> str:
    """The end of a sentence about a name that is not `namespace/name`: the Services of that name; empty without one."""
    wanted = name.lower()
    found = {title for title in (*_names(named_services(ruleset)), *others) if wanted in (title, _name_in(title))}
    return f"; did you mean {' or '.join(sorted(found)[:_SUGGESTED])}?" if found else ""


def _names(services: Iterable[NamedService]) -> Iterator[str]:
    """The names of Services, as `namespace/name:port` and as `namespace/name`."""
    for each in services:
        yield each.title
        yield each.title.partition(":")[0]


def _name_in(title: str) -> str:
    """The name in `namespace/name:port`."""
    return title.partition("/")[2].partition(":")[0]


def services_at(ruleset: Ruleset, address: str) -> tuple[NamedService, ...]:
    """The ServicePorts that have an address as cluster IP, external IP or load-balancer IP."""
    found: dict[NamedService, None] = {}
    match = f" -d {text.address(address)}/"
    for table in ruleset.tables.values():
        for chain, lines in table.chains.items():
            for line in lines if chain.startswith("KUBE-") else ():
                if match in line:
                    service = _service_in(line, tuple(RuleKind))
                    if service is not None:
                        found[service] = None
    return tuple(found)


def node_ports(ruleset: Ruleset) -> tuple[NamedService, ...]:
    """The ServicePorts with a node port, which is their `port`; their `address` is empty."""
    return _at_any_address(ruleset, (RuleKind.NODE_PORT, RuleKind.NO_ENDPOINTS, RuleKind.NO_LOCAL_ENDPOINTS))


def health_check_ports(ruleset: Ruleset) -> tuple[NamedService, ...]:
    """The Services with a health check node port, at which the proxy itself answers; their `address` is empty."""
    return _at_any_address(ruleset, (RuleKind.HEALTH_CHECK,))


def _at_any_address(ruleset: Ruleset, kinds: Collection[RuleKind]) -> tuple[NamedService, ...]:
    found: dict[NamedService, None] = {}
    for table in ruleset.tables.values():
        for chain, lines in table.chains.items():
            for line in lines if chain.startswith("KUBE-") else ():
                if " --dport " in line and " -d " not in line:
                    view = read(line)
                    if view.kind in kinds and view.protocol and view.port:
                        found[NamedService(title=view.title, address="", protocol=view.protocol, port=view.port)] = None
    return tuple(found)


def cluster_ip_network(ruleset: Ruleset) -> CIDR | None:
    """The smallest network that the cluster IPs of these rules prove to be for Services; None if they prove none.

    The API server gives default/kubernetes the first address of its network for Services, which has at most 20 bits
    for hosts. So the network begins right before that address, and reaches as far as the highest cluster IP at least.
    """
    known = {each.address: each.title.partition(":")[0] for each in named_services(ruleset)}
    addresses = {ip: name for text, name in known.items() if (ip := parse_ip(text)) is not None}
    first = next((ip for ip, name in addresses.items() if name == _API_SERVER), None)
    if first is None:
        return None
    base, bits = first.number - 1, first.family.bits
    host_bits = max(base ^ ip.number for ip in addresses).bit_length()
    if host_bits > _MOST_HOST_BITS or base & ((1 << host_bits) - 1):
        return None
    return network_of(first.family, base, bits - host_bits)


def is_endpoint(ruleset: Ruleset, address: str) -> bool:
    """True if rules send traffic for Services to an address."""
    written = text.address(address)
    start = f"{f'[{written}]' if ':' in written else written}:"
    return any(
        endpoint_of(line).startswith(start)
        for chain, lines in ruleset.chains("nat").items()
        if chain.startswith(names.ENDPOINT)
        for line in lines
    )


def is_node_port(ruleset: Ruleset, address: str, protocol: str, port: int) -> bool:
    """True if the port is a Service's node port, and no rule is for `address`.

    Where nothing else is known of a node, `address` is then most likely one of its own.
    """
    has_port = False
    wanted, other = f" --dport {port} ", f" -d {text.address(address)}/"
    for name in ("nat", "filter"):
        for chain, lines in ruleset.chains(name).items():
            if not chain.startswith("KUBE-"):
                continue
            for line in lines:
                if other in line:
                    return False
                if wanted in line and " -d " not in line:
                    view = read(line)
                    has_port |= (view.protocol, view.port) == (protocol, port)
    return has_port


def _choices(ports: list[NamedService]) -> str:
    return ", ".join(f"{each.title} ({each.protocol} {each.port})" for each in ports)


def _service_in(line: str, kinds: Collection[RuleKind]) -> NamedService | None:
    """The ServicePort that a rule for one address and port is for, if the rule is of one of these kinds."""
    view = read(line)
    # The rule that masquerades repeats the cluster IP in the Service's own chain; it names the Service as well.
    if view.kind is None or view.kind not in kinds or not (view.address and view.protocol and view.port):
        return None
    return NamedService(title=view.title, address=view.address, protocol=view.protocol, port=view.port)
