"""From configuration and node to rule options: docs/reference/iptables-rules.md sections 11 and 12,
docs/reference/lifecycle.md section 6.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.config.completed import Completed, complete
from pykubeproxy.daemon.setup.rule_options import (
    NodeFacts,
    health_check_addresses,
    localhost_node_ports,
    node_ips,
    rule_options,
)
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.rules.options import Dispatch, PodTraffic, RuleOptions
from tests.builders import cidr, ip

IPV4, IPV6 = Family.IPV4, Family.IPV6
HOST = ("127.0.0.1", "192.168.0.2", "192.168.1.2", "::1", "2001:db8::1", "2001:db8:1::2")


def completed(**flags: object) -> Completed:
    """The configuration that flags amount to; underscores stand for dashes."""
    its = complete({name.replace("_", "-"): value for name, value in flags.items()}, None, "Host-1")
    assert its.errors == ()
    return its


def facts(*addresses: str, **fields: Any) -> NodeFacts:
    """A node whose Node object has these addresses, with the interfaces of the reference's node."""
    node = Node(name="n1", addresses=tuple(map(ip, addresses)), **fields)
    return NodeFacts(node=node, host_addresses=tuple(map(ip, HOST)))


def its_options(family: Family, its: Completed, known: NodeFacts | None = None) -> RuleOptions:
    known = known or facts("192.168.0.2", "2001:db8::1")
    return rule_options(its, known, family, OwnOptions(dispatch=Dispatch.LINEAR))


@pytest.mark.parametrize(
    ("addresses", "bind", "expected"),
    [
        # docs/reference/lifecycle.md example E.
        (("10.1.1.1", "fd00::1", "203.0.113.5"), "0.0.0.0", ["10.1.1.1", "fd00::1"]),  # noqa: S104
        (("10.1.1.1", "fd00::1", "203.0.113.5"), "fd00::99", ["fd00::99", "10.1.1.1"]),
        (("fd00::1", "10.1.1.1"), "0.0.0.0", ["fd00::1", "10.1.1.1"]),  # noqa: S104
        (("fd00::1",), "0.0.0.0", ["fd00::1", "127.0.0.1"]),  # noqa: S104
        ((), "0.0.0.0", ["127.0.0.1", "::1"]),  # noqa: S104
        ((), "10.9.9.9", ["10.9.9.9", "::1"]),
    ],
)
def test_node_ips_the_primary_one_first(addresses: tuple[str, ...], bind: str, expected: list[str]) -> None:
    assert [found.text for found in node_ips(completed(bind_address=bind), facts(*addresses)).values()] == expected


def test_without_a_node_object_the_machines_own_addresses_count() -> None:
    known = NodeFacts(own_ips=(ip("10.1.1.1"), ip("10.1.1.2"), ip("fd00::1")))
    assert [found.text for found in node_ips(completed(), known).values()] == ["10.1.1.1", "fd00::1"]
    nameless = replace(known, node=Node(name="n1"))
    assert [found.text for found in node_ips(completed(), nameless).values()] == ["127.0.0.1", "::1"]


NODE_CIDR = {"detect_local_mode": "NodeCIDR", "cluster_cidr": "10.0.0.0/8,fd00::/64"}
BRIDGE = {"detect_local_mode": "BridgeInterface", "pod_bridge_interface": "cbr0", "cluster_cidr": "10.0.0.0/8"}
PREFIX = {"detect_local_mode": "InterfaceNamePrefix", "pod_interface_name_prefix": "veth"}


@pytest.mark.parametrize(
    ("flags", "field", "expected"),
    [
        ({}, "source", [None, None]),
        ({"cluster_cidr": "10.1.2.3/8,FD00::1/64"}, "source", ["10.0.0.0/8", "fd00::/64"]),
        ({"detect_local_mode": "ClusterCIDR", "cluster_cidr": "fd00::/64"}, "source", [None, "fd00::/64"]),
        (NODE_CIDR, "source", ["10.244.1.0/24", "fd00:1::/64"]),
        (BRIDGE, "interface", ["cbr0", "cbr0"]),
        (PREFIX, "interface", ["veth+", "veth+"]),
    ],
)
def test_how_pods_are_told_apart(flags: dict[str, str], field: str, expected: list[str | None]) -> None:
    known = facts(pod_cidrs=(cidr("10.244.1.0/24"), cidr("10.244.2.0/24"), cidr("fd00:1::/64")))
    found = [its_options(family, completed(**flags), known).pod_traffic for family in Family]
    assert found == [PodTraffic(**{field: text}) if text else None for text in expected]


