"""Matches on addresses."""

from typing import Any

import pytest

from pykubeproxy.model.route import Route, RouteKind
from pykubeproxy.netfilter import Environment
from tests.builders import cidr
from tests.netfilter.asking import NODE, meet


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("-s 10.244.0.9/32", True),
        ("-s 10.244.0.9", True),
        ("-s 10.244.0.0/16", True),
        ("-s 10.245.0.0/16", False),
        ("! -s 10.244.0.0/16", False),
        ("! -s 10.245.0.0/16", True),
        ("-s 0.0.0.0/0", True),
        ("-s 10.0.0.9/255.0.0.255", True),
        ("-s 10.0.0.8/255.0.0.255", False),
        ("-d 10.96.0.1/32", True),
        ("-d 10.96.0.2/32", False),
        ("! -d 10.96.0.1/32", False),
        ("-s 10.244.0.0/16 -d 10.96.0.2/32", False),
        ("-m iprange --src-range 10.244.0.5-10.244.0.9", True),
        ("-m iprange --src-range 10.244.0.5-10.244.0.8", False),
        ("-m iprange ! --dst-range 10.96.0.0-10.96.0.255", False),
        ("-m iprange --dst-range 10.96.0.1", True),
    ],
)
def test_networks_and_ranges(match: str, *, expected: bool) -> None:
    assert meet(match) is expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("-s fd00:244::/64", True),
        ("-s fd00:245::/64", False),
        ("! -s fd00:245::/64", True),
        ("-d fd00:96::1/128", True),
        ("-s ::/ffff::", False),
        ("-s fd00::/ffff::", True),
    ],
)
def test_ipv6_networks(match: str, *, expected: bool) -> None:
    assert meet(match, "6") is expected


def test_the_source_is_not_known_after_masquerading() -> None:
    assert meet("-s 10.0.0.1/32", state={"source": None}) == "-s 10.0.0.1/32"
    assert (
        meet("-m iprange ! --src-range 10.0.0.1-10.0.0.2", state={"source": None})
        == "not --src-range 10.0.0.1-10.0.0.2"
    )


def test_a_host_name_cannot_be_decided() -> None:
    assert meet("-s example.org") == "-s example.org"


LOCAL_TYPES: list[tuple[str, str, bool]] = [
    ("10.0.0.1", "LOCAL", True),
    ("10.0.0.2", "LOCAL", False),
    ("10.0.0.2", "UNICAST", True),
    ("10.0.0.1", "UNICAST", False),
    ("10.0.0.255", "BROADCAST", True),
    ("10.0.0.255", "LOCAL", False),
    ("10.0.0.255", "LOCAL,BROADCAST", True),
    ("255.255.255.255", "BROADCAST", True),
    ("127.1.2.3", "LOCAL", True),
    ("127.255.255.255", "BROADCAST", True),
    ("224.0.0.1", "MULTICAST", True),
    ("224.0.0.1", "UNICAST", False),
]


@pytest.mark.parametrize(("address", "types", "expected"), LOCAL_TYPES)
def test_address_types(address: str, types: str, *, expected: bool) -> None:
    assert meet(f"-m addrtype --dst-type {types}", destination=address) is expected
    assert meet(f"-m addrtype ! --dst-type {types}", destination=address) is not expected
    assert meet(f"-m addrtype --src-type {types}", source=address) is expected


@pytest.mark.parametrize(
    ("address", "types", "expected"),
    [
        ("fd00::1", "LOCAL", True),
        ("fd00::1", "UNICAST", True),
        ("fd00::2", "LOCAL", False),
        ("fd00::2", "UNICAST", True),
        ("::1", "LOCAL", True),
        ("ff02::1", "MULTICAST", True),
        ("ff02::1", "UNICAST", False),
        ("fd00::2", "MULTICAST", False),
    ],
)
def test_ipv6_addresses_have_several_types_at_once(address: str, types: str, *, expected: bool) -> None:
    assert meet(f"-m addrtype --dst-type {types}", "6", destination=address) is expected


@pytest.mark.parametrize(("device", "expected"), [("eth0", True), ("cni0", False), ("lo", False)])
def test_a_local_address_may_have_to_be_on_the_interface(device: str, *, expected: bool) -> None:
    match = "-m addrtype --dst-type LOCAL --limit-iface-in"
    assert meet(match, destination="10.0.0.1", in_interface=device) is expected
    assert meet(match, destination="10.0.0.2", in_interface=device) is False


def test_an_unknown_interface_leaves_it_open() -> None:
    match = "-m addrtype --dst-type LOCAL --limit-iface-in"
    assert meet(match, destination="10.0.0.1") == "10.0.0.1 is an address of the packet's interface"
    assert meet(match, destination="10.0.0.2") is False


def test_unknown_addresses_leave_it_open() -> None:
    nobody = Environment()
    question = "10.0.0.1 is an address of this node"
    assert meet("-m addrtype --dst-type LOCAL", destination="10.0.0.1", environment=nobody) == question
    assert meet("-m addrtype ! --dst-type LOCAL", destination="10.0.0.1", environment=nobody) == f"not {question}"
    assert meet("-m addrtype --dst-type UNICAST", destination="10.0.0.1", environment=nobody) == f"not {question}"
    assert meet("-m addrtype --dst-type LOCAL", destination="127.0.0.1", environment=nobody) is True


def test_a_process_of_the_node_has_an_address_of_the_node() -> None:
    fields: dict[str, Any] = {"source": "10.0.0.7", "from_node": True}
    assert meet("-m addrtype --src-type LOCAL", environment=Environment(), **fields) is True


def test_the_local_routing_table_tells_addresses_too() -> None:
    routes = (
        Route(destination=cidr("10.9.9.9/32"), device="eth0", kind=RouteKind.LOCAL),
        Route(destination=cidr("10.9.9.255/32"), device="eth0", kind=RouteKind.BROADCAST),
    )
    environment = Environment(routes=routes)
    assert meet("-m addrtype --dst-type LOCAL", destination="10.9.9.9", environment=environment) is True
    assert meet("-m addrtype --dst-type BROADCAST", destination="10.9.9.255", environment=environment) is True
    assert meet("-m addrtype --dst-type LOCAL", destination="10.9.9.8", environment=environment) is False


def test_the_address_used_for_masquerading_is_local() -> None:
    assert meet("-m addrtype --src-type LOCAL", state={"source": None}, environment=NODE) is True
