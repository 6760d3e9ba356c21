"""The packet that `trace` follows, from the options --from and --to."""

import re
from collections.abc import Iterable

import click
import msgspec

from pykubeproxy.cli.errors import print_stderr
from pykubeproxy.cli.trace_lookups import learn_pod, learn_service
from pykubeproxy.cli.trace_rules import Rules, own_address
from pykubeproxy.explain.client_notes import address_notes, client_note_text, client_notes
from pykubeproxy.explain.finding_words import absence_text
from pykubeproxy.explain.service_causes import NotInSourceRanges
from pykubeproxy.explain.service_lookup import (
    NamedService,
    UnknownService,
    find_service,
    named_services,
    services_at,
    suggestion,
)
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.rtnetlink import device_names
from pykubeproxy.model.ip import IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.pod import Pod
from pykubeproxy.netfilter import Environment, Packet
from pykubeproxy.netfilter.causes import Cause
from pykubeproxy.netfilter.routing import AddressTypes
from pykubeproxy.rules.reading import networks_of, title_in

NODE = "node"
_POD = "pod/"
PROTOCOLS = ("tcp", "udp", "sctp")
_BROADCAST = "255.255.255.255"

_ADDRESS_PORT = re.compile(r"(?:\[([^\]]+)\]|([^\[\]:]+)):(\d+)(?:/(\w+))?")

_PORT = r"(?::(?P<port>[-\w]+))?(?:/(?P<protocol>\w+))?"
_SERVICE = re.compile(rf"(?:svc/)?(?P<namespace>[-a-z0-9]+)/(?P<name>[-a-z0-9]+){_PORT}")
_DNS_NAME = re.compile(rf"(?P<name>[-a-z0-9]+)\.(?P<namespace>[-a-z0-9]+)\.svc(?:\.[-.a-z0-9]+)?{_PORT}")

# Networks reserved for documentation (RFC 5737, RFC 3849): they stand for a node's address that is not known.
_DOCUMENTATION = {
    Family.IPV4: [f"{network}.{host}" for network in ("192.0.2", "198.51.100", "203.0.113") for host in range(1, 255)],
    Family.IPV6: [f"2001:db8:{network:x}::1" for network in range(256)],
}


class NoSuchService(HostError):
    """A Service that is not in the rules; the message says why, or suggests another name."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where a packet is sent; `service` is the ServicePort (`namespace/name:port`) if --to names one."""

    address: IP
    port: int
    protocol: str
    service: str = ""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Where a packet comes from: from the node itself if `is_node`. `is_known` is False if its address is not known.

    An address reserved for documentation stands for one that is not known.
    """

    address: IP
    is_node: bool = False
    is_known: bool = True


class TraceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The ends of the connection as the command line names them, and the IP family that it allows, if only one."""

    client: str
    target: str
    family: Family | None

    @property
    def known_family(self) -> Family | None:
        """The IP family, from --family or from an address; None if both ends are names."""
        if self.family is not None:
            return self.family
        for text in (self.client, self.target):
            found = _ADDRESS_PORT.fullmatch(text)
            ip = parse_ip((found[1] or found[2]) if found else text)
            if ip is not None:
                return ip.family
        return None


def find_destination(query: TraceQuery, rules: Rules) -> Destination:
    """`IP:port[/protocol]`, `[IPv6]:port[/protocol]`, or a Service. Raises click.UsageError, HostError."""
    text, protocol = _service_name(query.target)
    is_service = title_in(text) == text
    found = None if is_service else _ADDRESS_PORT.fullmatch(text)
    if found:
        return _read_address(text, found)
    if protocol and protocol not in PROTOCOLS:
        raise click.UsageError(f"--to {query.target}: {protocol!r} is not one of {', '.join(PROTOCOLS)}")
    families = (query.known_family,) if query.known_family else tuple(rules.rulesets) or (Family.IPV4,)
    if not is_service:
        hints = (suggestion(rules.of(family), text, _names_in(rules, family)) for family in families)
        raise click.UsageError(
            f"--to {text}: neither IP:port, such as 10.96.0.10:53/udp or [fd00::a]:53, "
            f"nor a Service as namespace/name:port{next(filter(None, hints), '')}"
        )
    problems = []
    for family in families:
        try:
            return _as_destination(find_service(rules.of(family), text, _names_in(rules, family), protocol))
        except UnknownService as problem:
            problems.append(_why_unknown(text, rules, family) or str(problem))
    raise NoSuchService(f"{problems[0]}{_elsewhere(text, rules, families)}")


