"""The words of a rule, in the order and form in which iptables-save prints them (`iptables-rules.md` section 17)."""

from functools import lru_cache

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules.options import PodTraffic


def comment(text: str) -> str:
    """A comment match. Everything that gets here contains a `/` or a space, and is therefore printed in quotes."""
    return f'-m comment --comment "{text}"'


def host(address: str) -> str:
    """An address with the prefix length that is printed for a single host."""
    return f"{address}/128" if ":" in address else f"{address}/32"


def to_port(address: str, protocol: Protocol, port: int, note: str) -> str:
    """The match of one destination address and port."""
    word = protocol.lower()
    return f"-d {host(address)} -p {word} {comment(note)} -m {word} --dport {port}"


def outside_pods_to_port(traffic: PodTraffic, address: str, protocol: Protocol, port: int, note: str) -> str:
    """The same, for traffic that does not come from this node's pods."""
    if traffic.source:
        return f"! -s {traffic.source} {to_port(address, protocol, port, note)}"
    destination = f"-d {host(address)} "
    rest = to_port(address, protocol, port, note).removeprefix(destination)
    return f"{destination}! -i {traffic.interface} {rest}"


def from_pods(traffic: PodTraffic) -> str:
    """The match of traffic from this node's pods."""
    return f"-s {traffic.source}" if traffic.source else f"-i {traffic.interface}"


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
