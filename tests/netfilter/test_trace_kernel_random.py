"""The trace against the kernel: under random rules, packets fare as it said, and every rule counts what it said."""

import re
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from pykubeproxy.netfilter import Outcome, Packet, Tracer, Verdict
from pykubeproxy.rules.parse import parse
from tests.builders import ip
from tests.host.namespace import needs_root
from tests.netfilter.asking import only
from tests.netfilter.kernel_lab import IPV4, IPV6, PORTS, Lab, Plan, open_lab
from tests.netfilter.random_rules import RandomRules

BACKENDS = ("nft", "legacy")
SEEDS = range(12)
QUESTIONS = 10

# No two tests use the same source ports, so that every datagram begins a connection.
SOURCE_PORTS = count(20000, QUESTIONS)

pytestmark = needs_root


@pytest.fixture(name="lab", scope="module", params=[IPV4, IPV6], ids=lambda plan: f"IPv{plan.version}")
def fixture_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with open_lab(request.param) as lab:
        yield lab


class Question:
    """A datagram that is sent, and what should become of it."""

    def __init__(self, number: int, first_port: int, plan: Plan) -> None:
        goals = (plan.to_client, plan.to_server, *plan.servers, plan.service)
        self.machine, self.source = (("client", plan.client), ("node", plan.to_server))[number // len(goals)]
        self.destination = goals[number % len(goals)]
        self.port = PORTS[number % len(PORTS)]
        self.source_port = first_port + number
        self.content = str(number).encode()

    @property
    def packet(self) -> Packet:
        return Packet(
            source=ip(self.source),
            destination=ip(self.destination),
            protocol="udp",
            source_port=self.source_port,
            destination_port=self.port,
            from_node=self.machine == "node",
            in_interface=None if self.machine == "node" else "cl",
        )

    def send(self, lab: Lab) -> socket.socket:
        sender = lab.sender(self.machine, self.source, self.source_port)
        sender.setblocking(False)
        try:
            sender.connect((self.destination, self.port))
            sender.send(self.content)
        except (PermissionError, ConnectionRefusedError):  # dropped or rejected in OUTPUT
            pass
        return sender


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_packets_fare_as_traced(lab: Lab, backend: str, seed: int) -> None:
    tool = f"{lab.plan.tool}-{backend}"
    if not shutil.which(f"{tool}-restore"):
        pytest.skip(f"there is no {tool}")
    first_port = next(SOURCE_PORTS)
    lab.node.exec(f"{tool}-restore", stdin=RandomRules(seed, lab.plan, first_port).document())
    try:
        tracer = Tracer(parse(lab.node.exec(f"{tool}-save").splitlines()), lab.plan.environment())
        questions = [Question(number, first_port, lab.plan) for number in range(QUESTIONS)]
        outcomes = [only(tracer.trace(question.packet)) for question in questions]
        compare(lab, questions, outcomes)
        if lab.plan is IPV4:  # IPv6 has packets of its own
            compare_counters(lab.node.exec(f"{tool}-save", "-c"), outcomes)
    finally:
        lab.node.exec(f"{tool}-restore", stdin="".join(f"*{table}\nCOMMIT\n" for table in TABLES))


TABLES = ("raw", "mangle", "nat", "filter")


def compare(lab: Lab, questions: list[Question], outcomes: list[Outcome]) -> None:
    """Sends all datagrams, and looks where they arrive."""
    senders = [question.send(lab) for question in questions]
    arrived = lab.arrivals(sum(outcome.verdict is Verdict.ACCEPT for outcome in outcomes))
    for sender in senders:
        sender.close()
    for question, outcome in zip(questions, outcomes, strict=True):
        found = arrived.get(question.content)
        assert (found is not None) == (outcome.verdict is Verdict.ACCEPT), outcome
        if found is not None:
            assert found.destination == (outcome.dnat or lab.plan.with_port(question.destination, question.port))
            assert found.source in sources(lab.plan, question, outcome)
            if not (outcome.snat or outcome.masquerade):
                assert found.source_port == question.source_port


def sources(plan: Plan, question: Question, outcome: Outcome) -> tuple[str, ...]:
    """The sources that the receiver may see."""
    if outcome.masquerade:
        return plan.to_client, plan.to_server
    return (outcome.snat or question.source,)


def compare_counters(saved: str, outcomes: list[Outcome]) -> None:
    """Every rule has matched exactly the packets whose path holds it.

    Refusals are packets themselves, but never meet rules in nat.
    """
    refused = any(outcome.verdict is Verdict.REJECT for outcome in outcomes)
    expected = Counter(
        (step.table, step.chain, step.position) for outcome in outcomes for step in outcome.path if step.rule
    )
    table, numbers = "", Counter[str]()
    for line in saved.splitlines():
        if line.startswith("*"):
            table, numbers = line[1:], Counter()
        elif found := re.match(r"\[(\d+):\d+\] -A (\S+)", line):
            numbers[found[2]] += 1
            if table == "nat" or not refused:
                assert int(found[1]) == expected[table, found[2], numbers[found[2]]], f"{table}: {line}"
