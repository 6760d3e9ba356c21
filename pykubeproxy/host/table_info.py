"""Sizes of the legacy iptables tables: numbers that change with their rules, and that take no time to read.

Source: `linux/netfilter_ipv4/ip_tables.h` and its IPv6 sibling (IPT_SO_GET_INFO). Reading all rules of a large table
takes long; this takes microseconds whatever its size.
"""

import ctypes
import os
import socket
import struct
from pathlib import Path

import msgspec

from pykubeproxy.host.errors import HostError, NotPermitted
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import LEGACY_OF_FAMILY, NftTable

_LEVEL = {Family.IPV4: socket.IPPROTO_IP, Family.IPV6: socket.IPPROTO_IPV6}
_LOADED = {Family.IPV4: "ip_tables_names", Family.IPV6: "ip6_tables_names"}

# The tables of the calling thread's network namespace, which need not be that of the process.
_PROC_NET = Path("/proc/thread-self/net")

_GET_INFO = 64

# struct ipt_getinfo: name, which hooks the table has, where each hook's chain and its policy are, rules, bytes.
_INFO = struct.Struct("@32sI5I5III")
_HOOKS = 5

_HOOKS_OF = {
    "filter": ("forward", "input", "output"),
    "nat": ("input", "output", "postrouting", "prerouting"),
    "mangle": ("forward", "input", "output", "postrouting", "prerouting"),
    "raw": ("output", "prerouting"),
    "security": ("forward", "input", "output"),
}


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A table's number of `entries` (rules, and one or two per chain), its `size` in bytes, and its chains' places.

    `hooks` and `policies` are the offsets, in bytes, of each built-in chain's beginning and end. Two equal values do
    not prove that the rules are the same: one may have been replaced by another of the same size.
    """

    table: str
    entries: int
    size: int
    hooks: tuple[int, ...]
    policies: tuple[int, ...]


class TableInfoError(HostError):
    """The size of a table cannot be read."""


def table_info(family: Family, table: str) -> TableInfo | None:
    """The size of a legacy table; None if it is not loaded. This does not load it.

    Raises NotPermitted, TableInfoError.
    """
    if table not in loaded_tables(family):
        return None
    buffer = ctypes.create_string_buffer(table.encode(), _INFO.size)
    length = ctypes.c_uint32(_INFO.size)
    with _socket(family, table) as asked:
        # Python's getsockopt cannot hand over the table's name.
        failed = _libc.getsockopt(asked.fileno(), _LEVEL[family], _GET_INFO, buffer, ctypes.byref(length))
        number = ctypes.get_errno()
    if failed:
        raise _error(family, table, number)
    _, _, *offsets, entries, size = _INFO.unpack(buffer.raw)
    return TableInfo(
        table=table, entries=entries, size=size, hooks=tuple(offsets[:_HOOKS]), policies=tuple(offsets[_HOOKS:])
    )


def loaded_tables(family: Family) -> tuple[str, ...]:
    """The legacy tables that exist. Any other would be made by asking for it, and then burden every packet."""
    try:
        return tuple((_PROC_NET / _LOADED[family]).read_text().split())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _error(family, "names", error.errno or 0) from error


def tables_with_rules(family: Family) -> tuple[NftTable, ...]:
    """The legacy tables that hold more than empty chains, with their hooks; none without permission to ask."""
    try:
        found = [info for table in loaded_tables(family) if (info := table_info(family, table)) is not None]
    except HostError:
        return ()
    # An empty table has an entry for the policy of each chain, and one that marks its end.
    return tuple(
        NftTable(LEGACY_OF_FAMILY[family], info.table, _HOOKS_OF[info.table])
        for info in found
        if info.table in _HOOKS_OF and info.entries > len(_HOOKS_OF[info.table]) + 1
    )


def _socket(family: Family, table: str) -> socket.socket:
    try:
        return socket.socket(family.address_family, socket.SOCK_DGRAM)
    except OSError as error:
        raise _error(family, table, error.errno or 0) from None


def _error(family: Family, table: str, number: int) -> HostError:
    what = f"cannot ask about the legacy {family} table {table}: {os.strerror(number)}"
    if isinstance(OSError(number, what), PermissionError):
        return NotPermitted(what, "run as root, or with CAP_NET_ADMIN")
    return TableInfoError(what)


_libc = ctypes.CDLL(None, use_errno=True)
