"""Why a packet is refused, in sentences."""

from typing import Any

import pytest

from pykubeproxy.netfilter import Verdict
from tests.netfilter.asking import INVALID, follow, only, reason_of

SERVICES = 'FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
EXTERNAL = "FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES"
FIREWALL = "FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL"
TO_PORT = "-d 10.96.0.1/32 -p tcp -m comment --comment"
NO_ENDPOINTS = (
    f'{TO_PORT} "ns/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable'
)
NO_LOCAL = f'{TO_PORT} "ns/web:http has no local endpoints" -m tcp --dport 80 -j DROP'
NOT_IN_RANGES = f'{TO_PORT} "ns/web:http traffic not accepted by KUBE-FW-X" -m tcp --dport 80 -j DROP'
REGION = f"-d 10.96.0.0/16 -j KUBE-EXT-10.96.0.0/16\nKUBE-EXT-10.96.0.0/16 {NO_LOCAL}"


@pytest.mark.parametrize(
    ("rules", "verdict", "reason"),
    [
        (f"{SERVICES}\nKUBE-SERVICES {NO_ENDPOINTS}", Verdict.REJECT, "no ready endpoints for ns/web:http"),
        (
            f"{SERVICES}\nKUBE-SERVICES {NO_LOCAL}",
            Verdict.DROP,
            "internalTrafficPolicy: Local and no endpoint on this node for ns/web:http",
        ),
        (
            f"{EXTERNAL}\nKUBE-EXTERNAL-SERVICES {NO_LOCAL}",
            Verdict.DROP,
            "externalTrafficPolicy: Local and no endpoint on this node for ns/web:http",
        ),
        (
            f"{SERVICES}\nKUBE-SERVICES -p udp\n{EXTERNAL}\nKUBE-EXTERNAL-SERVICES {REGION}",
            Verdict.DROP,
            "externalTrafficPolicy: Local and no endpoint on this node for ns/web:http",
        ),
        (
            f"{FIREWALL}\nKUBE-PROXY-FIREWALL {NOT_IN_RANGES}",
            Verdict.DROP,
            "source 10.244.0.9 not in loadBalancerSourceRanges of ns/web:http",
        ),
        (
            f"FORWARD -j somewhere\nsomewhere {NO_LOCAL}",
            Verdict.DROP,
            "traffic policy: Local and no endpoint on this node for ns/web:http",
        ),
        (
            ":FORWARD DROP [0:0]\nFORWARD -p udp -j ACCEPT",
            Verdict.DROP,
            "policy DROP of chain FORWARD in table filter: no rule there accepted the packet",
        ),
        (
            "FORWARD -p udp\nFORWARD -j MINE\nMINE -s 10.244.0.0/16 -j DROP",
            Verdict.DROP,
            "dropped by rule 1 of chain MINE in table filter: -A MINE -s 10.244.0.0/16 -j DROP",
        ),
        (
            "FORWARD -p tcp -j REJECT --reject-with tcp-reset",
            Verdict.REJECT,
            "rejected by rule 1 of chain FORWARD in table filter: -A FORWARD -p tcp -j REJECT --reject-with tcp-reset",
        ),
    ],
)
def test_refusals(rules: str, verdict: Verdict, reason: str) -> None:
    found = only(follow(dump={"filter": rules}))
    assert (found.verdict, reason_of(found)) == (verdict, reason)


LOCALNET = "KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"

FIXED: list[tuple[str, dict[str, Any], str]] = [
    (
        f"INPUT -j KUBE-FIREWALL\n{LOCALNET}",
        {"destination": "127.0.0.1"},
        "loopback addresses of this node must not be reached from elsewhere (KUBE-FIREWALL)",
    ),
    (
        "FORWARD -j KUBE-FIREWALL\nKUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
        {"mark": 0x8000},
        "the packet was marked to be dropped (KUBE-MARK-DROP, dropped in KUBE-FIREWALL)",
    ),
    (
        "FORWARD -j KUBE-FORWARD\nKUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
        {"ctstate": INVALID},
        "conntrack finds the packet INVALID: it belongs to no connection that is known here (KUBE-FORWARD)",
    ),
]


@pytest.mark.parametrize(("rules", "fields", "reason"), FIXED)
def test_rules_that_every_node_has(rules: str, fields: dict[str, Any], reason: str) -> None:
    found = only(follow(dump={"filter": rules}, **fields))
    assert (found.verdict, reason_of(found)) == (Verdict.DROP, reason)


def test_where_an_accepted_packet_goes() -> None:
    dump = {"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.244.1.5:8080"}
    assert reason_of(only(follow(dump=dump))) == "sent to 10.244.1.5:8080"
    assert reason_of(only(follow(dump={}))) == "sent to 10.96.0.1:80, as no rule redirects it"
