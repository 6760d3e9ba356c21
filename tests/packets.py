"""Packets that a cluster's rules may care about, and what becomes of them, with exact shares.

The tracer walks them. What it says is compared between two sets of rules, chain names and the way apart.
"""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from pykubeproxy.model.ip import Family
from pykubeproxy.netfilter import Environment, Packet, Tracer, Verdict, local_address
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import NODE_IPS, ip


class Destination(NamedTuple):
    """What a packet is for."""

    address: str
    protocol: str
    port: int


class Client(NamedTuple):
    """Who sends it; `interface` is empty for the node's own processes."""

    address: str
    interface: str

    @property
    def is_node(self) -> bool:
        """True for the node's own processes."""
        return not self.interface


# What becomes of a packet: verdict, endpoint, whether masqueraded; and for which share of them.
Fate = frozenset[tuple[Verdict, str | None, bool, Fraction]]

CLIENTS = {
    Family.IPV4: (Client("10.0.0.1", "veth1"), Client(NODE_IPS[Family.IPV4], ""), Client("203.0.113.9", "eth0")),
    Family.IPV6: (
        Client("fd00:10::a0:1", "veth1"),
        Client(NODE_IPS[Family.IPV6], ""),
        Client("2001:db8:113::9", "eth0"),
    ),
}
UNRELATED = {
    Family.IPV4: (Destination("192.0.2.99", "tcp", 80), Destination(NODE_IPS[Family.IPV4], "tcp", 22)),
    Family.IPV6: (Destination("2001:db8:2::99", "tcp", 80), Destination(NODE_IPS[Family.IPV6], "tcp", 22)),
}
ENVIRONMENT = Environment(
    addresses=(
        local_address("192.168.0.2/24", "eth0"),
        local_address("2001:db8::1/64", "eth0"),
        local_address("127.0.0.1/8", "lo"),
        local_address("::1/128", "lo"),
    )
)

_TO_SERVICE = re.compile(r"-A \S+ (?:-d ([0-9a-f.:]+)/(?:32|128) )?.*-p (tcp|udp|sctp) .*--dport (\d+) ")


def destinations(ruleset: Ruleset, family: Family) -> set[Destination]:
    """Every address and port that rules name; for those of node ports, the node's address."""
    found = set()
    for table in ruleset.tables.values():
        for lines in table.chains.values():
            for line in lines:
                if named := _TO_SERVICE.match(line):
                    address, protocol, port = named.groups()
                    found.add(Destination(address or NODE_IPS[family], protocol, int(port)))
    return found


def neighbours(of: Destination) -> Iterator[Destination]:
    """Destinations that differ in one thing; no rule may take one for the other."""
    number = ip_address(of.address)
    kind = IPv4Address if number.version == 4 else IPv6Address
    for step in (-1, 1, 16, -4096):
        yield of._replace(address=str(kind(int(number) + step)))
        yield of._replace(port=(of.port + step) % 65536)
    yield of._replace(protocol="udp" if of.protocol == "tcp" else "tcp")


class Walk:
    """Packets through one Ruleset, which must not change meanwhile."""

    def __init__(self, ruleset: Ruleset, environment: Environment = ENVIRONMENT) -> None:
        self._tracer = Tracer(ruleset, environment)

    def fate(self, destination: Destination, client: Client) -> Fate:
        """What becomes of a packet."""
        found = self._tracer.trace(packet(destination, client))
        assert sum(outcome.probability for outcome in found.outcomes) == 1
        assert not any(outcome.verdict is Verdict.UNDECIDED for outcome in found.outcomes)
        shares: dict[tuple[Verdict, str | None, bool], Fraction] = {}
        for outcome in found.outcomes:
            key = (outcome.verdict, outcome.dnat, outcome.masquerade)
            shares[key] = shares.get(key, Fraction()) + outcome.probability
        return frozenset((*key, share) for key, share in shares.items())

    def fates(self, of: Iterable[Destination], clients: Iterable[Client]) -> dict[tuple[Destination, Client], Fate]:
        """The same for all of several."""
        clients = tuple(clients)
        return {(each, client): self.fate(each, client) for each in of for client in clients}


@cache
def packet(destination: Destination, client: Client) -> Packet:
    """The packet for the tracer. A process that connects to localhost does so from there."""
    to = ip(destination.address)
    return Packet(
        source=to if to.is_loopback else ip(client.address),
        destination=to,
        protocol=destination.protocol,
        source_port=40000,
        destination_port=destination.port,
        from_node=client.is_node,
        in_interface=client.interface or None,
    )
