"""Puts cases to a lab: finds out which address each one means, asks as often as it takes, and judges."""

import typing
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address

from msgspec import Struct

from e2e.asking import Destination, Fate, Outcome, ask
from e2e.examples import Manifests, external_addresses, virtual_addresses
from e2e.expectation import Case, Entrance, Fails, Origin, Place, Target, complaint, settled
from e2e.lab import Lab, Node, Outsider, Pod
from e2e.netns import Namespace
from e2e.objects import Service, ServicePort
from e2e.topology import Address, Protocol, Topology

ATTEMPTS = 100  # with four endpoints, one in 10^12 runs leaves one unasked by chance
STICKY_ATTEMPTS = 8
SIDE_BY_SIDE = 32
ANSWER_SECONDS = 5.0
RETRANSMISSION_SECONDS = 1.0  # IPv6 TCP may hear of a refusal only at its first retransmission, a second later
SILENCE_SECONDS = 1.0 + RETRANSMISSION_SECONDS
REFUSAL_SECONDS = 2.0  # a refusal comes at once, but on a busy machine it may take a while until the client sees it


class Ask(typing.Protocol):
    """A way to ask once, as `asking.ask` does."""

    def __call__(self, origin: Namespace, destination: Destination, *, seconds: float) -> Outcome:
        """Asks from `origin`, and waits at most `seconds` for the answer."""


class Result(Struct, frozen=True, kw_only=True):
    """A case that was run: from which addresses to where, what came of it, and what is wrong, if anything."""

    case: Case
    own_addresses: frozenset[str]
    destination: Destination
    outcomes: tuple[Outcome, ...]
    complaint: str | None


def run_case(lab: Lab, manifests: Manifests, case: Case, ways: Sequence[Ask] = (ask,)) -> Result:
    """Asks once in each of these ways, and in the last of them until the outcome is settled; and judges it."""
    origin = place(lab, case.origin)
    destination = resolve(lab.topology, manifests.services[case.service], case.target)
    expects_silence = case.expect == Fails(fate=Fate.DROPPED)
    seconds = SILENCE_SECONDS if expects_silence else ANSWER_SECONDS
    attempts = STICKY_ATTEMPTS if getattr(case.expect, "sticky", False) else ATTEMPTS
    outcomes = [way(origin, destination, seconds=seconds) for way in ways]
    while not settled(case.expect, outcomes, attempts):
        outcomes.append(ways[-1](origin, destination, seconds=seconds))
    own = frozenset(map(str, origin.spec.addresses))
    return Result(
        case=case,
        own_addresses=own,
        destination=destination,
        outcomes=tuple(outcomes),
        complaint=complaint(case.expect, outcomes, own, refused_within=_refused_within(destination)),
    )


def _refused_within(destination: Destination) -> float:
    """How many seconds a refusal may take."""
    is_told_late = destination.address.version == 6 and destination.protocol is Protocol.TCP
    return REFUSAL_SECONDS + (RETRANSMISSION_SECONDS if is_told_late else 0.0)


def run_side_by_side(lab: Lab, manifests: Manifests, cases: Sequence[Case]) -> dict[Case, Result]:
    """Runs cases at the same time: for those whose failure is waited for, for a second or two."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        return dict(zip(cases, threads.map(partial(run_case, lab, manifests), cases), strict=True))


def probes(topology: Topology, manifests: Manifests, probe: str = "default/portal") -> list[Destination]:
    """The cluster IPs of a Service, one of each family; they are answered as soon as a node is programmed."""
    service = manifests.services[probe]
    return [resolve(topology, service, Target(entrance=Entrance.CLUSTER_IP, family=version)) for version in (4, 6)]


def place(lab: Lab, origin: Origin) -> Node | Pod | Outsider:
    """The lab's namespace from which to ask."""
    match origin.place:
        case Place.POD:
            return lab.pods[origin.name]
        case Place.NODE:
            return lab.nodes[origin.name]
        case Place.OUTSIDE:
            return lab.outsiders[origin.name]


def resolve(topology: Topology, service: Service, target: Target) -> Destination:
    """The address and port that a target means in a cluster of this topology."""
    port = _port(service, target.port)
    number = port.port
    if target.entrance in (Entrance.NODE_PORT, Entrance.LOCALHOST):
        number = port.node_port
    elif target.entrance is Entrance.POD_IP:
        number = port.target_port
    address = _of_family(_addresses(topology, service, target), target.family)
    return Destination(address=address, port=number, protocol=port.protocol)


def _addresses(topology: Topology, service: Service, target: Target) -> Iterable[Address]:
    match target.entrance:
        case Entrance.CLUSTER_IP:
            return map(ip_address, service.spec.cluster_ips)
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


def _port(service: Service, name: str | None) -> ServicePort:
    return next(port for port in service.spec.ports if name is None or port.name == name)


def _of_family(addresses: Iterable[Address], version: int) -> Address:
    return next(address for address in addresses if address.version == version)
