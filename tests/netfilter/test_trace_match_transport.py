"""Matches on protocols, ports, flags and ICMP types."""

from typing import Any

import pytest

from tests.netfilter.asking import ESTABLISHED, meet


@pytest.mark.parametrize(
    ("match", "protocol", "expected"),
    [
        ("-p tcp", "tcp", True),
        ("-p tcp", "udp", False),
        ("! -p tcp", "udp", True),
        ("-p sctp", "sctp", True),
        ("-p 6", "tcp", True),
        ("-p gre", "47", True),
        ("-p all", "udp", True),
        ("! -p icmp", "icmp", False),
    ],
)
def test_protocols(match: str, protocol: str, *, expected: bool) -> None:
    assert meet(match, protocol=protocol) is expected


def test_a_protocol_that_nobody_knows() -> None:
    assert meet("-p chaos") == "-p chaos"


PORTS: list[tuple[str, bool]] = [
    ("-p tcp -m tcp --dport 80", True),
    ("-p tcp -m tcp --dport 81", False),
    ("-p tcp -m tcp ! --dport 80", False),
    ("-p tcp -m tcp --dport 80:90", True),
    ("-p tcp -m tcp --dport 81:90", False),
    ("-p tcp -m tcp --dport :80", True),
    ("-p tcp -m tcp --dport 80:", True),
    ("-p tcp -m tcp --dport 81:", False),
    ("-p tcp -m tcp --sport 40000", True),
    ("-p tcp -m tcp ! --sport 1024:65535", False),
    ("-p tcp --dport 80", True),
    ("-p tcp -m tcp", True),
    ("-p tcp -m multiport --dports 22,80,443", True),
    ("-p tcp -m multiport --dports 22,70:90", True),
    ("-p tcp -m multiport --dports 22,443", False),
    ("-p tcp -m multiport ! --dports 22,443", True),
    ("-p tcp -m multiport --sports 40000", True),
    ("-p tcp -m multiport --ports 40000,1", True),
    ("-p tcp -m multiport --ports 80,1", True),
    ("-p tcp -m multiport --ports 1,2", False),
]


@pytest.mark.parametrize(("match", "expected"), PORTS)
def test_ports(match: str, *, expected: bool) -> None:
    assert meet(match, source_port=40000) is expected


@pytest.mark.parametrize("protocol", ["udp", "sctp", "dccp", "udplite"])
def test_other_protocols_have_ports_too(protocol: str) -> None:
    assert meet(f"-p {protocol} -m {protocol} --dport 80", protocol=protocol) is True
    assert meet(f"-p {protocol} -m {protocol} --dport 81", protocol=protocol) is False


def test_a_port_that_is_not_known() -> None:
    assert meet("-p tcp -m tcp --sport 1024:65535") == "--sport 1024:65535"
    assert meet("-p tcp -m tcp ! --sport 53") == "not --sport 53"
    assert meet("-p tcp -m multiport --ports 80,53") is True
    assert meet("-p tcp -m multiport --ports 81,53") == "--ports 81,53"
    assert meet("-p tcp -m tcp --sport 0:65535") is True


def test_no_question_is_asked_where_another_match_says_no() -> None:
    assert meet("-p tcp -m tcp --sport 53 --dport 81") is False
    assert meet("-m geoip --source-country CN -d 10.0.0.9/32") is False


SYN = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"


@pytest.mark.parametrize(
    ("match", "flags", "expected"),
    [
        (SYN, None, True),
        (SYN.replace("--tcp", "! --tcp"), None, False),
        ("-p tcp -m tcp --syn", None, True),
        (SYN, {"SYN", "ACK"}, False),
        ("-p tcp -m tcp --tcp-flags ALL NONE", None, False),
        ("-p tcp -m tcp --tcp-flags SYN,RST SYN", {"SYN", "PSH"}, True),
        ("-p tcp -m tcp --tcp-flags ALL SYN,PSH", {"SYN", "PSH"}, True),
    ],
)
def test_tcp_flags(match: str, flags: set[str] | None, *, expected: bool) -> None:
    assert meet(match, tcp_flags=frozenset(flags) if flags else None) is expected


def test_flags_of_a_later_packet_are_not_known() -> None:
    assert meet(SYN, ctstate=ESTABLISHED) == "--tcp-flags FIN,SYN,RST,ACK SYN"


@pytest.mark.parametrize(
    ("match", "fields", "expected"),
    [
        ("-p icmp -m icmp --icmp-type 8", {"icmp_type": 8}, True),
        ("-p icmp -m icmp --icmp-type 8", {"icmp_type": 0}, False),
        ("-p icmp -m icmp ! --icmp-type 8", {"icmp_type": 0}, True),
        ("-p icmp -m icmp --icmp-type echo-request", {"icmp_type": 8}, True),
        ("-p icmp -m icmp --icmp-type any", {}, True),
        ("-p icmp -m icmp --icmp-type 255", {}, True),
        ("-p icmp -m icmp --icmp-type 3/4", {"icmp_type": 3, "icmp_code": 4}, True),
        ("-p icmp -m icmp --icmp-type 3/4", {"icmp_type": 3, "icmp_code": 1}, False),
        ("-p icmp -m icmp --icmp-type 3/4", {"icmp_type": 3}, "--icmp-type 3/4"),
        ("-p icmp -m icmp --icmp-type 8", {}, "--icmp-type 8"),
    ],
)
def test_icmp_types(match: str, fields: dict[str, Any], expected: object) -> None:
    assert meet(match, protocol="icmp", destination_port=None, **fields) == expected


def test_icmpv6_types() -> None:
    fields: dict[str, Any] = {"protocol": "ipv6-icmp", "destination_port": None, "icmp_type": 128}
    assert meet("-p ipv6-icmp -m icmp6 --icmpv6-type 128", "6", **fields) is True
    assert meet("-p ipv6-icmp -m icmp6 --icmpv6-type 135", "6", **fields) is False
