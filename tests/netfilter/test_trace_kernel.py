"""The trace against the kernel: what is sent arrives where it says, or is refused as it says, under rules of all kinds.

Under those of every example, ours for it, and random ones; under the last, every rule counts what it said as well.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
import yaml

from e2e.lab import has_sctp
from pykubeproxy.netfilter import Outcome, Packet, Tracer, Verdict
from pykubeproxy.rules.parse import parse
from tests.builders import ip
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, examples, host_addresses, rendered
from tests.host.namespace import needs_root
from tests.netfilter.asking import only
from tests.netfilter.corpus_lab import NODE, NODE_ADDRESSES, Attempt, CorpusLab, Endpoint, Seen, open_corpus_labs
from tests.netfilter.random_rules import CLIENT, FIRST_SOURCE_PORT, PORTS, SERVERS, TO_CLIENT, RandomRules, environment
from tests.netfilter.service_model import Cluster, Question

# So many connections miss one of three endpoints once in ten thousand million times.
MOST_ROUNDS = 60
# Of more endpoints not every one has to be met.
MOST_ENDPOINTS = 5

TABLES = ("raw", "mangle", "nat", "filter")
_TARGET = re.compile(r"-p (tcp|udp|sctp) .*--to-destination (\S+)$", re.MULTILINE)

pytestmark = needs_root


@pytest.fixture(name="labs", scope="module")
def fixture_labs() -> Iterator[dict[int, CorpusLab]]:
    for tool in ("iptables-restore", "conntrack"):
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool}")
    with open_corpus_labs() as labs:
        yield labs


def told(outcome: Outcome, packet: Packet) -> Seen:
    """What a trace says, as it can be seen; masquerading may take any address of the node's."""
    if outcome.verdict is not Verdict.ACCEPT:
        return Seen(verdict=outcome.verdict.value)
    client = NODE[4] if outcome.masquerade else outcome.snat or packet.source.text
    return as_node(Seen(verdict="ACCEPT", endpoint=outcome.dnat, client=client))


def as_node(seen: Seen) -> Seen:
    """The same, with one address for all of the node's."""
    return msgspec.structs.replace(seen, client=NODE[4]) if seen.client in NODE_ADDRESSES else seen


class Expected:
    """What a trace says that can come of an attempt."""

    def __init__(self, tracer: Tracer, question: Question) -> None:
        self.question, packet = question, question.packet
        self.fates = [told(each, packet) for each in tracer.trace(packet).outcomes]
        self.attempt = Attempt(
            source=packet.source.text,
            destination=packet.destination.text,
            port=packet.destination_port or 0,
            protocol=packet.protocol,
            may_be_dropped=any(seen.verdict == "DROP" for seen in self.fates),
        )

    @property
    def is_testable(self) -> bool:
        """False for packets that the rules leave alone, and for a protocol that this kernel does not speak."""
        leads_nowhere = any(seen.verdict == "ACCEPT" and seen.endpoint is None for seen in self.fates)
        return not leads_nowhere and (self.attempt.protocol != "sctp" or has_sctp())


def expectations(example: Example, dump: str, version: int) -> list[Expected]:
    tracer = Tracer(parse(dump.splitlines()), environment(version))
    found = (Expected(tracer, question) for question in Cluster(example.folder).questions(version))
    return [each for each in found if each.is_testable]


def prepare(lab: CorpusLab, dump: str, expected: list[Expected]) -> None:
    interfaces = {each.question.packet.in_interface or "" for each in expected} - {"", "eth0"}
    targets = ((protocol, *target.rsplit(":", 1)) for protocol, target in _TARGET.findall(dump))
    lab.load(dump)
    lab.set_up(
        next(iter(interfaces), "cni0"),
        {each.attempt.source for each in expected},
        [Endpoint(its, where.strip("[]"), int(port)) for its, where, port in targets if its != "sctp" or has_sctp()],
    )


def sticky_services(example: Example) -> tuple[str, ...]:
    """What is in questions about Services whose clients stay with one endpoint."""
    objects = yaml.safe_load_all((example.folder / "objects.yaml").read_text())
    services = (each for each in objects if each["kind"] == "Service")
    return tuple(
        f"{each['metadata']['name']}:" for each in services if each["spec"].get("sessionAffinity") == "ClientIP"
    )


def check(lab: CorpusLab, example: Example, dump: str, version: int) -> None:
    """Ask until all that can come of every question has come of it."""
    expected = expectations(example, dump, version)
    sticky = sticky_services(example)
    missing = {each: set(each.fates) for each in expected}
    prepare(lab, dump, expected)
    try:
        for _ in range(MOST_ROUNDS):
            for each, seen in zip(missing, lab.send([each.attempt for each in missing]), strict=True):
                assert as_node(seen) in each.fates, str(each.question)
                missing[each].discard(as_node(seen))
                if any(name in each.question.about for name in sticky) or len(each.fates) > MOST_ENDPOINTS:
                    missing[each].clear()
            missing = {each: its for each, its in missing.items() if its}
            if not missing:
                return
        pytest.fail(f"never seen: {[(str(each.question), its) for each, its in missing.items()]}")
    finally:
        lab.close()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("example", examples(GOLDEN), ids=str)
