"""All tables of nftables, and the hooks at which their chains see packets.

Source: `linux/netfilter/nf_tables.h` (NFT_MSG_GETTABLE, NFT_MSG_DELTABLE, NFT_MSG_GETCHAIN).
"""

import errno
from collections.abc import Collection, Iterator

import msgspec

from pykubeproxy.host.netlink import NETFILTER, Netlink, NetlinkError, parse_attributes
from pykubeproxy.host.nfnetlink import attributes_of, big_endian, nfgenmsg, text_attribute, text_of
from pykubeproxy.model.nft_table import NftTable

_SUBSYSTEM = 10
_GET_TABLE, _DELETE_TABLE, _GET_CHAIN = 0x0A01, 0x0A02, 0x0A04

# Attributes of tables.
_NAME, _FLAGS = 1, 2
# A table that was made dormant has no hooks.
_DORMANT = 0x1

# Attributes of chains, and of their hooks. The use of a base chain is the number of its rules.
_TABLE, _HOOK, _POLICY, _USE = 1, 4, 5, 6
_NUMBER = 1
_ACCEPT = 1

# Address families (`linux/socket.h`, `linux/netfilter.h`) as nft calls them. That of ARP is none of ours.
_FAMILIES = {"inet": 1, "ip": 2, "netdev": 5, "bridge": 7, "ip6": 10}
_NAMES = {number: name for name, number in _FAMILIES.items()}

_INET_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
_NETDEV_HOOKS = ("ingress", "egress")

# What the kernel says where it has no nftables: no protocol for it, or no such part of the protocol.
_UNSUPPORTED = (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EINVAL, errno.EOPNOTSUPP)


class TableDeletion(msgspec.Struct, frozen=True):
    """A table was deleted through the netlink port `port`."""

    port: int


def has_nftables() -> bool:
    """False only if the kernel has no nftables; True also if that cannot be found out."""
    try:
        _tables()
    except NetlinkError as error:
        return error.number not in _UNSUPPORTED
    return True


def may_ask() -> bool:
    """False if this process has no right to ask about nftables; True also where the kernel has none."""
    try:
        _tables()
    except NetlinkError as error:
        return error.number not in (errno.EPERM, errno.EACCES)
    return True


def existing_tables(wanted: frozenset[NftTable]) -> tuple[NftTable, ...]:
    """Those of the `wanted` tables (given without hooks) that exist; none without nftables, or permission to ask."""
    try:
        return tuple(sorted(wanted.intersection(_tables())))
    except NetlinkError:
        return ()


def hooked_tables(families: Collection[str], without: frozenset[NftTable]) -> tuple[NftTable, ...]:
    """The tables that may do something to packets, but for those in `without`, which are given without hooks.

    `families` are those of nftables to look at. Chains that hold no rule and accept everything do nothing. None are
    found without nftables, or permission to ask.
    """
    try:
        # A family's chains are only asked for if it has a table of interest: iptables-nft may have made 100,000.
        active = {table for table, is_dormant in _tables().items() if not is_dormant and table.family in families}
        candidates = active - without
        found: dict[NftTable, set[str]] = {}
        for family in {table.family for table in candidates}:
            for table, hook in _active_hooks(family):
                if table in candidates:
                    found.setdefault(table, set()).add(hook)
    except NetlinkError:
        return ()
    return tuple(sorted(NftTable(table.family, table.name, tuple(sorted(its))) for table, its in found.items()))


def delete_table(table: NftTable) -> TableDeletion | None:
    """Delete a table with all that is in it, at once; None if there is none. Raises NetlinkError."""
    body = nfgenmsg(_FAMILIES[table.family]) + text_attribute(_NAME, table.name)
    with Netlink(NETFILTER) as netlink:
        try:
            netlink.commit(f"delete {table.title}", _SUBSYSTEM, _DELETE_TABLE, body)
        except NetlinkError as error:
            if error.number == errno.ENOENT:
                return None
            raise
        return TableDeletion(netlink.port)


def _tables() -> dict[NftTable, bool]:
    """All tables; True for those that are dormant. Raises NetlinkError."""
    with Netlink(NETFILTER) as netlink:
        messages = netlink.dump_all("list the tables of nftables", _GET_TABLE, nfgenmsg())
    found = {}
    for message in messages:
        family = _NAMES.get(message.body[0])
        if family is not None:
            its = attributes_of(message.body)
            found[NftTable(family, text_of(its.get(_NAME)))] = bool(big_endian(its.get(_FLAGS)) & _DORMANT)
    return found


def _active_hooks(family: str) -> Iterator[tuple[NftTable, str]]:
    """The table and hook of each base chain of a family that may do something to packets. Raises NetlinkError."""
    with Netlink(NETFILTER) as netlink:
        messages = netlink.dump_all("list the chains of nftables", _GET_CHAIN, nfgenmsg(_FAMILIES[family]))
    hooks = _NETDEV_HOOKS if family == "netdev" else _INET_HOOKS
    for message in messages:
        its = attributes_of(message.body)
        if _HOOK in its and (big_endian(its.get(_USE)) or big_endian(its.get(_POLICY), _ACCEPT) != _ACCEPT):
            number = big_endian(parse_attributes(its[_HOOK]).get(_NUMBER))
            hook = hooks[number] if number < len(hooks) else f"number {number}"
            yield NftTable(family, text_of(its.get(_TABLE))), hook
