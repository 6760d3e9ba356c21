"""Every measured example: what the rules do to packets is what the objects promise, with exact shares."""

from functools import cache
from pathlib import Path

import pytest

from pykubeproxy.rules.parse import parse
from pykubeproxy.trace import Environment, Packet, Trace, Tracer, local_address
from tests.builders import ip
from tests.trace.service_model import LOOPBACK, NODE_ADDRESSES, Cluster, Fate, Question

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/objects.yaml"))
ENVIRONMENT = Environment(
    addresses=(
        local_address("172.31.1.2/30", "eth0"),
        local_address("fd00:31:1::2/64", "eth0"),
        local_address("127.0.0.1/8", "lo"),
        local_address("::1/128", "lo"),
    )
)
FEWEST_QUESTIONS = 12


@cache
def tracer(folder: Path, version: int) -> Tracer:
    with (folder / f"ipv{version}.save").open() as dump:
        return Tracer(parse(dump), ENVIRONMENT)


def ask(folder: Path, question: Question) -> Trace:
    client = question.client
    source = client.address
    if question.address in LOOPBACK.values():
        source = question.address  # what a process gets that connects to localhost
    packet = Packet(
        source=ip(source),
        destination=ip(question.address),
        protocol=question.protocol,
        destination_port=question.port,
        from_node=client.is_node,
        in_interface=client.interface,
    )
    return tracer(folder, client.version).trace(packet)


def fate(found: Trace) -> Fate:
    shares: Fate = {}
    for outcome in found.outcomes:
        key = (outcome.verdict.value, outcome.dnat, outcome.masquerade)
        assert key not in shares, "equal outcomes are summed up"
        shares[key] = outcome.probability
    return shares


def test_there_is_a_corpus() -> None:
    assert len(FOLDERS) >= 54
    assert set(NODE_ADDRESSES) == {4, 6}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_packets_fare_as_the_objects_promise(folder: Path) -> None:
    questions = list(Cluster(folder).questions())
    assert len(questions) >= FEWEST_QUESTIONS or folder.name == "external-name"
    for question in questions:
        found = ask(folder, question)
        assert fate(found) == question.fate, str(question)
        assert sum(outcome.probability for outcome in found.outcomes) == 1
        assert found.tree.probability == 1
