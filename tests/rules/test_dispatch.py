"""Tree dispatch does to every packet what linear dispatch does."""

from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

import pytest
from hypothesis import given
from msgspec.structs import replace

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.rules import tree, trie
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.fragment import Door
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import options, port, service, snapshot
from tests.strategies import clusters, rule_options


class Packet(NamedTuple):
    destination: str
    protocol: str
    port: int


def is_between(line: str) -> bool:
    """True for a rule that leads from a door on to a smaller region: it says nothing about a Service."""
    return "--comment" not in line


@cache
def is_within(address: str, network: str) -> bool:
    return ip_address(address) in ip_network(network)


def matches(line: str, packet: Packet) -> bool:
    """Whether destination, protocol and port match; what else a rule asks for is the same in both layouts."""
    words = line.split()
    for flag, word, inverted in zip(words[1:], words[2:], words, strict=False):
        if flag == "-d" and is_within(packet.destination, word) is (inverted == "!"):
            return False
        if flag == "-p" and word != packet.protocol:
            return False
        if flag == "--dport":
            first, _, last = word.partition(":")
            if not int(first) <= packet.port <= int(last or first):
                return False
    return True


def met(ruleset: Ruleset, table: str, chain: str, packet: Packet) -> Iterator[str]:
    """The rules about Services that a packet meets behind a door, in order, if none of them keeps it."""
    for line in ruleset.tables[table].chains[chain]:
        if matches(line, packet):
            if is_between(line):
                yield from met(ruleset, table, line.split()[-1], packet)
            else:
                yield line.split(" ", 2)[2]


def packets(ruleset: Ruleset) -> set[Packet]:
    """One for everything that a rule of a door speaks about, and some that nobody expects."""
    places, ports = {"192.0.2.99", "10.96.0.0"}, {80, 30000, 65535}
    for door in Door:
        for line in ruleset.tables[door.table].chains[door.chain]:
            words = line.split()
            places.update(words[i + 1].split("/")[0] for i, word in enumerate(words) if word == "-d")
            ports.update(int(words[i + 1]) for i, word in enumerate(words) if word == "--dport")
    family = {":" in place for place in places if place not in ("192.0.2.99", "10.96.0.0")}
    if True in family:
        places = {place for place in places if ":" in place} | {"2001:db8::99"}
    return {Packet(place, protocol.lower(), number) for place in places for protocol in Protocol for number in ports}


def check_equal(cluster: Snapshot, its: RuleOptions, every: int = 1) -> None:
    """Compare for `every` so many packets."""
    linear = compile_ruleset(cluster, replace(its, dispatch=Dispatch.LINEAR))
    branched = compile_ruleset(cluster, replace(its, dispatch=Dispatch.TREE))
    for packet in sorted(packets(linear))[::every]:
        for door in Door:
            expected = list(met(linear, door.table, door.chain, packet))
            assert list(met(branched, door.table, door.chain, packet)) == expected


@given(clusters, rule_options())
def test_every_packet_meets_the_same_rules(objects: list[Object], its: RuleOptions) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie, "LEAF_SIZE", 2)
        patch.setattr(tree, "_INLINE", 0)
        check_equal(snapshot(*objects), its)


@pytest.mark.parametrize("family", Family)
def test_a_large_cluster(family: Family) -> None:
    objects: list[Object] = []
    for number in range(150):
        low, high = number % 100 + 1, number // 100
        address = f"10.96.{high}.{low}" if family is Family.IPV4 else f"fd00:96::{high:x}:{low:x}"
        objects.append(service(f"ns/s{number}", address, ports=(port(node_port=30000 + number),)))
    check_equal(snapshot(*objects), options(family), every=997)
    branched = compile_ruleset(snapshot(*objects), options(family, dispatch=Dispatch.TREE))
    doors = [branched.tables[door.table].chains[door.chain] for door in Door]
    assert max(map(len, doors)) <= 17
    longest = max(
        len(name) for table in branched.tables.values() for name in table.chains
    )
    assert longest <= 28