def _service_name(text: str) -> tuple[str, str]:
    """A Service as `namespace/name[:port]`, and the protocol that is asked for, if any; any other text as it is.

    Services are also written as `svc/namespace/name:port`, and as in DNS: `name.namespace.svc.cluster.local:port`.
    """
    found = _SERVICE.fullmatch(text) or _DNS_NAME.fullmatch(text)
    if found is None:
        return text, ""
    port = f":{found['port']}" if found["port"] else ""
    return f"{found['namespace']}/{found['name']}{port}", (found["protocol"] or "").lower()


def _names_in(rules: Rules, family: Family) -> list[str]:
    """The Services that the objects know, if there are objects."""
    known = rules.cluster(family)
    return known.service_names() if known is not None else []


def _as_destination(service: NamedService) -> Destination:
    address = parse_ip(service.address)
    assert address is not None
    return Destination(address=address, port=service.port, protocol=service.protocol, service=service.title)


def _why_unknown(name: str, rules: Rules, family: Family) -> str:
    """What the objects say of a Service that is not in the rules; empty if it is, or nothing is known of it."""
    cluster = rules.cluster(family)
    service = name.partition(":")[0]
    if cluster is None or any(each.title.partition(":")[0] == service for each in named_services(rules.of(family))):
        return ""
    if cluster.service(name) is None:
        learn_service(rules, name)
    absence = cluster.why_absent(name)
    return "" if absence is None else absence_text(absence)


def _elsewhere(name: str, rules: Rules, tried: tuple[Family, ...]) -> str:
    """The end of a sentence about a Service that is not in the rules `tried`, but in those of the other family."""
    for family in rules.rulesets.keys() - set(tried):
        if any(name in (each.title, each.title.partition(":")[0]) for each in named_services(rules.of(family))):
            return f"; it has {family} rules: ask with an {family} client"
    return ""


def _unusable(ip: IP) -> str:
    """The kind of an address from which no machine sends (`a multicast address`); empty for any other address."""
    if ip.is_unspecified:
        return "the unspecified address"
    if ip.is_multicast:
        return "a multicast address"
    return "the broadcast address" if ip.text == _BROADCAST else ""


def read_client(text: str, destination: Destination, rules: Rules) -> Client:
    """The client's address, and whether it is the node itself. Raises click.UsageError."""
    if text == NODE:
        known = own_address(rules, destination.address)
        if known is None:
            return Client(address=_unused_address(rules, destination.address), is_node=True, is_known=False)
        return Client(address=known, is_node=True)
    if text.startswith(_POD):
        pod = _find_pod(text, destination.address.family, rules)
        if pod.is_on_host_network and pod.node_name == rules.node_name:
            return read_client(NODE, destination, rules)
        family = destination.address.family
        ip = next((each for each in pod.ips if each.family is family), None)
        if ip is None:
            raise click.UsageError(f"--from {text}: this pod has no {family} address now; has it started, or ended?")
        return Client(address=ip)
    ip = parse_ip(text)
    if ip is None:
        raise click.UsageError(f"--from {text}: neither an IP address, nor pod/NAMESPACE/NAME, nor the word node")
    if ip.family is not destination.address.family:
        raise click.UsageError(
            f"--from {text} is {ip.family}, but --to {destination.address.text} is {destination.address.family}: "
            "both ends of a packet are of one family"
        )
    if kind := _unusable(ip):
        raise click.UsageError(
            f"--from {text}: nobody sends from {kind}; give the client's own, or the word node for this node itself"
        )
    return Client(address=ip)


def _find_pod(text: str, family: Family, rules: Rules) -> Pod:
    """The pod of `pod/namespace/name`, by the objects, or by the API server. Raises click.UsageError."""
    cluster = rules.cluster(family)
    if cluster is None:
        raise click.UsageError(f"--from {text}: rules name no pods; add --source api or -f, or give its IP address")
    name = text.removeprefix(_POD)
    why = learn_pod(rules, name) if cluster.pod(name) is None else ""
    pod = cluster.pod(name)
    if pod is None:
        hint = did_you_mean(name, cluster.pod_names()) or "; give its IP address"
        raise click.UsageError(
            f"--from {text}: no {family} endpoint is a pod of this name{why and f', and {why}'}{hint}"
        )
    return pod


