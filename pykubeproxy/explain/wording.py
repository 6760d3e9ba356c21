"""What changes for one ServicePort, in sentences: endpoints, policies, addresses, and whether it is refused."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from pykubeproxy.explain.addresses import addresses, ports
from pykubeproxy.explain.chain_lines import ChainLines
from pykubeproxy.explain.refusals import is_outside, refusal_of, refusals
from pykubeproxy.model.share import percent
from pykubeproxy.rules import names
from pykubeproxy.rules.owners import Owners, target_chain
from pykubeproxy.rules.routing import Refusal

_POLICY = (names.CLUSTER_POLICY, names.LOCAL_POLICY)
_UNGUARDED = re.compile(r' loadbalancer IP" .* -j KUBE-EXT-')
_RANGE = re.compile(r" -s (\S+) .* loadbalancer IP")
_SECONDS = re.compile(r" -m recent --rcheck --seconds (\d+) ")


def words(own: Sequence[ChainLines], dispatch: Sequence[ChainLines], now: Owners, then: Owners) -> Iterator[str]:
    """What changes, in sentences; none for a change that only rules can tell.

    `own` are the chains of one ServicePort, `dispatch` its rules in those that all share.
    """
    is_new = _is_one_sided(own, dispatch, now, added=True)
    if is_new or _is_one_sided(own, dispatch, then, added=False):
        yield _whole(own, then if is_new else now, dispatch, is_new=is_new)
        return
    policies = list(_policies(own, dispatch))
    yield from ports(dispatch)
    yield from policies
    yield from _endpoints(own, now, then, has_new_policy=bool(policies))
    yield from _affinity(own)
    yield from _source_ranges(own, dispatch, now, then)
    yield from addresses(dispatch)
    yield from refusals(dispatch, has_new_policy=bool(policies))


def _is_one_sided(own: Sequence[ChainLines], dispatch: Sequence[ChainLines], without: Owners, *, added: bool) -> bool:
    """True for a ServicePort that is new (`added`), or gone: it has nothing in the rules `without` it."""
    at_home = any(_is_of_cluster_ip(lines, line) for lines in dispatch for line in lines.side(added=added))
    return (
        at_home
        and not any(_sided(dispatch, added=not added))
        and not any(without.has_rules(lines.chain) for lines in own)
    )


def _is_of_cluster_ip(lines: ChainLines, line: str) -> bool:
    """True for the rule that every ServicePort has: it leads from the cluster IP to endpoints, or refuses."""
    return not is_outside(lines, line) and (lines.table == "nat" or refusal_of((line,)) is not None)


def _whole(own: Sequence[ChainLines], owners: Owners, dispatch: Sequence[ChainLines], *, is_new: bool) -> str:
    """`new, with 3 endpoints, each 33.3%`."""
    what = "new" if is_new else "removed"
    chains = [lines.chain for lines in own if names.service_hash(lines.chain)]
    counts = [len(owners.endpoints(chain)) for chain in chains if chain.startswith(_POLICY)]
    if any(counts):
        most = max(counts)
        count = f"{most} endpoint{'' if most == 1 else 's'}"
        return f"{what}, with {count}{_share(most)}" if is_new else f"{what}, with its {count}"
    refusal = refusal_of(_sided(dispatch, added=is_new))
    return f"{what}; it {refusal}" if refusal else what


def _sided(lines: Sequence[ChainLines], *, added: bool) -> Iterator[str]:
    for each in lines:
        yield from each.side(added=added)


def _policies(own: Sequence[ChainLines], dispatch: Sequence[ChainLines]) -> Iterator[str]:
    """Traffic policies, told by what is written for them alone."""
    external = [lines for lines in own if lines.chain.startswith(names.EXTERNAL) and lines.sign == "~"]
    is_local = [any("route LOCAL traffic" in line for line in _sided(external, added=added)) for added in (False, True)]
    if any(is_local):
        yield _policy_words("externalTrafficPolicy", was_local=is_local[0], is_local=is_local[1])
    before, after = (
        {
            _shows_local_policy(line)
            for lines in dispatch
            for line in lines.side(added=added)
            if _is_of_cluster_ip(lines, line) and refusal_of((line,)) is not Refusal.NO_ENDPOINTS
        }
        for added in (False, True)
    )
    if before and after and before != after:
        yield _policy_words("internalTrafficPolicy", was_local=True in before, is_local=True in after)


def _shows_local_policy(line: str) -> bool:
    """True if a rule leads to local endpoints only, or refuses because there are none."""
    return refusal_of((line,)) is Refusal.NO_LOCAL_ENDPOINTS or target_chain(line).startswith(names.LOCAL_POLICY)


def _policy_words(name: str, *, was_local: bool, is_local: bool) -> str:
    return f"{name} {'Local' if was_local else 'Cluster'} -> {'Local' if is_local else 'Cluster'}"


def _affinity(own: Sequence[ChainLines]) -> Iterator[str]:
    gone, came = (
        {found[1] for line in _sided(own, added=added) if (found := _SECONDS.search(line))} for added in (False, True)
    )
    if came == gone:
        return
    if came and gone:
        yield f"session affinity {max(gone)} s -> {max(came)} s"
    else:
        yield f"session affinity for {max(came)} s" if came else "no session affinity any more"


def _source_ranges(
    own: Sequence[ChainLines], dispatch: Sequence[ChainLines], now: Owners, then: Owners
) -> Iterator[str]:
    guards = [lines for lines in own if lines.chain.startswith(names.SOURCE_RANGES)]
    gone, came = (_found(_RANGE, _sided(guards, added=added)) for added in (False, True))
    # An address that comes or goes with its guard was open to nobody, or will be.
    was_open, is_open = (any(map(_UNGUARDED.search, _sided(dispatch, added=added))) for added in (False, True))
    was_guarded, is_guarded = (any(owners.has_rules(lines.chain) for lines in guards) for owners in (now, then))
    if is_guarded and not was_guarded:
        only = f"load-balancer addresses open only to {_listed(came)}"
        yield f"{only}, no longer to all sources" if was_open else only
    elif was_guarded and not is_guarded:
        if is_open:
            yield "load-balancer addresses open to all sources"
    else:
        if came - gone:
            yield f"load-balancer addresses open to {_listed(came - gone)}"
        if gone - came:
            yield f"load-balancer addresses closed to {_listed(gone - came)}"


def _listed(texts: set[str]) -> str:
    return ", ".join(sorted(texts))


def _found(pattern: "re.Pattern[str]", lines: Iterable[str]) -> set[str]:
    return {found[1] for line in lines if (found := pattern.search(line))}


def _endpoints(own: Sequence[ChainLines], now: Owners, then: Owners, *, has_new_policy: bool) -> Iterator[str]:
    """The endpoints that all traffic may go to, then those for the traffic that has to stay on this node."""
    for kind, prefix in (("endpoint", names.CLUSTER_POLICY), ("local endpoint", names.LOCAL_POLICY)):
        # Groups of endpoints are parts of the same choice; another protocol has chains of its own.
        hashes = dict.fromkeys(names.service_hash(lines.chain) for lines in own if lines.chain.startswith(prefix))
        before, after = (
            tuple(text for digest in hashes if digest for text in owners.endpoints(prefix + digest))
            for owners in (now, then)
        )
        # Where a policy changes, its chain comes or goes, and nobody's endpoints do.
        if not has_new_policy or (before and after):
            yield from _endpoint_words(kind, before, after)


def _endpoint_words(kind: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    """`endpoint 10.244.1.7:8080 added, 3 -> 4, each now 25%`."""
    old, new = set(before), set(after)
    added = [text for text in after if text not in old]
    removed = [text for text in before if text not in new]
    changes = [f"{_named(kind, texts)} {verb}" for texts, verb in ((added, "added"), (removed, "removed")) if texts]
    if changes:
        share = _share(len(after), "each now ")
        yield f"{' and '.join(changes)}, {len(before)} -> {len(after)}{share}"


def _named(kind: str, texts: list[str]) -> str:
    """One endpoint by name, a few by names, more by their number."""
    if len(texts) == 1:
        return f"{kind} {texts[0]}"
    return f"{kind}s {', '.join(texts)}" if len(texts) <= 3 else f"{len(texts)} {kind}s"


def _share(count: int, prefix: str = "each ") -> str:
    return f", {prefix}{percent(Fraction(1, count))}" if count > 1 else ""
