"""A test case as a value, and its judge: what is asked from where, and what should come of it.

A case names addresses by their meaning ("the node port on node-b"), so that one definition serves every kind of
cluster.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct

from e2e.asking import Fate, Outcome, Reply


class Place(StrEnum):
    """The kind of place a question comes from."""

    POD = "pod"
    NODE = "node"
    OUTSIDE = "outside"


class Origin(Struct, frozen=True, kw_only=True):
    """Where a question comes from: a pod, a node or a machine outside, by name."""

    place: Place
    name: str

    def __str__(self) -> str:
        return self.name


class Entrance(StrEnum):
    """The kind of address that is asked."""

    CLUSTER_IP = "cluster IP"
    NODE_PORT = "node port"
    LOCALHOST = "node port on localhost"
    VIRTUAL_IP = "load balancer"
    EXTERNAL_IP = "external IP"
    POD_IP = "pod IP"


class Target(Struct, frozen=True, kw_only=True):
    """What is asked: a Service's port through one of its entrances.

    `port` is the port's name, None for the Service's only port; `at` names a node port's node or a pod IP's pod.
    """

    entrance: Entrance
    at: str = ""
    port: str | None = None
    family: int = 4


class ClientSeen(StrEnum):
    """The client address that the server should see."""

    OWN = "the client's own"
    MASQUERADED = "a node's"
    ANY = "any"


class Answers(Struct, frozen=True, kw_only=True):
    """Every one of these pods answers, and no other; with `sticky`, always the same one of them."""

    pods: frozenset[str]
    client: ClientSeen = ClientSeen.ANY
    sticky: bool = False


class Fails(Struct, frozen=True, kw_only=True):
    """No connection: refused at once, dropped without a word, or without a route."""

    fate: Fate


Expectation = Answers | Fails


class Case(Struct, frozen=True, kw_only=True):
    """One test case; `service` is `namespace/name`, `shows` says in a few words what it proves."""

    service: str
    shows: str
    origin: Origin
    target: Target
    expect: Expectation


def complaint(
    expect: Expectation, outcomes: Sequence[Outcome], own_addresses: AbstractSet[str], *, refused_within: float
) -> str | None:
    """What is wrong with these outcomes, all of one case, or None.

    `own_addresses` are those of the origin; a refusal must not take more seconds than `refused_within`.
    """
    wanted = expect.fate if isinstance(expect, Fails) else Fate.ANSWERED
    for outcome in outcomes:
        if outcome.fate is not wanted:
            return f"{outcome.fate} instead of {wanted}" + (f" ({outcome.detail})" if outcome.detail else "")
        if outcome.fate is Fate.REFUSED and outcome.seconds > refused_within:
            return f"refused after {outcome.seconds:.1f} s, not within {refused_within:g} s"
    if isinstance(expect, Fails):
        return None if outcomes else "nothing was asked"
    replies = [outcome.reply for outcome in outcomes if outcome.reply is not None]
    return _wrong_pods(expect, replies) or _wrong_client(expect.client, replies, own_addresses)


def settled(expect: Expectation, outcomes: Sequence[Outcome], attempts: int) -> bool:
    """Whether asking on would add nothing: something failed, every pod has answered, or `attempts` are used up."""
    if not outcomes:
        return False
    if isinstance(expect, Fails) or any(outcome.reply is None for outcome in outcomes) or len(outcomes) >= attempts:
        return True
    return not expect.sticky and expect.pods <= {outcome.reply.pod for outcome in outcomes if outcome.reply}


def _wrong_pods(expect: Answers, replies: Sequence[Reply]) -> str | None:
    seen = {reply.pod for reply in replies}
    if foreign := seen - expect.pods:
        return f"answered by {_listed(foreign)}, not one of {_listed(expect.pods)}"
    if expect.sticky:
        return None if len(seen) == 1 else f"answered by {_listed(seen)}, not always by the same pod"
    if silent := expect.pods - seen:
        return f"{_listed(silent)} answered none of {len(replies)} questions"
    return None


def _wrong_client(expect: ClientSeen, replies: Sequence[Reply], own: AbstractSet[str]) -> str | None:
    for reply in replies:
        if expect is ClientSeen.OWN and reply.client not in own:
            return f"{reply.pod} saw {reply.client} instead of the client's own address"
        if expect is ClientSeen.MASQUERADED and reply.client in own:
            return f"{reply.pod} saw the client's own address {reply.client}, which should be masqueraded"
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
