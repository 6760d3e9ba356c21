"""Regions of destinations: what each of them matches, and what its chain is called."""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.tree_keys import KeySpace

FAMILIES = [Family.IPV4, Family.IPV6, None]
NIBBLES = {Family.IPV4: 13, Family.IPV6: 37, None: 5}

addresses = {
    Family.IPV4: st.one_of(st.sampled_from(["10.96.0.1", "255.255.255.255", "1.0.0.0"]), st.ip_addresses(v=4).map(str)),
    Family.IPV6: st.one_of(st.sampled_from(["fd00:96::1", "::1", "f" * 4 + "::"]), st.ip_addresses(v=6).map(str)),
    None: st.just(""),
}


def dispatch_rules(family: Family | None) -> st.SearchStrategy[DispatchRule]:
    ports = st.one_of(st.sampled_from([0, 80, 81, 30000, 65535]), st.integers(0, 65535))
    return st.builds(
        DispatchRule,
        st.just(DispatchChain.NAT_SERVICES),
        st.just("ns/s"),
        addresses[family],
        st.sampled_from(Protocol),
        ports,
        st.just("a match"),
        st.just("DROP"),
    )


def matches(text: str, rule: DispatchRule) -> bool:
    """Whether a match, read as iptables would, is one of packets to a dispatch rule's destination."""
    found = re.fullmatch(r"(?:-d (\S+))? ?(?:-p (\w+))?(?: -m (\w+) --dport (\d+)(?::(\d+))?)?", text)
    assert found, text
    network, protocol, module, first, last = found.groups()
    assert module in (None, protocol)
    if network and ip_address(rule.address) not in ip_network(network):
        return False
    if protocol and protocol != (rule.protocol or "").lower():
        return False
    return not first or int(first) <= rule.port <= int(last or first)


def subtrees(family: Family | None, rule: DispatchRule) -> Iterator[tuple[int, int]]:
    """All subtrees around a dispatch rule, the largest first."""
    space = KeySpace(family)
    for depth in range(1, space.nibbles + 1):
        yield space.key(rule) >> 4 * (space.nibbles - depth), depth


@pytest.mark.parametrize("family", FAMILIES)
@given(st.data())
def test_a_region_matches_what_has_its_prefix_and_nothing_else(family: Family | None, data: st.DataObject) -> None:
    rule, other = data.draw(dispatch_rules(family)), data.draw(dispatch_rules(family))
    space = KeySpace(family)
    assert space.nibbles == NIBBLES[family]
    assert 0 <= space.key(rule) < 16**space.nibbles
    for prefix, depth in subtrees(family, rule):
        text = space.match(prefix, depth)
        assert matches(text, rule)
        has_prefix = space.key(other) >> 4 * (space.nibbles - depth) == prefix
        assert matches(text, other) is has_prefix


@pytest.mark.parametrize("family", FAMILIES)
@given(st.data())
def test_a_chain_has_a_name_of_its_own_that_the_kernel_takes(family: Family | None, data: st.DataObject) -> None:
    space = KeySpace(family)
    found: dict[str, tuple[int, int]] = {}
    for rule in data.draw(st.lists(dispatch_rules(family), min_size=1, max_size=4)):
        for place in subtrees(family, rule):
            name = names.subtree(names.CLUSTER_POLICY, space.title(*place))
            assert len(name) <= names.LONGEST_NAME
            assert re.fullmatch(r"[!-~]+", name), "iptables takes no spaces in names"
            assert names.is_stale_candidate("nat", name), "so that kube-proxy deletes it"
            assert not names.service_hash(name), "lest it be taken for the chain of a Service"
            assert found.setdefault(name, place) == place


def test_the_dispatch_chains_of_a_table_cannot_have_chains_of_the_same_name() -> None:
    """Some dispatch chains of a table share a prefix; then one has dispatch rules by address, and the other by port."""
    by_port = KeySpace(None)
    for family in Family:
        by_address = KeySpace(family)
        ports = {by_port.title(prefix, depth) for depth in range(1, 4) for prefix in range(3 << 4 * (depth - 1))}
        places = {by_address.title(prefix, depth) for depth in range(1, 4) for prefix in range(16**depth)}
        assert not ports & places


# Where the kernel would cut the title.
HASHED = "at-XJHXX2X36LPLQDGS"


@pytest.mark.parametrize(
    ("family", "depth", "match", "title", "name"),
    [
        (Family.IPV4, 2, "-d 10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"),
        (Family.IPV4, 5, "-d 10.96.0.0/20", "10.96.0.0/20", "10.96.0.0/20"),
        (Family.IPV4, 8, "-d 10.96.7.33/32", "10.96.7.33/32", "10.96.7.33/32"),
        (Family.IPV4, 9, "-d 10.96.7.33/32 -p tcp", "10.96.7.33-tcp", "10.96.7.33-tcp"),
        (Family.IPV4, 10, "-d 10.96.7.33/32 -p tcp -m tcp --dport 28672:32767", "10.96.7.33-tcp-28672-32767", HASHED),
        (Family.IPV4, 13, "-d 10.96.7.33/32 -p tcp -m tcp --dport 30080", "10.96.7.33-tcp-30080", None),
        (Family.IPV6, 4, "-d fd00::/16", "fd00::/16", "fd00::/16"),
        (Family.IPV6, 32, "-d fd00:96::21/128", "fd00:96::21/128", "fd00:96::21/128"),
        (Family.IPV6, 34, "-d fd00:96::21/128 -p tcp -m tcp --dport 28672:32767", "fd00:96::21-tcp-28672-32767", None),
        (None, 1, "-p tcp", "tcp", "tcp"),
        (None, 2, "-p tcp -m tcp --dport 28672:32767", "tcp-28672-32767", "tcp-28672-32767"),
        (None, 4, "-p tcp -m tcp --dport 30080:30095", "tcp-30080-30095", "tcp-30080-30095"),
        (None, 5, "-p tcp -m tcp --dport 30080", "tcp-30080", "tcp-30080"),
    ],
)
def test_words(family: Family | None, depth: int, match: str, title: str, name: str | None) -> None:
    address = {Family.IPV4: "10.96.7.33", Family.IPV6: "fd00:96::21", None: ""}[family]
    space = KeySpace(family)
    key = space.key(DispatchRule(DispatchChain.NAT_SERVICES, "ns/s", address, Protocol.TCP, 30080, "", ""))
    place = key >> 4 * (space.nibbles - depth), depth
    assert space.match(*place) == match
    assert space.title(*place) == title
    if name:
        assert names.subtree(names.CLUSTER_POLICY, title) == f"KUBE-SVC-{name}"
