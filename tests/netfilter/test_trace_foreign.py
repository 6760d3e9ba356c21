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
DEVICES = {"eth0": "10.0.0.1/24", "docker0": "172.17.0.1/16", "cni0": "10.244.0.1/24"}
ROUTES = {"docker0": "172.17.0.0/16", "cni0": "10.244.0.0/24", "eth0": "0.0.0.0/0"}
ENVIRONMENT = Environment(
    addresses=tuple(local_address(address, device) for device, address in DEVICES.items()),
    routes=tuple(Route(destination=cidr(network), device=device) for device, network in ROUTES.items()),
)
ACCEPT, DROP, REJECT = Verdict.ACCEPT, Verdict.DROP, Verdict.REJECT


def passes(name: str, **fields: Any) -> Outcome:
    dump = (FOREIGN / f"{name}.save").read_text().splitlines()
    return only(trace(parse(dump), packet(**fields), ENVIRONMENT))


def from_outside(port: int = 80, **fields: Any) -> dict[str, Any]:
    return {
        "source": "203.0.113.9",
        "destination": "10.0.0.1",
        "in_interface": "eth0",
        "destination_port": port,
        **fields,
    }


def from_node(destination: str, port: int, source: str = "10.0.0.1") -> dict[str, Any]:
    return {"source": source, "destination": destination, "destination_port": port, "from_node": True}


def from_container(destination: str, port: int) -> dict[str, Any]:
    return {"source": "172.17.0.2", "destination": destination, "destination_port": port, "in_interface": "docker0"}


@pytest.mark.parametrize(
    ("name", "fields", "verdict", "dnat", "masquerade"),
    [
        ("docker", from_outside(8080), ACCEPT, "172.17.0.2:80", False),
        ("docker", from_node("10.0.0.1", 8080), ACCEPT, "172.17.0.2:80", False),
        ("docker", from_node("127.0.0.1", 8080), ACCEPT, None, False),
        ("docker", from_outside(81, destination="172.17.0.2"), DROP, None, False),
        ("docker", from_container("203.0.113.9", 80), ACCEPT, None, True),
        ("docker", from_container("10.0.0.1", 8080), ACCEPT, None, False),
        ("portmap", from_outside(8081), ACCEPT, "10.244.0.5:80", False),
        ("portmap", from_outside(8081, source="10.244.0.9"), ACCEPT, "10.244.0.5:80", True),
        ("portmap", from_node("127.0.0.1", 8081, "127.0.0.1"), ACCEPT, "10.244.0.5:80", True),
        ("portmap", from_outside(8082), ACCEPT, None, False),
        ("firewalld", from_outside(protocol="udp"), REJECT, None, False),
        ("firewalld", from_outside(30080), ACCEPT, None, False),
        ("firewalld", from_node("10.0.0.1", 80), ACCEPT, None, False),
    ],
)
def test_what_becomes_of_packets(
    name: str, fields: dict[str, Any], verdict: Verdict, dnat: str | None, masquerade: object
) -> None:
    found = passes(name, **fields)
    assert (found.verdict, found.dnat, found.masquerade) == (verdict, dnat, masquerade)


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        (
            "docker",
            from_outside(8080, source="198.51.100.9"),
            "dropped by rule 1 of chain DOCKER-USER in table filter: -A DOCKER-USER -s 198.51.100.0/24 -i eth0 -j DROP",
        ),
        (
            "docker",
            from_outside(destination="10.244.0.5"),
            "policy DROP of chain FORWARD in table filter: no rule there accepted the packet",
        ),
        ("portmap", from_outside(destination="127.0.0.1"), "(KUBE-FIREWALL)"),
        ("portmap", from_outside(mark=0x8000), "KUBE-MARK-DROP"),
        (
            "firewalld",
            from_outside(destination="10.244.0.5"),
            "rejected by rule 6 of chain FORWARD in table filter: -A FORWARD -j REJECT",
        ),
        # Who is banned is not in a dump.
        ("firewalld", from_outside(22), "cannot decide: -m set --match-set f2b-sshd src"),
    ],
)
def test_why_packets_do_not_arrive(name: str, fields: dict[str, Any], reason: str) -> None:
    found = passes(name, **fields)
    assert found.verdict is not ACCEPT
    assert reason in reason_of(found)