def _unused_address(rules: Rules, destination: IP) -> IP:
    """An address for documentation that is not the destination, and that no rule matches, if there is one."""
    family = destination.family
    tables = rules.of(family).tables.values()
    lines = (line for table in tables for chain in table.chains.values() for line in chain)
    texts = {text for line in lines for text in networks_of(line)}
    networks = [cidr for cidr in map(parse_cidr, texts) if cidr is not None and cidr.prefix]
    candidates = [ip for ip in map(parse_ip, _DOCUMENTATION[family]) if ip is not None]
    free = (ip for ip in candidates if ip != destination and not any(each.contains(ip) for each in networks))
    return next(free, candidates[0])


def require_known_node(packet: Packet, client: Client, causes: Iterable[Cause]) -> None:
    """Raise click.UsageError if what becomes of a packet depends on an address of the node that is not known."""
    depends = any(isinstance(each, NotInSourceRanges) and each.source == packet.source.text for each in causes)
    if not client.is_known and depends:
        raise click.UsageError(
            "--from node: what becomes of it depends on the node's address, which these rules do not tell: "
            "give it with --host-address"
        )


def check_endpoint(text: str | None) -> None:
    """Raise click.UsageError for what is no `IP:port`."""
    found = _ADDRESS_PORT.fullmatch(text) if text is not None else None
    is_endpoint = found and parse_ip(found[1] or found[2]) and 1 <= int(found[3]) <= 65535 and not found[4]
    if text is not None and not is_endpoint:
        raise click.UsageError(f"--seen-at {text}: an endpoint is expected, such as 10.244.0.11:8080")


def require_remembering(seen_at: str, affinity: Iterable[str]) -> None:
    """Raise click.UsageError if no rule asks whether a client was sent to `seen_at` before, but only to others."""
    endpoints = tuple(affinity)
    if seen_at not in endpoints:
        known = f"only those of {', '.join(endpoints)}" if endpoints else "no clients: there is no session affinity"
        raise click.UsageError(f"--seen-at {seen_at}: the rules on this way remember {known}")


def make_packet(client: Client, destination: Destination, in_interface: str | None) -> Packet:
    """The first packet of a connection. Raises click.UsageError."""
    if client.is_node and in_interface:
        raise click.UsageError("--in-interface: what the node sends itself arrives by no interface; leave it out")
    return Packet(
        source=client.address,
        destination=destination.address,
        protocol=destination.protocol,
        destination_port=destination.port,
        from_node=client.is_node,
        in_interface=in_interface,
    )


def note_ends(rules: Rules, packet: Packet, around: Environment) -> None:
    """Print what is odd about where the packet is said to come from, and where it is sent."""
    ruleset = rules.of(packet.family)
    notes = client_notes(
        packet,
        rules.addresses or (),
        rules.cluster(packet.family),
        device_names().values() if rules.is_this_node else None,
        is_for_service=bool(services_at(ruleset, packet.destination.text)),
    )
    service = next((each.title.partition(":")[0] for each in services_at(ruleset, packet.source.text)), "")
    for note in (*notes, *address_notes(packet, AddressTypes(packet.family, around), service)):
        print_stderr(f"note: {client_note_text(note)}")


def _read_address(text: str, found: "re.Match[str]") -> Destination:
    address = parse_ip(found[1] or found[2])
    protocol = (found[4] or "tcp").lower()
    if address is None:
        raise click.UsageError(
            f"--to {text}: {found[1] or found[2]!r} is not an IP address, nor a Service as namespace/name:port"
        )
    if address.is_unspecified:
        raise click.UsageError(
            f"--to {text}: nobody has the unspecified address; give one of the node's own to reach the node itself"
        )
    if protocol not in PROTOCOLS:
        raise click.UsageError(f"--to {text}: {found[4]!r} is not one of {', '.join(PROTOCOLS)}")
    if not 1 <= int(found[3]) <= 65535:
        raise click.UsageError(f"--to {text}: port {found[3]} is not within 1 to 65535")
    return Destination(address=address, port=int(found[3]), protocol=protocol)
