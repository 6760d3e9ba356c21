"""Puts cases to a lab: finds out which address each one means, asks as often as it takes, and judges."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address

from msgspec import Struct

from e2e.asking import Destination, Fate, Outcome, ask
from e2e.cases import Case, ClientSeen, Entrance, Expectation, Target
from e2e.lab import Lab
from e2e.netns import Namespace
from e2e.objects import JsonObject, external_addresses, virtual_addresses
from e2e.topology import Address, Protocol, Topology

ATTEMPTS = 100  # with four endpoints, one in 10^12 runs leaves one unasked by chance
STICKY_ATTEMPTS = 8
SIDE_BY_SIDE = 32
ANSWER_SECONDS = 5.0
RETRANSMISSION_SECONDS = 1.0  # IPv6 TCP may hear of a refusal only at its first retransmission, a second later
SILENCE_SECONDS = 1.0 + RETRANSMISSION_SECONDS
REFUSAL_SECONDS = 2.0  # a refusal comes at once, but on a busy machine it may take a while until the client sees it
Ask = Callable[[Namespace, Destination, float], Outcome]


def resolve(topology: Topology, service: JsonObject, target: Target) -> Destination:
    """The address and port that a target means in a cluster of this topology."""
    port = next(each for each in service["spec"]["ports"] if target.port in (None, each.get("name")))
    kinds = {Entrance.NODE_PORT: "nodePort", Entrance.LOCALHOST: "nodePort", Entrance.POD_IP: "targetPort"}
    return Destination(
        address=next(each for each in _addresses(topology, service, target) if each.version == target.family),
        port=port[kinds.get(target.entrance, "port")],
        protocol=Protocol(port.get("protocol", "TCP")),
    )


def _addresses(topology: Topology, service: JsonObject, target: Target) -> Iterable[Address]:
    match target.entrance:
        case Entrance.CLUSTER_IP:
            return map(ip_address, service["spec"]["clusterIPs"])
        case Entrance.VIRTUAL_IP:
            return virtual_addresses(service)
        case Entrance.EXTERNAL_IP:
            return external_addresses(service)
        case Entrance.NODE_PORT:
            return next(node.addresses for node in topology.nodes if node.name == target.at)
        case Entrance.POD_IP:
            return next(pod.addresses for pod in topology.pods if pod.name == target.at)
        case Entrance.LOCALHOST:
            return (ip_address("127.0.0.1"), ip_address("::1"))


class Result(Struct, frozen=True, kw_only=True):
    """A case that was run: from which addresses to where, what came of it, and what is wrong, if anything."""

    case: Case
    own_addresses: frozenset[str]
    destination: Destination
    outcomes: tuple[Outcome, ...]
    complaint: str | None


def run_case(lab: Lab, services: Mapping[str, JsonObject], case: Case, ways: Sequence[Ask] = (ask,)) -> Result:
    """Asks once in each of these ways, and in the last of them until the outcome is settled; and judges it."""
    origin, expect = lab.place(case.origin), case.expect
    destination = resolve(lab.topology, services[case.service], case.target)
    seconds = SILENCE_SECONDS if expect.fate is Fate.DROPPED else ANSWER_SECONDS
    attempts = STICKY_ATTEMPTS if expect.sticky else ATTEMPTS
    outcomes = [way(origin, destination, seconds) for way in ways]
    while len(outcomes) < attempts and not _is_settled(expect, outcomes):
        outcomes.append(ways[-1](origin, destination, seconds))
    own = frozenset(map(str, origin.spec.addresses))
    is_told_late = destination.address.version == 6 and destination.protocol is Protocol.TCP
    refused_within = REFUSAL_SECONDS + (RETRANSMISSION_SECONDS if is_told_late else 0.0)
    return Result(
        case=case,
        own_addresses=own,
        destination=destination,
        outcomes=tuple(outcomes),
        complaint=_wrong_fate(expect.fate, outcomes, refused_within) or _wrong_reply(expect, outcomes, own),
    )


def run_side_by_side(lab: Lab, services: Mapping[str, JsonObject], cases: Sequence[Case]) -> dict[Case, Result]:
    """Runs cases at the same time: for those whose failure is waited for, for a second or two."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        return dict(zip(cases, threads.map(partial(run_case, lab, services), cases), strict=True))


def _is_settled(expect: Expectation, outcomes: Sequence[Outcome]) -> bool:
    """Whether asking on would add nothing: something failed, or every pod has answered."""
    replies = [outcome.reply for outcome in outcomes if outcome.reply]
    if len(replies) < len(outcomes) or expect.fate is not Fate.ANSWERED:
        return True
    return not expect.sticky and expect.pods <= {reply.pod for reply in replies}


def _wrong_fate(wanted: Fate, outcomes: Sequence[Outcome], refused_within: float) -> str | None:
    for outcome in outcomes:
        if outcome.fate is not wanted:
            return f"{outcome.fate} instead of {wanted}" + (f" ({outcome.detail})" if outcome.detail else "")
        if outcome.fate is Fate.REFUSED and outcome.seconds > refused_within:
            return f"refused after {outcome.seconds:.1f} s, not within {refused_within:g} s"
    return None


def _wrong_reply(expect: Expectation, outcomes: Sequence[Outcome], own: frozenset[str]) -> str | None:
    replies = [outcome.reply for outcome in outcomes if outcome.reply]
    seen = {reply.pod for reply in replies}
    if foreign := seen - expect.pods:
        return f"answered by {_listed(foreign)}, not one of {_listed(expect.pods)}"
    if expect.sticky and len(seen) > 1:
        return f"answered by {_listed(seen)}, not always by the same pod"
    if not expect.sticky and (silent := expect.pods - seen):
        return f"{_listed(silent)} answered none of {len(replies)} questions"
    for reply in replies:
        if expect.client is not ClientSeen.ANY and (reply.client in own) is not (expect.client is ClientSeen.OWN):
            return f"{reply.pod} saw {reply.client} instead of {expect.client} address"
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
