"""Other programs' rules: Docker, CNI portmap and kubelet, firewalld."""

from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.model.route import Route
from pykubeproxy.netfilter import Environment, Outcome, Verdict, local_address, trace
from pykubeproxy.rules.parse import parse
from tests.builders import cidr
from tests.netfilter.asking import only, packet, reason_of

FOREIGN = Path(__file__).parent / "foreign"
ENVIRONMENT = Environment(
    addresses=(
        local_address("10.0.0.1/24", "eth0"),
        local_address("172.17.0.1/16", "docker0"),
        local_address("10.244.0.1/24", "cni0"),
    ),
    routes=(
        Route(destination=cidr("172.17.0.0/16"), device="docker0"),
        Route(destination=cidr("10.244.0.0/24"), device="cni0"),
        Route(destination=cidr("0.0.0.0/0"), device="eth0"),
    ),
)
OUTSIDE: dict[str, Any] = {"source": "203.0.113.9", "destination": "10.0.0.1", "in_interface": "eth0"}
OWN: dict[str, Any] = {"source": "10.0.0.1", "destination": "10.0.0.1", "from_node": True}


def passes(name: str, **fields: Any) -> Outcome:
    dump = (FOREIGN / f"{name}.save").read_text().splitlines()
    return only(trace(parse(dump), packet(**fields), ENVIRONMENT))


@pytest.mark.parametrize(
    ("fields", "verdict", "dnat", "masquerade"),
    [
        ({**OUTSIDE, "destination_port": 8080}, Verdict.ACCEPT, "172.17.0.2:80", False),
        ({**OWN, "destination_port": 8080}, Verdict.ACCEPT, "172.17.0.2:80", False),
        ({**OWN, "destination": "127.0.0.1", "destination_port": 8080}, Verdict.ACCEPT, None, False),
        ({**OUTSIDE, "source": "198.51.100.9", "destination_port": 8080}, Verdict.DROP, "172.17.0.2:80", False),
        ({**OUTSIDE, "destination": "172.17.0.2", "destination_port": 81}, Verdict.DROP, None, False),
        (
            {"source": "172.17.0.2", "destination": "203.0.113.9", "in_interface": "docker0"},
            Verdict.ACCEPT,
            None,
            True,
        ),
        (
            {"source": "172.17.0.2", "destination": "10.0.0.1", "destination_port": 8080, "in_interface": "docker0"},
            Verdict.ACCEPT,
            None,
            False,
        ),
    ],
)
def test_docker(fields: dict[str, Any], verdict: Verdict, dnat: str | None, masquerade: object) -> None:
    found = passes("docker", **fields)
    assert (found.verdict, found.dnat, found.masquerade) == (verdict, dnat, masquerade)


def test_docker_says_why() -> None:
    assert reason_of(passes("docker", **{**OUTSIDE, "source": "198.51.100.9", "destination_port": 8080})) == (
        "dropped by rule 1 of chain DOCKER-USER in table filter: -A DOCKER-USER -s 198.51.100.0/24 -i eth0 -j DROP"
    )
    assert reason_of(passes("docker", **{**OUTSIDE, "destination": "10.244.0.5"})) == (
        "policy DROP of chain FORWARD in table filter: no rule there accepted the packet"
    )


@pytest.mark.parametrize(
    ("fields", "dnat", "masquerade"),
    [
        ({**OUTSIDE, "destination_port": 8081}, "10.244.0.5:80", False),
        ({**OUTSIDE, "source": "10.244.0.9", "destination_port": 8081}, "10.244.0.5:80", True),
        ({**OWN, "source": "127.0.0.1", "destination": "127.0.0.1", "destination_port": 8081}, "10.244.0.5:80", True),
        ({**OUTSIDE, "destination_port": 8082}, None, False),
    ],
)
def test_a_host_port(fields: dict[str, Any], dnat: str | None, masquerade: object) -> None:
    found = passes("portmap", **fields)
    assert (found.verdict, found.dnat, found.masquerade) == (Verdict.ACCEPT, dnat, masquerade)


def test_kubelet_keeps_loopback_to_the_node_and_drops_what_is_marked() -> None:
    localnet = passes("portmap", **{**OUTSIDE, "destination": "127.0.0.1"})
    assert (localnet.verdict, "KUBE-FIREWALL" in reason_of(localnet)) == (Verdict.DROP, True)
    marked = passes("portmap", **OUTSIDE, mark=0x8000)
    assert (marked.verdict, "KUBE-MARK-DROP" in reason_of(marked)) == (Verdict.DROP, True)


def test_firewalld_opens_node_ports_only() -> None:
    assert passes("firewalld", **OUTSIDE, protocol="udp").verdict is Verdict.REJECT
    assert passes("firewalld", **{**OUTSIDE, "destination_port": 30080}).verdict is Verdict.ACCEPT
    assert reason_of(passes("firewalld", **{**OUTSIDE, "destination": "10.244.0.5"})) == (
        "rejected by rule 6 of chain FORWARD in table filter: -A FORWARD -j REJECT --reject-with icmp-host-prohibited"
    )
    assert passes("firewalld", **OWN).verdict is Verdict.ACCEPT


def test_who_is_banned_is_not_in_a_dump() -> None:
    found = passes("firewalld", **{**OUTSIDE, "destination_port": 22})
    assert (found.verdict, reason_of(found)) == (
        Verdict.UNDECIDED,
        "cannot decide: -m set --match-set f2b-sshd src",
    )
    banned, welcome = found.alternatives
    assert (banned.outcomes[0].verdict, welcome.outcomes[0].verdict) == (Verdict.REJECT, Verdict.ACCEPT)