NEXT = "192.168.1.0/24"
NODE_PORTS = [
    # configured, localhost wanted -> IPv4 addresses (None: all), localhost open, IPv6 addresses
    ((), True, None, True, None),
    (("192.168.0.0/24", "127.0.0.1/32"), True, ("127.0.0.1", "192.168.0.2"), True, None),
    (("192.168.0.0/24", "127.0.0.1/32"), False, ("192.168.0.2",), False, None),
    (("192.168.0.0/24", NEXT, "2001:db8::/64"), False, ("192.168.0.2", "192.168.1.2"), False, ("2001:db8::1",)),
    (("10.99.0.0/16",), True, (), False, None),
    (("::/0", "2001:db8::/64"), True, None, True, None),
    # IPv6's loopback never answers.
    (("::1/128", "2001:db8::/64"), True, None, True, ("2001:db8::1",)),
    (("primary",), True, ("192.168.0.2",), False, ("2001:db8::1",)),
    (("primary", "localhost"), True, ("127.0.0.1", "192.168.0.2"), True, ("2001:db8::1",)),
    (("localhost",), False, (), False, ()),
    (("localhost", NEXT, "2001:db8:1::/64"), True, ("127.0.0.1", "192.168.1.2"), True, ("2001:db8:1::2",)),
    (("all", "localhost", "192.168.0.0/24"), True, None, True, None),
    (("primary", "0.0.0.0/0"), True, None, True, ("2001:db8::1",)),
]


@pytest.mark.parametrize(("configured", "localhost", "ipv4", "is_open", "ipv6"), NODE_PORTS)
def test_where_node_ports_and_health_checks_are_answered(
    *,
    configured: tuple[str, ...],
    localhost: bool,
    ipv4: tuple[str, ...] | None,
    is_open: bool,
    ipv6: tuple[str, ...] | None,
) -> None:
    its = completed(nodeport_addresses=configured, iptables_localhost_nodeports=localhost)
    first, second = its_options(IPV4, its), its_options(IPV6, its)
    assert (first.node_port_addresses, first.localhost_node_ports) == (ipv4, is_open)
    assert (second.node_port_addresses, second.localhost_node_ports) == (ipv6, False)
    assert localhost_node_ports(its, facts("192.168.0.2")) is is_open

    # Health checks are answered where node ports are, and on loopback addresses too.
    known = facts("192.168.0.2", "2001:db8::1")
    open_ = its_options(IPV4, completed(nodeport_addresses=configured, iptables_localhost_nodeports=True))
    assert health_check_addresses(its, known, IPV4) == open_.node_port_addresses
    loopback = ("::1",) if {"localhost", "::1/128"} & {*configured} else ()
    assert health_check_addresses(its, known, IPV6) == (None if ipv6 is None else (*ipv6, *loopback))


def test_a_family_without_a_primary_address_answers_everywhere() -> None:
    its = completed(nodeport_addresses=("primary",))
    for addresses, expected in ((("192.168.0.2",), [("192.168.0.2",), None]), ((), [None, None])):
        known = facts(*addresses)
        assert [its_options(family, its, known).node_port_addresses for family in Family] == expected
    assert localhost_node_ports(its, facts())


def test_plain_settings() -> None:
    defaults = RuleOptions(
        family=IPV4,
        node_name="host-1",
        node_ip=ip("192.168.0.2"),
        localhost_node_ports=True,
        dispatch=Dispatch.LINEAR,
        masquerade_bit=14,
    )
    assert its_options(IPV4, completed()) == defaults
    assert defaults.random_fully
    assert defaults.external_ips
    flags = completed(
        iptables_masquerade_bit=20,
        masquerade_all=True,
        conntrack_tcp_be_liberal=True,
        feature_gates={"AllowServiceExternalIPs": False},
        hostname_override=" TEST-node ",
        bind_address="192.168.1.2",
    )
    assert its_options(IPV4, flags) == replace(
        defaults,
        masquerade_bit=20,
        masquerade_all=True,
        conntrack_tcp_liberal=True,
        external_ips=False,
        node_name="test-node",
        node_ip=ip("192.168.1.2"),
    )
