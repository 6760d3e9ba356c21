"""What a line of iptables-save means."""

from functools import cache
from typing import Any

import pytest

from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.reading import (
    RuleView,
    chain_of,
    endpoint_of,
    kind_of,
    networks_of,
    read,
    target_of,
    title_in,
    title_of,
    without_counter,
)
from pykubeproxy.rules.text import RuleKind
from tests.corpus import GOLDEN, examples

DISPATCH_RULE = (
    '-A KUBE-SERVICES -d 10.96.1.1/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" '
    "-m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA"
)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "-A KUBE-SEP-A -p udp -m recent --set --name KUBE-SEP-A -m udp -j DNAT --to-destination 10.0.1.1:53",
            {"chain": "KUBE-SEP-A", "protocol": "udp", "target": "DNAT", "endpoint": "10.0.1.1:53"},
        ),
        (
            "-A KUBE-SVC-A -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --rsource -j KUBE-SEP-A",
            {"chain": "KUBE-SVC-A", "affinity_seconds": 10800, "target": "KUBE-SEP-A"},
        ),
        (
            "-A X ! -s 10.244.0.0/16 -d 10.96.1.1/32 -j Y",
            {"chain": "X", "source": "! 10.244.0.0/16", "destination": "10.96.1.1/32", "target": "Y"},
        ),
        ("-A X ! -i cni0 -d 10.96.1.1/32 -j Y", {"chain": "X", "destination": "10.96.1.1/32", "target": "Y"}),
    ],
    ids=["to-endpoint", "affinity", "excluded-network", "excluded-interface"],
)
def test_other_rules(line: str, fields: dict[str, Any]) -> None:
    assert read(line) == RuleView(**fields)


@pytest.mark.parametrize(
    ("destination", "address"),
    [
        ("-d 10.0.0.1/32", "10.0.0.1"),
        ("-d fd00::1/128", "fd00::1"),
        ("-d fd00::/32", ""),
        ("-d 10.0.0.0/8", ""),
        ("! -d 10.0.0.1/32", ""),
        ("", ""),
    ],
)
def test_the_only_address_that_a_rule_is_for(destination: str, address: str) -> None:
    assert read(f"-A X {destination} -j Y").address == address


def test_a_range_of_ports_is_no_port() -> None:
    view = read("-A X -p tcp -m tcp --dport 80:95 -j Y")
    assert (view.ports, view.port) == ("80:95", 0)


@pytest.mark.parametrize(
    ("comment", "title", "kind"),
    [
        ("ns1/svc1:p80 cluster IP", "ns1/svc1:p80", RuleKind.CLUSTER_IP),
        ("ns1/svc1:p80 external IP", "ns1/svc1:p80", RuleKind.EXTERNAL_IP),
        ("ns1/svc1:p80 loadbalancer IP", "ns1/svc1:p80", RuleKind.LOAD_BALANCER_IP),
        ("ns1/svc1 has no endpoints", "ns1/svc1", RuleKind.NO_ENDPOINTS),
        ("ns1/svc1 has no local endpoints", "ns1/svc1", RuleKind.NO_LOCAL_ENDPOINTS),
        ("ns1/svc1 traffic not accepted by KUBE-FW-A", "ns1/svc1", RuleKind.NOT_IN_SOURCE_RANGES),
        ("ns1/svc1 health check node port", "ns1/svc1", RuleKind.HEALTH_CHECK),
        ("ns1/svc1 -> 10.0.1.1:80", "ns1/svc1", RuleKind.TO_ENDPOINT),
        ("ns1/svc1 -> one of 20 endpoints", "ns1/svc1", RuleKind.TO_ENDPOINT),
        ("pod traffic for ns1/svc1:p80 external destinations", "ns1/svc1:p80", RuleKind.POD_TRAFFIC),
        ("masquerade LOCAL traffic for ns1/svc1 external destinations", "ns1/svc1", RuleKind.MASQUERADE_LOCAL),
        ("route LOCAL traffic for ns1/svc1 external destinations", "ns1/svc1", RuleKind.ROUTE_LOCAL),
        ("masquerade traffic for ns1/svc1 external destinations", "ns1/svc1", RuleKind.MASQUERADE),
        ("other traffic to ns1/svc1 will be dropped by KUBE-PROXY-FIREWALL", "ns1/svc1", RuleKind.OTHER_SOURCES),
        ("ns1/svc1 something else", "ns1/svc1", None),
        ("ns1/svc1", "ns1/svc1", None),
        ("kubernetes service portals", "", None),
    ],
)
def test_what_a_comment_says(comment: str, title: str, kind: RuleKind | None) -> None:
    view = read(f'-A X -p tcp -m comment --comment "{comment}" -m tcp -j Y')
    assert (view.title, view.kind) == (title, kind)
    assert view.refuses is (" has no " in comment)


