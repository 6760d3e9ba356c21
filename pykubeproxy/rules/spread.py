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


class JumpTarget(msgspec.Struct, frozen=True, gc=False):
    """A chain that traffic may jump to, the comment match of the rule that does so, and its number of endpoints."""

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
    targets = list(_targets(endpoints, routing, comments=comments))
    if routing.port.affinity_seconds is not None:
        yield chain, _with_affinity(chain, targets, routing, options)
    elif options.dispatch is Dispatch.LINEAR or len(targets) < GROUPED_FROM:
        yield chain, _choose(chain, targets)
    else:
        groups = dict(_groups(chain, targets))
        yield (
            chain,
            _choose(chain, [_group_target(group, its, routing, comments=comments) for group, its in groups.items()]),
        )
        for group, its in groups.items():
            yield group, _choose(group, its)


def _targets(endpoints: tuple[Endpoint, ...], routing: Routing, *, comments: bool) -> Iterator[JumpTarget]:
    title = routing.title
    for endpoint in endpoints:
        note = f"{text.comment(f'{title} -> {endpoint.text}')} " if comments else ""
        yield JumpTarget(routing.names.endpoint(endpoint.text), note)


def _with_affinity(chain: str, targets: Sequence[JumpTarget], routing: Routing, options: RuleOptions) -> Iterator[str]:
    """The endpoint that remembers the client, if one does, else any."""
    mask = text.full_mask(options.family)
    for target in targets:
        remembered = f"-m recent --rcheck --seconds {routing.port.affinity_seconds} --reap --name {target.chain}"
        yield f"-A {chain} {target.note}{remembered} --mask {mask} --rsource -j {target.chain}"
    yield from _choose(chain, targets)


def _choose(chain: str, targets: Sequence[JumpTarget]) -> Iterator[str]:
    """Take each target with the share of its endpoints in all those that are left: 1/n for each endpoint in the end."""
    left = sum(target.endpoints for target in targets)
    for target in targets:
        if target.endpoints < left:
            chance = f"-m statistic --mode random --probability {text.probability(target.endpoints, left)} "
            yield f"-A {chain} {target.note}{chance}-j {target.chain}"
        else:
            yield f"-A {chain} {target.note}-j {target.chain}"
        left -= target.endpoints


def _groups(chain: str, targets: Sequence[JumpTarget]) -> Iterator[tuple[str, list[JumpTarget]]]:
    """The targets in about as many groups as each group has targets, divided by a hash of their names.

    A change of one endpoint therefore changes one group, until the number of endpoints has grown or shrunk fourfold.
    """
    count = min(1 << len(targets).bit_length() // 2, names.MOST_GROUPS)
    members: list[list[JumpTarget]] = [[] for _ in range(count)]
    for target in targets:
        members[crc32(target.chain.encode()) % count].append(target)
    for number, its in enumerate(members):
        if its:
            yield names.group(chain, number), its


def _group_target(group: str, targets: Sequence[JumpTarget], routing: Routing, *, comments: bool) -> JumpTarget:
    note = f"{text.comment(f'{routing.title} -> one of {len(targets)} endpoints')} " if comments else ""
    return JumpTarget(group, note, len(targets))
