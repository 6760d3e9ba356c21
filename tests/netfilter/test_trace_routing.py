"""The routing decision, and packets and addresses that make no sense."""

from typing import Any

import msgspec
import pytest

from pykubeproxy.model.route import Route, RouteKind
from pykubeproxy.netfilter import Environment, Outcome, Packet, Verdict, local_address
from tests.builders import cidr, ip
from tests.netfilter.asking import NODE, follow, only, packet, reason_of

ROUTES = (
    Route(destination=cidr("10.244.0.0/24"), device="cni0"),
    Route(destination=cidr("10.244.1.0/24"), device="eth0", via=ip("10.0.0.2")),
    Route(destination=cidr("10.244.1.128/25"), device="flannel.1", via=ip("10.244.1.128")),
    Route(destination=cidr("10.66.0.0/16"), kind=RouteKind.BLACKHOLE),
    Route(destination=cidr("10.67.0.0/16"), kind=RouteKind.UNREACHABLE),
    Route(destination=cidr("10.68.0.0/16"), kind=RouteKind.PROHIBIT),
    Route(destination=cidr("10.96.0.0/16"), device="eth0", via=ip("10.0.0.254")),
    Route(destination=cidr("10.96.0.0/16"), device="eth1"),
)
ROUTED = Environment(addresses=NODE.addresses, routes=ROUTES)


def sent(destination: str, environment: Environment = ROUTED, **fields: Any) -> Outcome:
    return only(follow(environment, dump={}, destination=destination, **fields))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    ("destination", "verdict", "reason"),
    [
        ("10.244.0.7", Verdict.ACCEPT, "sent to 10.244.0.7:80 dev cni0, as no rule redirects it"),
        ("10.244.1.7", Verdict.ACCEPT, "sent to 10.244.1.7:80 via 10.0.0.2 dev eth0, as no rule redirects it"),
        (
            "10.244.1.200",
            Verdict.ACCEPT,
            "sent to 10.244.1.200:80 via 10.244.1.128 dev flannel.1, as no rule redirects it",
        ),
        ("10.96.0.9", Verdict.ACCEPT, "sent to 10.96.0.9:80 via 10.0.0.254 dev eth0, as no rule redirects it"),
        ("10.0.0.1", Verdict.ACCEPT, "delivered to 10.0.0.1:80 on this node itself"),
        ("8.8.8.8", Verdict.REJECT, "8.8.8.8 cannot be reached: there is no route to it"),
        ("10.66.0.1", Verdict.DROP, "10.66.0.1 cannot be reached: the route to 10.66.0.0/16 is a blackhole"),
        ("10.67.0.1", Verdict.REJECT, "10.67.0.1 cannot be reached: the route to 10.67.0.0/16 is marked unreachable"),
        ("10.68.0.1", Verdict.REJECT, "10.68.0.1 cannot be reached: the route to 10.68.0.0/16 is marked prohibit"),
    ],
)
def test_the_longest_prefix_wins_and_of_equals_the_first(
    destination: str, verdict: Verdict, reason: str, *, own: bool
) -> None:
    found = sent(destination, source="10.0.0.1" if own else "10.244.0.9", from_node=own)
    assert reason_of(found) == reason
    assert found.verdict is verdict


def test_the_way_out_is_known_to_later_rules() -> None:
    dump = {"filter": "FORWARD -o flannel.1 -j DROP", "nat": "POSTROUTING -o eth0 -j MASQUERADE"}
    assert only(follow(ROUTED, dump=dump, destination="10.244.1.200")).verdict is Verdict.DROP
    assert only(follow(ROUTED, dump=dump, destination="10.244.1.7")).masquerade


def test_a_node_that_does_not_forward() -> None:
    silent = Environment(addresses=NODE.addresses, forwarding=False)
    found = sent("10.96.0.1", silent)
    reason = "10.96.0.1 cannot be reached: this node does not forward packets (ip_forward is 0)"
    assert (found.verdict, reason_of(found)) == (Verdict.DROP, reason)
    assert sent("10.0.0.1", silent).verdict is Verdict.ACCEPT
    assert sent("10.96.0.1", silent, source="10.0.0.1", from_node=True).verdict is Verdict.ACCEPT


def test_loopback_addresses_stay_on_a_node_without_route_localnet() -> None:
    dump = {"nat": "OUTPUT -p tcp --dport 30080 -j DNAT --to-destination 10.244.1.7:8080"}
    asked: dict[str, Any] = {"source": "127.0.0.1", "destination": "127.0.0.1", "destination_port": 30080}
    found = only(follow(msgspec.structs.replace(ROUTED, route_localnet=False), dump=dump, from_node=True, **asked))
    assert found.verdict is Verdict.DROP
    assert "127.0.0.0/8 must not leave this node (net.ipv4.conf.all.route_localnet is 0)" in reason_of(found)
    assert only(follow(ROUTED, dump=dump, from_node=True, **asked)).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("text", ["", "node-0", "10.0.0.0/33", "10.0.0.1/", "10.0.0"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither an IP address nor a network|not a prefix length"):
        local_address(text)


def test_packets_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 and fd00::1 are not of the same IP family"):
        Packet(source=ip("10.0.0.1"), destination=ip("fd00::1"))
    for protocol in ("http", "", "256", "-1"):
        with pytest.raises(ValueError, match="is not an IP protocol: use a name such as tcp"):
            packet(protocol=protocol)
    numbers = {"TCP": 6, "udp": 17, "sctp": 132, "47": 47}
    assert {protocol: packet(protocol=protocol).protocol_number for protocol in numbers} == numbers