def test_a_node_port_has_the_name_alone_as_its_comment() -> None:
    view = read('-A X -p tcp -m comment --comment "ns1/svc1:p80" -m tcp --dport 30080 -j Y')
    assert view.kind is RuleKind.NODE_PORT


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (DISPATCH_RULE, "KUBE-SVC-AAAAAAAAAAAAAAAA"),
        ("-A KUBE-SERVICES -j KUBE-NODEPORTS", "KUBE-NODEPORTS"),
        ("-A X -j REJECT --reject-with icmp-port-unreachable", "REJECT"),
        ("-A X -g Y", "Y"),
        ('-A X -m comment --comment "no -j X" -g Y', "Y"),
        ('-A X -m comment --comment "counts -j X"', ""),
        ("-A X -m comment --comment counts", ""),
        ('-A X -m comment --comment "go -j away" -j Y', "Y"),
        ('-A X -m string --string "-j" --algo bm -j Y', "Y"),
        ("-A X -m string --string -j --algo bm -g Y", "Y"),
        ("-A X -m comment --comment -j -j Y", "Y"),
        (r'-A X -m comment --comment "it\'s \"-j DROP\"" -j Y', "Y"),
        ('-A X -j LOG --log-prefix "to -j Z "', "LOG"),
        ("-A X -m recent --name -j --rcheck -j Y", "Y"),
    ],
)
def test_where_a_rule_leads(line: str, target: str) -> None:
    assert target_of(line) == read(line).target == target


def test_a_comment_of_another_program_with_quotes_in_it() -> None:
    line = r'-A X -m comment --comment "say \"ns1/svc1\" twice" -j Y'
    assert title_of(line) == read(line).title == "ns1/svc1"
    assert read(line).comment == 'say "ns1/svc1" twice'


@pytest.mark.parametrize("line", ["", "-A", '-A X -m comment --comment "open', "-A X -j", "!", "-A X --seconds many"])
def test_nothing_is_too_odd_to_be_read(line: str) -> None:
    assert read(line).title == title_of(line) == ""
    assert read(line).target == target_of(line) == ""


def test_a_rule_without_its_counter() -> None:
    counted = "-A X -d 127.0.0.0/8 -p tcp -m tcp --dport 30080 -m nfacct --nfacct-name  localhost_nps -j Y"
    assert without_counter(counted) == "-A X -d 127.0.0.0/8 -p tcp -m tcp --dport 30080 -j Y"
    assert without_counter(DISPATCH_RULE) == DISPATCH_RULE


def test_the_name_in_a_text() -> None:
    assert title_in("masquerade traffic for ns1/svc1:p80 external destinations") == "ns1/svc1:p80"
    assert title_in("10.96.0.1:80") == title_in("") == ""


@cache
def measured_rules() -> frozenset[str]:
    """All rules that kube-proxy has left in the kernel for the examples."""
    dumps = (example.saved(family) for example in examples(GOLDEN) for family in ("ipv4", "ipv6"))
    tables = (table for dump in dumps for table in parse(dump.splitlines()).tables.values())
    return frozenset(line for table in tables for lines in table.chains.values() for line in lines)


def test_quick_answers_are_those_of_reading_the_whole_rule() -> None:
    by_kube_proxy = {*RuleKind, None} - {RuleKind.UNUSED_PORTS}
    assert {read(line).kind for line in measured_rules()} == by_kube_proxy
    for line in measured_rules():
        view = read(line)
        assert (view.chain, view.title) == (chain_of(line), title_of(line))
        assert (view.target, view.endpoint) == (target_of(line), endpoint_of(line))
        assert view.kind is kind_of(line) or view.kind is RuleKind.NODE_PORT
        networks = [each.removeprefix("! ") for each in (view.source, view.destination) if each]
        assert networks == list(networks_of(line))
