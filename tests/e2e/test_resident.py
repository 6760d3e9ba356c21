"""The client that asks many questions, by itself."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from e2e.asking import Destination, Fate
from e2e.lab import Lab, missing, open_lab
from e2e.netns import LabError
from e2e.resident import Resident, Residents
from e2e.topology import Listener, Protocol, plain_topology

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

LISTENERS = (Listener(protocol=Protocol.TCP, port=8080), Listener(protocol=Protocol.UDP, port=5353))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab(plain_topology(1, 1, LISTENERS)) as lab:
        yield lab


@pytest.fixture
def resident(lab: Lab) -> Iterator[Resident]:
    with Residents() as residents:
        yield residents.at(lab.pod("client-node-a"))


def to(port: int, protocol: Protocol = Protocol.TCP, address: str = "10.244.0.11") -> Destination:
    return Destination(address=ip_address(address), port=port, protocol=protocol)


@pytest.mark.parametrize("where", [to(8080), to(5353, Protocol.UDP), to(8080, address="fd00:10:244::b")], ids=str)
def test_every_question_is_answered_by_itself(resident: Resident, where: Destination) -> None:
    outcomes = resident.burst(where, 20)
    assert [outcome.fate for outcome in outcomes] == [Fate.ANSWERED] * 20
    assert {outcome.reply.pod for outcome in outcomes if outcome.reply} == {"pod-a-1"}


@pytest.mark.parametrize("where", [to(1), to(1, Protocol.UDP), to(1, address="fd00:10:244::b")], ids=str)
def test_a_refusal_is_told_and_the_next_question_asked(resident: Resident, where: Destination) -> None:
    assert resident.ask(where, seconds=5).fate is Fate.REFUSED
    assert resident.ask(to(8080), seconds=5).fate is Fate.ANSWERED


def test_a_kept_socket_outlives_refusal_and_silence(lab: Lab, resident: Resident) -> None:
    where = to(5353, Protocol.UDP)

    def fate_with(target: str) -> Fate:
        rule = ["-p", "udp", "--dport", "5353", "-j", target]
        lab.pod("pod-a-1").exec(["iptables", "-A", "INPUT", *rule])
        try:
            return resident.ask_kept(where, seconds=0.3).fate
        finally:
            lab.pod("pod-a-1").exec(["iptables", "-D", "INPUT", *rule])

    assert resident.ask_kept(where, seconds=5).fate is Fate.ANSWERED
    assert [fate_with("REJECT"), fate_with("DROP")] == [Fate.REFUSED, Fate.DROPPED]
    assert resident.ask_kept(where, seconds=5).fate is Fate.ANSWERED


def test_a_refused_datagram_of_a_node_is_told_from_a_dropped_one(lab: Lab) -> None:
    """Rules of the sender's own machine make sending fail in either case."""
    node, where = lab.node("node-a"), to(5353, Protocol.UDP)
    fates = []
    with Residents() as residents:
        for target in ("REJECT", "DROP"):
            rule = ["-d", str(where.address), "-j", target]
            node.exec(["iptables", "-A", "OUTPUT", *rule])
            fates.append(residents.ask(node, where, seconds=0.3).fate)
            node.exec(["iptables", "-D", "OUTPUT", *rule])
    assert fates == [Fate.REFUSED, Fate.DROPPED]


def test_a_client_that_has_ended_is_told(lab: Lab) -> None:
    resident = Resident(lab.pod("client-node-a"))
    resident._process.kill()
    resident._process.wait()
    with pytest.raises(LabError, match="its resident client has ended"):
        resident.ask(to(8080), seconds=1)
    resident.close()
