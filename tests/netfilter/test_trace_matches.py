"""What a match says of a packet: yes, no, its chance, or the question that it cannot decide."""

from fractions import Fraction
from typing import Any

import pytest

from pykubeproxy.model.route import Route, RouteKind
from pykubeproxy.netfilter import ConnectionState, Environment
from pykubeproxy.netfilter.matches.statistic import read_probability
from pykubeproxy.rules.text import probability
from tests.builders import cidr
from tests.netfilter.asking import ESTABLISHED, INVALID, RELATED, UNTRACKED, meet

Asked = dict[str, Any]

IPV6: Asked = {"family": "6"}
OWN: Asked = {"source": "10.0.0.1", "from_node": True}
MASQUERADED: Asked = {"state": {"source": None}}

ADDRESSES: list[tuple[str, Asked, object]] = [
    ("-s 10.244.0.0/16", {}, True),
    ("-s 10.245.0.0/16", {}, False),
    ("! -s 10.244.0.0/16", {}, False),
    ("! -s 10.245.0.0/16", {}, True),
    ("-s 10.0.0.9/255.0.0.255", {}, True),
    ("-s 10.0.0.8/255.0.0.255", {}, False),
    ("-s 10.244.0.0/16 -d 10.96.0.2/32", {}, False),
    ("-m iprange --src-range 10.244.0.5-10.244.0.8", {}, False),
    ("-m iprange ! --dst-range 10.96.0.0-10.96.0.255", {}, False),
    ("-m iprange --dst-range 10.96.0.1", {}, True),
    ("-s fd00:244::/64", IPV6, True),
    ("! -s fd00:244::/64", IPV6, False),
    ("-s ::/ffff::", IPV6, False),
    ("-s fd00::/ffff::", IPV6, True),
    ("-s example.org", {}, "-s example.org"),
    ("-s 10.0.0.1/32", MASQUERADED, "-s 10.0.0.1/32"),
    ("-m iprange ! --src-range 10.0.0.1-10.0.0.2", MASQUERADED, "not --src-range 10.0.0.1-10.0.0.2"),
    ("-m addrtype --src-type LOCAL", MASQUERADED, True),
    # What no connection of a lab goes to; IPv6 addresses have several types at once.
    ("-m addrtype --dst-type LOCAL,BROADCAST", {"destination": "10.0.0.255"}, True),
    ("-m addrtype --dst-type LOCAL", {"destination": "10.0.0.255"}, False),
    ("-m addrtype --dst-type BROADCAST", {"destination": "255.255.255.255"}, True),
    ("-m addrtype --dst-type BROADCAST", {"destination": "127.255.255.255"}, True),
    ("-m addrtype --dst-type LOCAL", {"destination": "127.1.2.3"}, True),
    ("-m addrtype --dst-type MULTICAST", {"destination": "224.0.0.1"}, True),
    ("-m addrtype --dst-type UNICAST", {"destination": "224.0.0.1"}, False),
    ("-m addrtype --dst-type UNICAST", {**IPV6, "destination": "fd00::1"}, True),
    ("-m addrtype --dst-type MULTICAST", {**IPV6, "destination": "ff02::1"}, True),
    (
        "-m addrtype --dst-type LOCAL --limit-iface-in",
        {"destination": "10.0.0.1", "in_interface": None},
        "10.0.0.1 is an address of the packet's interface",
    ),
    ("-m addrtype --src-type LOCAL", {**OWN, "source": "10.0.0.7", "environment": Environment()}, True),
]

SOME_FLAGS = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"
ICMP: Asked = {"protocol": "icmp", "destination_port": None}

