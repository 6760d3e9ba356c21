"""Destinations as numbers, and the regions of them that tree dispatch makes chains for, as matches and names.

A key consists of nibbles: those of the destination address, where entries have one, then one for the protocol, then
those of the port. A region is the first few nibbles of a key: a network, an address with a protocol, or a range of
ports.
"""

from ipaddress import IPv4Address, IPv6Address

from pykubeproxy.model.ip import Family, number_of
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import text
from pykubeproxy.rules.fragment import Entry

_NIBBLE = 4
_PORT_NIBBLES = 4
_PROTOCOLS = tuple(Protocol)


class KeySpace:
    """The keys of entries that all have an address of one family, or (family None) have none."""

    def __init__(self, family: Family | None) -> None:
        self._family = family
        self._address_nibbles = family.bits // _NIBBLE if family is not None else 0
        self.nibbles = self._address_nibbles + 1 + _PORT_NIBBLES

    def key(self, entry: Entry) -> int:
        """The key of an entry."""
        address = number_of(entry.address) if self._family is not None else 0
        return (address << _NIBBLE | _PROTOCOLS.index(entry.protocol)) << _NIBBLE * _PORT_NIBBLES | entry.port

    def match(self, prefix: int, depth: int) -> str:
        """The match of all packets to a region."""
        beyond = depth - self._address_nibbles
        if beyond <= 0:
            return f"-d {text.network(self._network(prefix, depth))}"
        address, protocol, ports = self._split(prefix, beyond)
        destination = f"-d {text.host(address)} -p {protocol}" if address else f"-p {protocol}"
        return f"{destination} -m {protocol} --dport {ports}" if ports else destination

    def title(self, prefix: int, depth: int) -> str:
        """A region's name, as people would write it."""
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
        """Address, protocol and ports of a region smaller than an address; empty text for what it leaves open."""
        port_nibbles = beyond - 1
        port_prefix = prefix & ((1 << _NIBBLE * port_nibbles) - 1)
        protocol = _PROTOCOLS[prefix >> _NIBBLE * port_nibbles & 0xF].lower()
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
