"""Destinations as numbers, and the subtrees of them that tree dispatch makes chains for, as matches and names.

A key consists of nibbles: those of the destination address, where dispatch rules have one, then one for the protocol,
then those of the port. A subtree holds the keys that begin with the same nibbles: those of a network, of an address
with a protocol, or of a range of ports. A rule for all ports of an address comes after all others of that address.
"""

from ipaddress import IPv4Address, IPv6Address

from pykubeproxy.model.ip import Family, number_of
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import text
from pykubeproxy.rules.fragment import DispatchRule

_NIBBLE = 4
_PORT_NIBBLES = 4
_PROTOCOLS = tuple(Protocol)
_ANY_PROTOCOL, _ANY_PORT = 0xF, 0xFFFF


class KeySpace:
    """The keys of dispatch rules that all have an address of one family, or (family None) have none."""

    def __init__(self, family: Family | None) -> None:
        self._family = family
        self._address_nibbles = family.bits // _NIBBLE if family is not None else 0
        self.nibbles = self._address_nibbles + 1 + _PORT_NIBBLES

    def key(self, rule: DispatchRule) -> int:
        """The key of a dispatch rule."""
        address = number_of(rule.address) if self._family is not None else 0
        protocol, port = (
            (_ANY_PROTOCOL, _ANY_PORT) if rule.protocol is None else (_PROTOCOLS.index(rule.protocol), rule.port)
        )
        return (address << _NIBBLE | protocol) << _NIBBLE * _PORT_NIBBLES | port

    def match(self, prefix: int, depth: int) -> str:
        """The match of all packets to a subtree."""
        beyond = depth - self._address_nibbles
        if beyond <= 0:
            return f"-d {text.network(self._network(prefix, depth))}"
        address, protocol, ports = self._split(prefix, beyond)
        whole = f"-d {text.host(address)}" if address else ""
        if not protocol:
            return whole
        destination = f"{whole} -p {protocol}".lstrip()
        return f"{destination} -m {protocol} --dport {ports}" if ports else destination

    def title(self, prefix: int, depth: int) -> str:
        """A subtree's name, as people would write it."""
        beyond = depth - self._address_nibbles
        if beyond <= 0:
            return self._network(prefix, depth)
        address, protocol, ports = self._split(prefix, beyond)
        return "-".join(part for part in (address, protocol, ports.replace(":", "-")) if part)

    def _network(self, prefix: int, depth: int) -> str:
        number = prefix << _NIBBLE * (self._address_nibbles - depth)
        address = IPv4Address(number) if self._family is Family.IPV4 else IPv6Address(number)
        return f"{address}/{depth * _NIBBLE}"

    def _split(self, prefix: int, beyond: int) -> tuple[str, str, str]:
        """Address, protocol and ports of a subtree smaller than an address; empty text for what it leaves open.

        The subtree of the rule for all ports of an address leaves protocol and ports open.
        """
        port_nibbles = beyond - 1
        port_prefix = prefix & ((1 << _NIBBLE * port_nibbles) - 1)
        index = prefix >> _NIBBLE * port_nibbles & 0xF
        protocol = "" if index == _ANY_PROTOCOL else _PROTOCOLS[index].lower()
        number = prefix >> _NIBBLE * beyond
        address = ""
        if self._family is not None:
            address = str(IPv4Address(number) if self._family is Family.IPV4 else IPv6Address(number))
        if not port_nibbles:
            return address, protocol, ""
        open_bits = _NIBBLE * (_PORT_NIBBLES - port_nibbles)
        first = port_prefix << open_bits
        last = first | (1 << open_bits) - 1
        return address, protocol, f"{first}:{last}" if open_bits else str(first)