TRANSPORT: list[tuple[str, Asked, object]] = [
    ("! -p tcp", {"protocol": "udp"}, True),
    ("-p gre", {"protocol": "47"}, True),
    ("-p chaos", {}, "-p chaos"),
    *((f"-p {each} -m {each} --dport 80", {"protocol": each}, True) for each in ("udp", "sctp", "dccp", "udplite")),
    ("-p tcp -m tcp ! --sport 1024:65535", {"source_port": 40000}, False),
    ("-p tcp -m tcp --sport 1024:65535", {}, "--sport 1024:65535"),
    ("-p tcp -m tcp ! --sport 53", {}, "not --sport 53"),
    ("-p tcp -m multiport --dports 22,70:90", {}, True),
    ("-p tcp -m multiport --ports 1,2", {"source_port": 40000}, False),
    ("-p tcp -m multiport --ports 80,53", {}, True),
    ("-p tcp -m multiport --ports 81,53", {}, "--ports 81,53"),
    (SOME_FLAGS, {}, True),
    (SOME_FLAGS.replace("--tcp", "! --tcp"), {}, False),
    (SOME_FLAGS, {"tcp_flags": frozenset({"SYN", "ACK"})}, False),
    (SOME_FLAGS, {"ctstate": ESTABLISHED}, "--tcp-flags FIN,SYN,RST,ACK SYN"),
    ("-p tcp -m tcp --syn", {}, True),
    ("-p tcp -m tcp --tcp-flags ALL NONE", {}, False),
    ("-p tcp -m tcp --tcp-flags ALL SYN,PSH", {"tcp_flags": frozenset({"SYN", "PSH"})}, True),
    ("-p icmp -m icmp --icmp-type 8", {**ICMP, "icmp_type": 8}, True),
    ("-p icmp -m icmp ! --icmp-type 8", {**ICMP, "icmp_type": 0}, True),
    ("-p icmp -m icmp --icmp-type echo-request", {**ICMP, "icmp_type": 8}, True),
    ("-p icmp -m icmp --icmp-type any", ICMP, True),
    ("-p icmp -m icmp --icmp-type 3/4", {**ICMP, "icmp_type": 3, "icmp_code": 4}, True),
    ("-p icmp -m icmp --icmp-type 3/4", {**ICMP, "icmp_type": 3, "icmp_code": 1}, False),
    ("-p icmp -m icmp --icmp-type 3/4", {**ICMP, "icmp_type": 3}, "--icmp-type 3/4"),
    ("-p icmp -m icmp --icmp-type 8", ICMP, "--icmp-type 8"),
    ("-p 58 -m icmp6 --icmpv6-type 128", {**ICMP, "protocol": "ipv6-icmp", "icmp_type": 128, **IPV6}, True),
    ("-p 58 -m icmp6 --icmpv6-type 135", {**ICMP, "protocol": "ipv6-icmp", "icmp_type": 128, **IPV6}, False),
    # No question is asked where another match says no.
    ("-p tcp -m tcp --sport 53 --dport 81", {}, False),
    ("-m geoip --source-country CN -d 10.0.0.9/32", {}, False),
]

DNATED: dict[str, Any] = {"destination": "10.244.1.7", "destination_port": 8080, "dnat": "10.244.1.7:8080"}
TRANSLATED: Asked = {"source_port": 40000, "state": DNATED}
MARKED: Asked = {"mark": 0x4001, "state": {"connection_mark": 0x4001}}
BEFORE_CONNTRACK: Asked = {"state": {"tracking": None}}

