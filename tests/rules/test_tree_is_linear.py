"""Tree dispatch with its groups means the same as the linear layout: every packet has the same fate, share by share."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.rules import trie
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RejectUnused, RuleOptions
from tests.builders import options, port, service, slice_of, slice_port, snapshot
from tests.clusters import serving_clusters, small_parts
from tests.packets import CLIENTS, UNRELATED, Walk, destinations, neighbours
from tests.strategies import clusters, rule_options


def check_same_fates(cluster: Snapshot, its: RuleOptions) -> None:
    linear = compile_ruleset(cluster, replace(its, dispatch=Dispatch.LINEAR))
    branched = compile_ruleset(cluster, replace(its, dispatch=Dispatch.TREE))
    named = destinations(linear, its.family)
    assert named == destinations(branched, its.family)
    near = {each for destination in named for each in neighbours(destination)}
    clients = CLIENTS[its.family]
    asked = {*named, *UNRELATED[its.family]}
    assert Walk(branched).fates(asked, clients) == Walk(linear).fates(asked, clients)
    assert Walk(branched).fates(near, clients[-1:]) == Walk(linear).fates(near, clients[-1:])


@pytest.mark.parametrize("deepest", [2, trie.DEEPEST])
@given(rule_options(st.just(Dispatch.TREE), st.just(RejectUnused.NONE)), st.data())
def test_random_clusters(deepest: int, its: RuleOptions, data: st.DataObject) -> None:
    objects = data.draw(st.one_of(serving_clusters(its.family), clusters))
    with small_parts(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie, "DEEPEST", deepest)
        check_same_fates(snapshot(*objects), its)


@pytest.mark.parametrize("family", Family)
def test_a_cluster_with_branches_at_every_nibble_of_one_path(family: Family) -> None:
    """External IPs can be chosen by whoever may write a Service, and so can ports."""
    middle = int(ip_address("10.96.7.1" if family is Family.IPV4 else "fd00:96::7:1"))
    kind = IPv4Address if family is Family.IPV4 else IPv6Address
    places = [str(kind(middle ^ 1 << bit)) for bit in range(0, family.bits, 4)]
    ports = tuple(port(f"p{number}", 80 ^ 1 << number % 12) for number in range(12))
    objects: list[Object] = [service("ns/middle", str(kind(middle)), ports=ports)]
    for number, place in enumerate(places * 2):
        name = f"ns/s{number}"
        objects += [service(name, place, ports=(port(number=80 + number),)), slice_of(name, _pod(family, number + 1))]
    check_same_fates(snapshot(*objects), options(family))


@pytest.mark.parametrize("family", Family)
def test_every_port_of_one_address_and_of_the_node(family: Family) -> None:
    """So many that there are ranges of ports, and each of them has its first and its last."""
    address = "10.96.7.1" if family is Family.IPV4 else "fd00:96::7:1"
    ports = tuple(port(f"p{number}", 8064 + number, node_port=30064 + number) for number in range(40))
    endpoints = slice_of("ns/many", _pod(family, 1), ports=tuple(slice_port(each.name, 80) for each in ports))
    check_same_fates(snapshot(service("ns/many", address, ports=ports), endpoints), options(family))


def _pod(family: Family, number: int) -> str:
    return f"10.0.3.{number}" if family is Family.IPV4 else f"fd00:10::3:{number:x}"