def test_under_measured_rules_everything_fares_as_traced(
    labs: dict[int, CorpusLab], example: Example, version: int
) -> None:
    check(labs[version], example, example.saved(f"ipv{version}"), version)


@pytest.mark.parametrize("version", [4, pytest.param(6, marks=pytest.mark.night)])
@pytest.mark.parametrize("example", examples(GOLDEN), ids=str)
def test_under_our_rules_as_well(labs: dict[int, CorpusLab], example: Example, version: int) -> None:
    dump = rendered(example, "--dispatch", "tree", *host_addresses(GOLDEN_NODE))[f"ipv{version}"]
    check(labs[version], example, dump, version)


def test_a_client_stays_with_its_endpoint(labs: dict[int, CorpusLab]) -> None:
    example = Example(GOLDEN / "session-affinity")
    dump, lab = example.saved("ipv4"), labs[4]
    answered = [each for each in expectations(example, dump, 4) if Seen(verdict="REJECT") not in each.fates]
    assert answered
    prepare(lab, dump, answered)
    try:
        first = lab.send([each.attempt for each in answered])
        for _ in range(5):
            assert lab.send([each.attempt for each in answered]) == first
    finally:
        lab.close()
    for each, seen in zip(answered, first, strict=True):
        again = msgspec.structs.replace(environment(4), seen_at=seen.endpoint)
        assert Expected(Tracer(parse(dump.splitlines()), again), each.question).fates == [as_node(seen)]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("version", [4, 6])
def test_under_random_rules(labs: dict[int, CorpusLab], version: int, backend: str, seed: int) -> None:
    lab, tool = labs[version], f"{'iptables' if version == 4 else 'ip6tables'}-{backend}"
    if not shutil.which(f"{tool}-restore"):
        pytest.skip(f"there is no {tool}")
    lab.load(RandomRules(seed, version).document(), tool)
    lab.set_up("cni0", [CLIENT[version]], [Endpoint("udp", each, port) for each in SERVERS[version] for port in PORTS])
    try:
        tracer = Tracer(parse(lab.saved(tool).splitlines()), environment(version))
        packets = list(random_packets(version))
        outcomes = [only(tracer.trace(packet)) for packet in packets]
        seen = lab.send([attempt(*each) for each in zip(packets, outcomes, strict=True)])
        for packet, outcome, its in zip(packets, outcomes, seen, strict=True):
            assert (its.verdict == "ACCEPT") == (outcome.verdict is Verdict.ACCEPT), outcome
            if its.verdict == "ACCEPT":
                untouched = str(Endpoint("udp", packet.destination.text, packet.destination_port or 0))
                assert its.endpoint == (outcome.dnat or untouched), outcome
                own = (NODE[version], TO_CLIENT[version])
                assert its.client in (own if outcome.masquerade else (outcome.snat or packet.source.text,)), outcome
        if version == 4:  # IPv6 has packets of its own
            compare_counters(lab.saved(tool, "-c"), outcomes)
    finally:
        lab.close()
        lab.load("".join(f"*{table}\nCOMMIT\n" for table in TABLES), tool)


def random_packets(version: int) -> Iterator[Packet]:
    """Datagrams from a pod and from the node, to the node and to others."""
    goals = (TO_CLIENT[version], NODE[version], *SERVERS[version])
    for number in range(2 * len(goals)):
        from_node = number >= len(goals)
        yield Packet(
            source=ip(NODE[version] if from_node else CLIENT[version]),
            destination=ip(goals[number % len(goals)]),
            protocol="udp",
            source_port=FIRST_SOURCE_PORT + number,
            destination_port=PORTS[number % len(PORTS)],
            from_node=from_node,
            in_interface=None if from_node else "cni0",
        )


def attempt(packet: Packet, outcome: Outcome) -> Attempt:
    return Attempt(
        source=packet.source.text,
        source_port=packet.source_port or 0,
        destination=packet.destination.text,
        port=packet.destination_port or 0,
        protocol="udp",
        may_be_dropped=outcome.verdict is not Verdict.ACCEPT,
    )


def compare_counters(saved: str, outcomes: list[Outcome]) -> None:
    """Every rule has matched exactly the packets whose path holds it.

    Refusals are packets themselves, but never meet rules in nat.
    """
    refused = any(outcome.verdict is Verdict.REJECT for outcome in outcomes)
    steps = (step for outcome in outcomes for step in outcome.path if step.rule)
    expected = Counter((step.table, step.chain, step.position) for step in steps)
    table, numbers = "", Counter[str]()
    for line in saved.splitlines():
        if line.startswith("*"):
            table, numbers = line[1:], Counter()
        elif found := re.match(r"\[(\d+):\d+\] -A (\S+)", line):
            numbers[found[2]] += 1
            if table == "nat" or not refused:
                assert int(found[1]) == expected[table, found[2], numbers[found[2]]], f"{table}: {line}"