CONNECTION: list[tuple[str, Asked, object]] = [
    *((f"-m conntrack --ctstate {each}", {"ctstate": each}, True) for each in ConnectionState),
    *((f"-m conntrack --ctstate {each}", {}, each is ConnectionState.NEW) for each in ConnectionState),
    ("-m conntrack --ctstate INVALID", {"ctstate": UNTRACKED}, False),
    ("-m conntrack --ctstate DNAT", TRANSLATED, True),
    ("-m conntrack --ctstate DNAT", {"state": {"dnat": "10.96.0.1:80"}}, False),
    ("-m conntrack --ctstate SNAT", TRANSLATED, False),
    ("-m conntrack --ctstate SNAT", {"state": {"source": "10.0.0.1"}}, True),
    ("-m conntrack --ctstate SNAT", {"ctstate": UNTRACKED, "state": {"source": "10.0.0.1"}}, False),
    ("-m conntrack --ctstate DNAT", {"ctstate": ESTABLISHED}, "--ctstate DNAT"),
    ("-m conntrack --ctstate RELATED,ESTABLISHED,DNAT", {"ctstate": ESTABLISHED}, True),
    ("-m conntrack --ctstate SNAT", MASQUERADED, "--ctstate SNAT"),
    ("-m conntrack --ctstate INVALID", BEFORE_CONNTRACK, True),
    ("-m conntrack --ctstate NEW", BEFORE_CONNTRACK, False),
    ("-m conntrack --ctorigsrcport 40000", TRANSLATED, True),
    ("-m conntrack --ctreplsrcport 8080", TRANSLATED, True),
    ("-m conntrack --ctrepldst 10.244.0.9", TRANSLATED, True),
    ("-m conntrack --ctrepldstport 1:39999", TRANSLATED, False),
    ("-m conntrack --ctproto 6", {}, True),
    ("-m conntrack --ctdir REPLY", {}, False),
    ("-m conntrack ! --ctstatus ASSURED", {}, True),
    ("-m conntrack --ctstate NEW,DNAT --ctproto 17", {}, False),
    ("-m conntrack --ctorigdst 10.96.0.1", {"ctstate": ESTABLISHED}, "--ctorigdst 10.96.0.1"),
    ("-m conntrack --ctexpire 10", {}, "--ctexpire 10"),
    # Without a connection only its state is asked.
    ("-m conntrack --ctstate INVALID --ctproto 17", {"ctstate": INVALID}, True),
    ("-m conntrack --ctproto 6", {"ctstate": INVALID}, False),
    ("-m conntrack ! --ctproto 17", {"ctstate": UNTRACKED}, False),
    # A new connection has no helper, a related one may have.
    ("-m helper --helper ftp", {}, False),
    ("-m helper --helper ftp", {"ctstate": RELATED}, "-m helper --helper ftp"),
    *(
        (f"-m {module} {text}", MARKED, expected)
        for module in ("mark", "connmark")
        for text, expected in (
            ("--mark 0x4000/0x4000", True),
            ("--mark 16385", True),
            ("--mark 0x4000", False),
            ("! --mark 0x4000/0x4000", False),
            ("--mark 0x0/0x8000", True),
        )
    ),
    ("-m connmark ! --mark 0x1", {"ctstate": ESTABLISHED}, "not -m connmark --mark 0x1"),
    ("-m mark --mark 0x1", {"state": {"mark": None}}, "--mark 0x1"),
    ("-m connmark --mark 0x0", {"ctstate": UNTRACKED}, False),
    ("-m connmark ! --mark 0x0", {"ctstate": UNTRACKED}, False),
]

HALF = "-m statistic --mode random --probability 0.50000000000"
FROM_POD: Asked = {"in_interface": "cni0"}

