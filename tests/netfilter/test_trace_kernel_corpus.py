"""The trace against the kernel, for every example: what is sent arrives where it says, or is refused as it says."""

import re
import shutil
from collections.abc import Iterator
from fractions import Fraction

import msgspec
import pytest
import yaml

from e2e.lab import has_sctp
from e2e.three_nodes.sharing import tolerable, unfairness
from pykubeproxy.model.service import Protocol
from pykubeproxy.netfilter import Environment, Outcome, Packet, Tracer, Verdict, local_address, trace
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import render
from tests.builders import ip, options, port, service, slice_of, slice_port, snapshot
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, examples, host_addresses, rendered
from tests.host.namespace import needs_root
from tests.netfilter.corpus_lab import NODE, THE_NODE, Attempt, CorpusLab, Endpoint, Seen, open_corpus_labs
from tests.netfilter.service_model import LOOPBACK, Cluster, Question

# So many connections miss one of three endpoints once in ten thousand million times.
MOST_ROUNDS = 60

# Of more endpoints not every one has to be met.
MOST_ENDPOINTS = 5
CONNECTIONS = 10_000

_TARGET = re.compile(r"-p (tcp|udp|sctp) .*--to-destination (\S+)$", re.MULTILINE)

pytestmark = needs_root


@pytest.fixture(name="labs", scope="module")
def fixture_labs() -> Iterator[dict[int, CorpusLab]]:
    for tool in ("iptables-restore", "conntrack"):
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool}")
    with open_corpus_labs() as labs:
        yield labs


class Expected:
    """What a trace says that can come of an attempt, and with which shares."""

    def __init__(self, tracer: Tracer, question: Question) -> None:
        client = question.client
        source = question.address if question.address in LOOPBACK.values() else client.address
        self.question = question
        self.packet = Packet(
            source=ip(source),
            destination=ip(question.address),
            protocol=question.protocol,
            destination_port=question.port,
            from_node=client.is_node,
            in_interface=client.interface,
        )
        self.shares = self.traced(tracer)
        self.attempt = Attempt(
            source=source,
            destination=question.address,
            port=question.port,
            protocol=question.protocol,
            may_be_dropped=any(seen.verdict == "DROP" for seen in self.shares),
        )

    def traced(self, tracer: Tracer) -> dict[Seen, Fraction]:
        """What the trace says, as it can be seen."""
        client = self.packet.source.text
        return {
            Seen(verdict="ACCEPT", endpoint=each.dnat, client=THE_NODE if self.is_seen_as_node(each) else client)
            if each.verdict is Verdict.ACCEPT
            else Seen(verdict=each.verdict.value): each.probability
            for each in tracer.trace(self.packet).outcomes
        }

    def is_seen_as_node(self, outcome: Outcome) -> bool:
        """Whether endpoints take the client for the node."""
        return outcome.masquerade or self.packet.from_node

    @property
    def is_testable(self) -> bool:
        """False for packets that the rules leave alone, and for a protocol that this kernel does not speak."""
        leads_nowhere = any(seen.verdict == "ACCEPT" and seen.endpoint is None for seen in self.shares)
        return not leads_nowhere and (self.question.protocol != "sctp" or has_sctp())


def environment(version: int) -> Environment:
    length = 30 if version == 4 else 64
    return Environment(addresses=(local_address(f"{NODE[version]}/{length}", "eth0"),))


def expectations(example: Example, dump: str, version: int) -> list[Expected]:
    tracer = Tracer(parse(dump.splitlines()), environment(version))
    asked = (question for question in Cluster(example.folder).questions() if question.client.version == version)
    return [each for each in (Expected(tracer, question) for question in asked) if each.is_testable]


def endpoints(dump: str) -> list[Endpoint]:
    found = ((protocol, *target.rsplit(":", 1)) for protocol, target in _TARGET.findall(dump))
    return [
        Endpoint(protocol, address.strip("[]"), int(port))
        for protocol, address, port in found
        if protocol != "sctp" or has_sctp()
    ]


def prepare(lab: CorpusLab, dump: str, expected: list[Expected]) -> None:
    interfaces = {each.question.client.interface for each in expected} - {None, "eth0"}
    lab.load(dump)
    lab.set_up(next(iter(interfaces), "cni0") or "", {each.attempt.source for each in expected}, endpoints(dump))


def sticky_services(example: Example) -> tuple[str, ...]:
    """What is in questions about Services whose clients stay with one endpoint."""
    objects = yaml.safe_load_all((example.folder / "objects.yaml").read_text())
    return tuple(
        f"{each['metadata']['name']}:"
        for each in objects
        if each["kind"] == "Service" and each["spec"].get("sessionAffinity") == "ClientIP"
    )


def check(lab: CorpusLab, example: Example, dump: str, version: int) -> None:
    """Ask until all that can come of every question has come of it."""
    expected = expectations(example, dump, version)
    sticky = sticky_services(example)
    missing = {each: set(each.shares) for each in expected}
    prepare(lab, dump, expected)
    try:
        for _ in range(MOST_ROUNDS):
            for each, seen in zip(missing, lab.send([each.attempt for each in missing]), strict=True):
                assert seen in each.shares, f"{each.question}: {lab.flows_of(each.attempt)}"
                missing[each].discard(seen)
                if any(name in each.question.about for name in sticky) or len(each.shares) > MOST_ENDPOINTS:
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
    answered = [each for each in expectations(example, dump, 4) if Seen(verdict="REJECT") not in each.shares]
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
        assert list(each.traced(Tracer(parse(dump.splitlines()), again))) == [seen]


SHARED = {
    "three endpoints": ("10.244.0.11", "10.244.1.12", "10.244.2.13"),
    "seven, of which six are elsewhere": tuple(f"10.244.{number}.20" for number in range(7)),
    "groups of endpoints": tuple(f"10.244.{number // 50}.{100 + number % 50}" for number in range(150)),
}


@pytest.mark.parametrize("dispatch", [Dispatch.TREE, pytest.param(Dispatch.LINEAR, marks=pytest.mark.night)])
@pytest.mark.parametrize("title", SHARED)
def test_ten_thousand_connections_are_shared_as_traced(
    labs: dict[int, CorpusLab], title: str, dispatch: Dispatch
) -> None:
    """Over UDP, each from a port of its own; to an address of the test's own, for the kernel remembers earlier ones."""
    address = f"10.97.{list(Dispatch).index(dispatch)}.{10 + list(SHARED).index(title)}"
    objects = snapshot(
        service("ns/dns", address, ports=(port("dns", 53, protocol=Protocol.UDP),)),
        slice_of("ns/dns", *SHARED[title], ports=(slice_port("dns", 5353, Protocol.UDP),)),
    )
    dump = "".join(f"{line}\n" for line in render(compile_ruleset(objects, options(dispatch=dispatch))))
    lab, client = labs[4], "10.244.0.9"
    packet = Packet(
        source=ip(client), destination=ip(address), protocol="udp", destination_port=53, in_interface="cni0"
    )
    found = trace(parse(dump.splitlines()), packet, environment(4))
    shares = {each.dnat: each.probability for each in found.outcomes}
    assert set(shares.values()) == {Fraction(1, len(SHARED[title]))}
    lab.load(dump)
    lab.set_up("cni0", [client], endpoints(dump))
    try:
        taken = lab.spread(Attempt(source=client, destination=address, port=53, protocol="udp"), CONNECTIONS)
    finally:
        lab.close()
    assert sum(taken.values()) == CONNECTIONS
    assert set(taken) <= shares.keys()
    assert unfairness([taken.get(str(name), 0) for name in shares]) < tolerable(len(shares)), taken
