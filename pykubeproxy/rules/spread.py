"""Spreading traffic over endpoints: the random choice in the policy chains.

Source: `docs/reference/iptables-rules.md` section 8.

kube-proxy tries one endpoint after the other, so that a connection to a Service with a thousand of them passes five
hundred rules. With tree dispatch, such a Service chooses a group first, and then an endpoint in it.
"""

from collections.abc import Iterator, Sequence
from zlib import crc32

import msgspec

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.rules import names, text
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.routing import Routing

# Below this number of endpoints, groups would save a packet less than a microsecond.
GROUPED_FROM = 128


class Leg(msgspec.Struct, frozen=True):
    """A way that traffic can take: a chain, the comment match of its rule, and how many endpoints it stands for."""

    chain: str
    note: str
    endpoints: int = 1


def spread(
    chain: str, endpoints: tuple[Endpoint, ...], routing: Routing, options: RuleOptions, *, comments: bool
) -> Iterator[tuple[str, Iterator[str]]]:
    """Send traffic in `chain` to one of `endpoints`: the one a client used before, else each with equal chance.

    Yields chains with their rules, `chain` first; there are more where endpoints are grouped. ClientIP affinity has to
    ask for every endpoint anyway, and is never grouped.
    """
    legs = list(_legs(endpoints, routing, comments=comments))
    if routing.port.affinity_seconds is not None:
        yield chain, _with_affinity(chain, legs, routing, options)
    elif options.dispatch is Dispatch.LINEAR or len(legs) < GROUPED_FROM:
        yield chain, _choose(chain, legs)
    else:
        groups = dict(_groups(chain, legs))
        yield (
            chain,
            _choose(chain, [_group_leg(group, its, routing, comments=comments) for group, its in groups.items()]),
        )
        for group, its in groups.items():
            yield group, _choose(group, its)


def _legs(endpoints: tuple[Endpoint, ...], routing: Routing, *, comments: bool) -> Iterator[Leg]:
    title = routing.port.title
    for endpoint in endpoints:
        note = f"{text.comment(f'{title} -> {endpoint.text}')} " if comments else ""
        yield Leg(routing.names.endpoint(endpoint.text), note)


def _with_affinity(chain: str, legs: Sequence[Leg], routing: Routing, options: RuleOptions) -> Iterator[str]:
    """The endpoint that remembers the client, if one does, else any."""
    mask = text.full_mask(options.family)
    for leg in legs:
        remembered = f"-m recent --rcheck --seconds {routing.port.affinity_seconds} --reap --name {leg.chain}"
        yield f"-A {chain} {leg.note}{remembered} --mask {mask} --rsource -j {leg.chain}"
    yield from _choose(chain, legs)


def _choose(chain: str, legs: Sequence[Leg]) -> Iterator[str]:
    """Take each leg with the share of its endpoints in all those that are left: 1/n for each endpoint in the end."""
    left = sum(leg.endpoints for leg in legs)
    for leg in legs:
        if leg.endpoints < left:
            chance = f"-m statistic --mode random --probability {text.probability(leg.endpoints, left)} "
            yield f"-A {chain} {leg.note}{chance}-j {leg.chain}"
        else:
            yield f"-A {chain} {leg.note}-j {leg.chain}"
        left -= leg.endpoints


def _groups(chain: str, legs: Sequence[Leg]) -> Iterator[tuple[str, list[Leg]]]:
    """Legs in about as many groups as each has legs, by the hash in a leg's name.

    A change of one endpoint therefore changes one group, until the number of endpoints has grown or shrunk fourfold.
    """
    count = min(1 << len(legs).bit_length() // 2, names.MOST_GROUPS)
    members: list[list[Leg]] = [[] for _ in range(count)]
    for leg in legs:
        members[crc32(leg.chain.encode()) % count].append(leg)
    for number, its in enumerate(members):
        if its:
            yield names.group(chain, number), its


def _group_leg(group: str, legs: Sequence[Leg], routing: Routing, *, comments: bool) -> Leg:
    note = f"{text.comment(f'{routing.port.title} -> one of {len(legs)} endpoints')} " if comments else ""
    return Leg(group, note, len(legs))