OTHERS: list[tuple[str, Asked, object]] = [
    ("-i cni0+", FROM_POD, True),
    ("-o eth0", FROM_POD, False),
    ("! -i cni0", {}, "not -i cni0"),
    ("-i cni0", OWN, False),
    ("! -i cni0", OWN, True),
    ('-m comment --comment "whatever -j DROP"', {}, True),
    ("-m nfacct --nfacct-name  localhost_nps_accepted_pkts", {}, True),
    ("-f", {}, False),
    ("! -f", {}, True),
    ("-m pkttype ! --pkt-type multicast", {}, True),
    ("-m pkttype --pkt-type multicast", {"destination": "224.0.0.251"}, True),
    ("-m pkttype --pkt-type broadcast", {"destination": "10.0.0.255"}, True),
    ("-m owner --uid-owner 1000", {**OWN, "uid": 1000}, True),
    ("-m owner ! --uid-owner 0", {**OWN, "uid": 0}, False),
    ("-m owner --uid-owner 1000-2000", {**OWN, "uid": 1500}, True),
    ("-m owner --uid-owner 1000 --gid-owner 7", {**OWN, "uid": 1000, "gid": 8}, False),
    ("-m owner ! --uid-owner 1000", OWN, "not -m owner --uid-owner 1000"),
    ("-m owner --socket-exists", OWN, True),
    # What comes from elsewhere has no owner.
    ("-m owner --uid-owner 0", {}, False),
    ("-m owner ! --uid-owner 0", {}, True),
    ("-m owner ! --uid-owner 0 --socket-exists", {}, False),
    ("-m physdev --physdev-in veth1", OWN, False),
    ("-m physdev ! --physdev-is-bridged", OWN, True),
    (
        "-m physdev --physdev-in veth1 ! --physdev-is-in",
        {},
        "-m physdev --physdev-in veth1 and not -m physdev --physdev-is-in",
    ),
    (HALF, {}, Fraction(1, 2)),
    (f"{HALF} {HALF}", {}, Fraction(1, 4)),
    ("-m statistic --mode random ! --probability 0.25000000000", {}, Fraction(3, 4)),
    ("-m statistic --mode random --probability 0.00000000000", {}, False),
    ("-m statistic --mode random --probability 1.00000000000", {}, True),
    ("-m statistic --mode random ! --probability 1.00000000000", {}, False),
    ("-m statistic --mode nth --every 3 --packet 0", {}, Fraction(1, 3)),
    ("-m statistic --mode nth ! --every 4 --packet 1", {}, Fraction(3, 4)),
    # What cannot be decided is asked in its own words.
    ("-m set ! --match-set blocked src,dst --return-nomatch", {}, "not -m set --match-set blocked src,dst"),
    ("-m set --match-set a src ! --update-counters", {}, "-m set --match-set a src"),
    ("-m tcp --tcp-option 5", {}, "--tcp-option 5"),
    ("-m conntrack --ctlabel 5", {}, "--ctlabel 5"),
    *(
        (match, {}, match)
        for match in (
            "-m statistic --mode random --probability 1.5",
            "-m statistic --mode random --probability often",
            "-m geoip --source-country CN,RU",
            "-m limit --limit 5/min --limit-burst 5",
            "-m rpfilter --invert",
            "-m recent --name a",
        )
    ),
]


@pytest.mark.parametrize(("match", "asked", "expected"), [*ADDRESSES, *TRANSPORT, *CONNECTION, *OTHERS])
def test_matches(match: str, asked: Asked, expected: object) -> None:
    assert meet(match, **asked) == expected


def test_unknown_addresses_leave_it_open() -> None:
    nobody, question = Environment(), "10.0.0.1 is an address of this node"
    for match, expected in (("--dst-type LOCAL", question), ("--dst-type UNICAST", f"not {question}")):
        assert meet(f"-m addrtype {match}", destination="10.0.0.1", environment=nobody) == expected
    assert meet("-m addrtype --dst-type LOCAL", destination="127.0.0.1", environment=nobody) is True


def test_the_local_routing_table_tells_addresses_too() -> None:
    routes = (
        Route(destination=cidr("10.9.9.9/32"), device="eth0", kind=RouteKind.LOCAL),
        Route(destination=cidr("10.9.9.255/32"), device="eth0", kind=RouteKind.BROADCAST),
    )
    environment = Environment(routes=routes)
    assert meet("-m addrtype --dst-type LOCAL", destination="10.9.9.9", environment=environment) is True
    assert meet("-m addrtype --dst-type BROADCAST", destination="10.9.9.255", environment=environment) is True
    assert meet("-m addrtype --dst-type LOCAL", destination="10.9.9.8", environment=environment) is False


@pytest.mark.parametrize("n", [*range(2, 200), 333, 999, 1000, 5000, 10000, 20000])
def test_a_printed_probability_means_one_in_n(n: int) -> None:
    assert read_probability(probability(1, n)) == Fraction(1, n)
    assert read_probability(f"{1 / n:.10f}") == Fraction(1, n)


@pytest.mark.parametrize(("chosen", "choices"), [(16, 1000), (16, 984), (7, 129), (31, 4000), (2, 3)])
def test_groups_of_endpoints_have_their_share(chosen: int, choices: int) -> None:
    assert read_probability(probability(chosen, choices)) == Fraction(chosen, choices)


def test_a_probability_that_is_no_simple_fraction_stays_as_it_is() -> None:
    assert read_probability("0.00000000047") == Fraction(1, 2**31)
