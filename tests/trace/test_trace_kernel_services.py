"""The trace against the kernel: with measured rules loaded, connections end where it says, seen as it says."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from pykubeproxy.rules.parse import parse
from pykubeproxy.trace import Environment, Packet, Trace, Verdict, local_address, trace
from tests.builders import ip
from tests.host.namespace import needs_root
from tests.trace.service_lab import NODE_ADDRESS, Connection, ServiceLab, open_service_lab
from tests.trace.service_model import Cluster, Question

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = (
    "both-policies-local",
    "clusterip-no-endpoints",
    "clusterip-three-endpoints",
    "external-ips-local",
    "internal-policy-local-no-local-endpoints",
    "loadbalancer-source-ranges",
    "loadbalancer-source-ranges-excluding-node",
    "masquerade-all",
    "nodeport",
    "nodeport-local-no-local-endpoints",
    "nodeport-no-endpoints",
)
ENVIRONMENT = Environment(addresses=(local_address(NODE_ADDRESS, "eth0"),))

# So many connections miss one of three endpoints once in ten thousand million times.
MOST_CONNECTIONS = 60

pytestmark = needs_root


@pytest.fixture(name="lab", scope="module")
def fixture_lab() -> Iterator[ServiceLab]:
    if not shutil.which("iptables-restore"):
        pytest.skip("there is no iptables-restore")
    with open_service_lab() as lab:
        yield lab


def traced(dump: str, question: Question, environment: Environment = ENVIRONMENT) -> Trace:
    packet = Packet(
        source=ip(source(question)),
        destination=ip(question.address),
        protocol=question.protocol,
        destination_port=question.port,
        from_node=question.client.is_node,
        in_interface=question.client.interface,
    )
    return trace(parse(dump.splitlines()), packet, environment)


def connections(found: Trace, client: str) -> set[Connection]:
    """The connections that a trace says can be seen; this node has one address to masquerade with."""
    return {
        Connection(verdict="ACCEPT", endpoint=each.dnat, client=NODE_ADDRESS if each.masquerade else client)
        if each.verdict is Verdict.ACCEPT
        else Connection(verdict=each.verdict.value)
        for each in found.outcomes
    }


def source(question: Question) -> str:
    return question.address if question.address.startswith("127.") else question.client.address


def questions(folder: Path) -> list[Question]:
    """What can be asked in IPv4 over TCP, and is answered by an endpoint or refused by the node."""
    return [
        question
        for question in Cluster(folder).questions()
        if question.protocol == "tcp" and question.client.version == 4 and ("ACCEPT", None, False) not in question.fate
    ]


@pytest.mark.parametrize("name", FOLDERS)
def test_connections_fare_as_traced(lab: ServiceLab, name: str) -> None:
    dump = (GOLDEN / name / "ipv4.save").read_text()
    lab.load(dump)
    asked = questions(GOLDEN / name)
    assert asked
    for question in asked:
        expected = connections(traced(dump, question), source(question))
        seen: set[Connection] = set()
        for _ in range(MOST_CONNECTIONS):
            seen.add(lab.connect(source(question), question.address, question.port))
            if seen >= expected:
                break
        assert seen == expected, str(question)


def test_a_client_stays_with_its_endpoint(lab: ServiceLab) -> None:
    dump = (GOLDEN / "session-affinity" / "ipv4.save").read_text()
    lab.load(dump)
    for question in questions(GOLDEN / "session-affinity"):
        if ("REJECT", None, False) in question.fate:
            continue
        connect = partial(lab.connect, source(question), question.address, question.port)
        first = connect()
        assert first in connections(traced(dump, question), source(question))
        again = msgspec.structs.replace(ENVIRONMENT, seen_at=first.endpoint)
        assert {connect() for _ in range(5)} == connections(traced(dump, question, again), source(question)) == {first}
