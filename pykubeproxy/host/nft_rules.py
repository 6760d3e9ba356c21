"""The chains and rules of an iptables table as nf_tables has them, also those that iptables tools cannot print.

iptables-nft-save prints a table only if it can print every rule in it, and programs put rules there that it cannot
print. The kernel always gives the names of chains, and of each rule its handle, where it leads, how many packets it has
counted, and its bytes. A rule never changes under its handle: it is deleted, and another one gets another handle. So
in one and the same table, which has a handle as well, equal handles mean equal rules.

Source: `linux/netfilter/nf_tables.h` (NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETSET), `libnftnl`.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pykubeproxy.host.netlink import (
    DUMP_ATTEMPTS,
    NETFILTER,
    DumpInterrupted,
    Netlink,
    NetlinkError,
    parse_attributes,
)
from pykubeproxy.host.nfnetlink import attributes_of, big_endian, nfgenmsg, text_attribute, text_of
from pykubeproxy.model.ip import Family

_GET_TABLE, _GET_CHAIN, _GET_RULE, _GET_SET = 0x0A01, 0x0A04, 0x0A07, 0x0A0A

# Attributes of tables, chains, rules and sets.
_TABLE_NAME, _TABLE_HANDLE = 1, 4
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_POLICY = 1, 3, 5
_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE, _RULE_EXPRESSIONS = 1, 2, 3, 4
_SET_TABLE, _SET_DATA_TYPE = 1, 6

# A list of expressions: each has a name and data, which depend on it.
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_IMMEDIATE_DATA, _DATA_VERDICT, _VERDICT_CODE, _VERDICT_CHAIN = 2, 2, 1, 2
_COUNTER_BYTES, _COUNTER_PACKETS = 1, 2

# Verdicts (`linux/netfilter.h`, NFT_JUMP, NFT_GOTO), and the type of a map that leads to them (NFT_DATA_VERDICT).
_VERDICTS = {0: "DROP", 1: "ACCEPT", -3: "JUMP", -4: "GOTO", -5: "RETURN"}
_VERDICT_TYPE = 0xFFFFFF00

# Expressions that iptables 1.8.9 leaves out when it prints a rule, and the comparisons that it prints as equal.
_LEFT_OUT = frozenset({"lookup", "range", "dynset", "objref"})
_COMPARISON, _EXACT_COMPARISONS = 2, (0, 1)


class NftRule(NamedTuple):
    """One rule: `verdict` (ACCEPT, DROP, RETURN, JUMP, GOTO) is "" if it is none of these, or not always the same.

    `target` is the chain that a jump leads to. `packets` and `byte_count` are what it has counted, 0 if it counts none.
    `body` are its bytes, in which a comment can be searched for. `is_misprinted` is True if iptables would
    print it as a rule that means something else, without a word: it leaves out sets, maps and ranges.
    """

    handle: int
    verdict: str
    target: str
    packets: int
    byte_count: int
    body: bytes
    is_misprinted: bool = False


NftChains = dict[str, tuple[NftRule, ...]]


def read_table(family: Family, table: str) -> NftChains:
    """All chains of a table with their rules, in order; empty if there is no such table. Raises NetlinkError."""
    for _ in range(DUMP_ATTEMPTS):
        try:
            with Netlink(NETFILTER) as netlink:
                found: dict[str, list[NftRule]] = {chain: [] for chain in _chains(netlink, family, table)}
                for chain, rule in _rules(netlink, family, table):
                    found.setdefault(chain, []).append(rule)
            return {chain: tuple(rules) for chain, rules in found.items()}
        except DumpInterrupted:
            continue
    return {chain: tuple(rules) for chain, rules in found.items()}


def table_handle(family: Family, table: str) -> int:
    """What the kernel calls a table: another number each time that it is made. Raises NetlinkError."""
    with Netlink(NETFILTER) as netlink:
        answer = netlink.ask(
            "look for a table", _GET_TABLE, nfgenmsg(family.address_family) + text_attribute(_TABLE_NAME, table)
        )
    return big_endian(attributes_of(answer.body).get(_TABLE_HANDLE))


def read_chain(family: Family, table: str, chain: str) -> tuple[NftRule, ...]:
    """The rules of one chain; none if there is no such chain. Raises NetlinkError."""
    with Netlink(NETFILTER) as netlink:
        return tuple(rule for _, rule in _rules(netlink, family, table, chain))


def leads_by_map(family: Family, table: str) -> bool:
    """True if a map of the table may lead to chains, which its rules do not show. Raises NetlinkError."""
    body = nfgenmsg(family.address_family) + text_attribute(_SET_TABLE, table)
    with Netlink(NETFILTER) as netlink:
        sets = netlink.dump_all("list nftables sets", _GET_SET, body)
    kinds = (attributes_of(message.body).get(_SET_DATA_TYPE) for message in sets)
    return any(big_endian(kind) == _VERDICT_TYPE for kind in kinds)


def existing_chains(family: Family, table: str, chains: Iterable[str]) -> frozenset[str]:
    """Those of `chains` that exist; none where there is no such table, no nftables, or no permission to ask.

    The kernel is asked for them by name, which takes no longer where there are many others.
    """
    prefix = nfgenmsg(family.address_family) + text_attribute(_CHAIN_TABLE, table)
    try:
        with Netlink(NETFILTER) as netlink:
            # One by one: without permission, only the first request of several is answered.
            refused = {
                chain: netlink.batch("look for a chain", _GET_CHAIN, [prefix + text_attribute(_CHAIN_NAME, chain)])
                for chain in chains
            }
    except NetlinkError:
        return frozenset()
    return frozenset(chain for chain, refusals in refused.items() if not refusals)


def has_policy_drop(family: Family, table: str, chain: str) -> bool:
    """True if the policy of a built-in chain is DROP; False also without such a chain, or permission to ask."""
    body = nfgenmsg(family.address_family) + text_attribute(_CHAIN_TABLE, table) + text_attribute(_CHAIN_NAME, chain)
    try:
        with Netlink(NETFILTER) as netlink:
            found = attributes_of(netlink.ask("look at a chain", _GET_CHAIN, body).body)
    except NetlinkError:
        return False
    return _CHAIN_POLICY in found and _VERDICTS.get(big_endian(found[_CHAIN_POLICY])) == "DROP"


def _chains(netlink: Netlink, family: Family, table: str) -> Iterator[str]:
    for message in netlink.dump("list nftables chains", _GET_CHAIN, nfgenmsg(family.address_family)):
        found = attributes_of(message.body)
        if text_of(found.get(_CHAIN_TABLE)) == table:
            yield text_of(found.get(_CHAIN_NAME))


def _rules(netlink: Netlink, family: Family, table: str, chain: str = "") -> Iterator[tuple[str, NftRule]]:
    body = nfgenmsg(family.address_family) + text_attribute(_RULE_TABLE, table)
    if chain:
        body += text_attribute(_RULE_CHAIN, chain)
    for message in netlink.dump("list nftables rules", _GET_RULE, body):
        found = attributes_of(message.body)
        if text_of(found.get(_RULE_TABLE)) == table:
            yield text_of(found.get(_RULE_CHAIN)), _rule(found)


def _rule(found: dict[int, bytes]) -> NftRule:
    expressions = found.get(_RULE_EXPRESSIONS, b"")
    verdict = target = ""
    packets = byte_count = 0
    is_misprinted = False
    for name, data in _expressions(expressions):
        if name == "immediate":
            verdict, target = _verdict(data)
        elif name in _LEFT_OUT:
            is_misprinted = True
        elif name == "cmp":
            how = parse_attributes(data).get(_COMPARISON)
            is_misprinted |= big_endian(how) not in _EXACT_COMPARISONS
        elif name == "counter":
            counted = parse_attributes(data)
            packets = big_endian(counted.get(_COUNTER_PACKETS))
            byte_count = big_endian(counted.get(_COUNTER_BYTES))
    handle = big_endian(found.get(_RULE_HANDLE))
    return NftRule(handle, verdict, target, packets, byte_count, expressions, is_misprinted)


def _expressions(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The expressions of a rule in order; a list has the same attribute again and again, one after the other."""
    start = 0
    while start + 4 <= len(data):
        (length,) = struct.unpack_from("=H", data, start)
        if length < 4:
            return
        found = parse_attributes(data[start + 4 : start + length])
        yield text_of(found.get(_EXPRESSION_NAME)), found.get(_EXPRESSION_DATA, b"")
        start += (length + 3) & ~3


def _verdict(immediate: bytes) -> tuple[str, str]:
    """The verdict of an immediate expression, and its chain; empty if it loads other data."""
    data = parse_attributes(parse_attributes(immediate).get(_IMMEDIATE_DATA, b""))
    if _DATA_VERDICT not in data:
        return "", ""
    found = parse_attributes(data[_DATA_VERDICT])
    code = int.from_bytes(found.get(_VERDICT_CODE, b""), "big", signed=True)
    return _VERDICTS.get(code, ""), text_of(found.get(_VERDICT_CHAIN))
