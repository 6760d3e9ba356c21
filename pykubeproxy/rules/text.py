"""The words of a rule, in the order and form in which iptables-save prints them.

Source: `docs/reference/iptables-rules.md` section 17.
"""

from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address

from pykubeproxy.model.ip import Family, number_of
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules.options import PodTraffic


class RuleKind(StrEnum):
    """What a rule is for, by the words that its comment has before or behind the name of the ServicePort.

    The comment of a rule for a node port is the name alone; so is that of an endpoint's rules, which have no kind. The
    rule for unused ports belongs to all ServicePorts of an address, and names none.
    """

    CLUSTER_IP = "cluster IP"
    EXTERNAL_IP = "external IP"
    LOAD_BALANCER_IP = "loadbalancer IP"
    NO_ENDPOINTS = "has no endpoints"
    NO_LOCAL_ENDPOINTS = "has no local endpoints"
    NOT_IN_SOURCE_RANGES = "traffic not accepted by"
    NODE_PORT = "node port"
    HEALTH_CHECK = "health check node port"
    TO_ENDPOINT = "->"
    POD_TRAFFIC = "pod traffic for"
    MASQUERADE_LOCAL = "masquerade LOCAL traffic for"
    ROUTE_LOCAL = "route LOCAL traffic for"
    MASQUERADE = "masquerade traffic for"
    OTHER_SOURCES = "other traffic to"
    UNUSED_PORTS = "ports that no Service has at this address"


def comment(text: str) -> str:
    """A comment match. Everything that gets here contains a `/` or a space, and is therefore printed in quotes."""
    return f'-m comment --comment "{text}"'


# `::1:0` and up, to `::ffff:ffff`: what glibc takes for IPv4 addresses in IPv6, unlike `::5`.
_IPV4_COMPATIBLE = range(1 << 16, 1 << 32)


LOCALHOST_COUNTER = "localhost_nps_accepted_pkts"
"""The kernel's counter of packets to node ports on 127.0.0.0/8, by the name that kube-proxy has given it."""

COUNT_LOCALHOST = f"-m nfacct --nfacct-name  {LOCALHOST_COUNTER}"
"""The match that counts in it; it always holds. The tools print two spaces."""


def address(canonical: str) -> str:
    """An address as the tools print it: like Go, but for those that glibc's inet_ntop takes for IPv4-compatible ones.

    Of `::1:5` they make `::0.1.0.5`. IPv4-mapped ones are IPv4 by the time they get here.
    """
    if not canonical.startswith("::"):
        return canonical
    number = number_of(canonical)
    return f"::{IPv4Address(number)}" if number in _IPV4_COMPATIBLE else canonical


def network(canonical: str) -> str:
    """A CIDR as the tools print it."""
    base, slash, prefix = canonical.partition("/")
    return f"{address(base)}{slash}{prefix}"


def host(canonical: str) -> str:
    """An address with the prefix length that is printed for a single host."""
    return f"{address(canonical)}/128" if ":" in canonical else f"{canonical}/32"


def endpoint(canonical: str) -> str:
    """`ip:port` or `[ip]:port` as the tools print it."""
    if not canonical.startswith("["):
        return canonical
    base, _, port = canonical.removeprefix("[").partition("]")
    return f"[{address(base)}]{port}"


def to_port(destination: str, protocol: Protocol, port: int, note: str) -> str:
    """The match of one destination address and port."""
    word = protocol.lower()
    return f"-d {host(destination)} -p {word} {comment(note)} -m {word} --dport {port}"


def any_port(destination: str, family: Family) -> str:
    """The match of one destination address, for all that has ports: an ICMP message, such as a ping, has none."""
    icmp = "icmp" if family is Family.IPV4 else "ipv6-icmp"
    return f"-d {host(destination)} ! -p {icmp} {comment(RuleKind.UNUSED_PORTS)}"


def outside_pods_to_port(traffic: PodTraffic, destination: str, protocol: Protocol, port: int, note: str) -> str:
    """The match of one destination, for traffic that is not from this node's pods; there must be some."""
    match = to_port(destination, protocol, port, note)
    if traffic.source:
        return f"! -s {network(traffic.source)} {match}"
    first = f"-d {host(destination)} "
    return f"{first}! -i {traffic.interface} {match.removeprefix(first)}"


def from_pods(traffic: PodTraffic) -> str:
    """The match of traffic from this node's pods, and a space; nothing where that is all traffic."""
    if traffic.is_everything:
        return ""
    return f"-s {network(traffic.source)} " if traffic.source else f"-i {traffic.interface} "


def reject(family: Family) -> str:
    """The REJECT target with the answer it gives by default."""
    answer = "icmp-port-unreachable" if family is Family.IPV4 else "icmp6-port-unreachable"
    return f"REJECT --reject-with {answer}"


@lru_cache(maxsize=1024)
def probability(chosen: int, choices: int) -> str:
    """The chance of `chosen` in `choices`, as the kernel keeps it: a multiple of 2^-31.

    kube-proxy writes ten decimals, and the tool rounds those to the nearest multiple.
    """
    written = float(f"{chosen / choices:.10f}")
    return f"{int(written * 2**31 + 0.5) / 2**31:.11f}"


def full_mask(family: Family) -> str:
    """The mask under which `-m recent` remembers a client: its whole address."""
    return "255.255.255.255" if family is Family.IPV4 else "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
