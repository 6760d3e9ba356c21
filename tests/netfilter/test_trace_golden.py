"""Every example: what the rules do to packets is what the objects promise, with exact shares."""

import pytest

from pykubeproxy.netfilter import Environment, Packet, Trace, Tracer, local_address
from pykubeproxy.rules.parse import parse
from tests.builders import ip
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, examples, host_addresses, rendered
from tests.netfilter.service_model import LOOPBACK, NODE_ADDRESSES, Cluster, Fate, Question

CORPUS = examples(GOLDEN)
ENVIRONMENT = Environment(
    addresses=(
        local_address("172.31.1.2/30", "eth0"),
        local_address("fd00:31:1::2/64", "eth0"),
        local_address("127.0.0.1/8", "lo"),
        local_address("::1/128", "lo"),
    )
)
FEWEST_QUESTIONS = 6


def ask(tracer: Tracer, question: Question) -> Trace:
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
    return tracer.trace(packet)


def fate(found: Trace) -> Fate:
    shares: Fate = {}
    for outcome in found.outcomes:
        key = (outcome.verdict.value, outcome.dnat, outcome.masquerade)
        assert key not in shares, "equal outcomes are summed up"
        shares[key] = outcome.probability
    return shares


def check(example: Example, dumps: dict[int, str]) -> None:
    """Asks everything about the rules of both families."""
    tracers = {version: Tracer(parse(dump.splitlines()), ENVIRONMENT) for version, dump in dumps.items()}
    questions = list(Cluster(example.folder).questions())
    assert len(questions) >= FEWEST_QUESTIONS
    for question in questions:
        found = ask(tracers[question.client.version], question)
        assert fate(found) == question.fate, str(question)
        assert sum(outcome.probability for outcome in found.outcomes) == 1
        assert found.tree.probability == 1


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) >= 54
    assert set(NODE_ADDRESSES.values()) <= set(GOLDEN_NODE)


@pytest.mark.parametrize("example", CORPUS, ids=str)
def test_measured_rules_do_what_the_objects_promise(example: Example) -> None:
    check(example, {version: example.saved(f"ipv{version}") for version in (4, 6)})


@pytest.mark.parametrize("dispatch", ["tree", "linear"])
@pytest.mark.parametrize("example", CORPUS, ids=str)
def test_our_rules_do_so_too(example: Example, dispatch: str) -> None:
    documents = rendered(example, "--dispatch", dispatch, *host_addresses(GOLDEN_NODE))
    check(example, {version: documents[f"ipv{version}"] for version in (4, 6)})
