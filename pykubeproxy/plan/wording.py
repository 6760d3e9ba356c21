"""What changes for one ServicePort, in sentences: endpoints, policies, addresses, and whether it is refused."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import msgspec

from pykubeproxy.model.share import percent
from pykubeproxy.plan.owners import Owners, target_chain
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Lines

_POLICY = (names.CLUSTER_POLICY, names.LOCAL_POLICY)
_ADDRESS = re.compile(r' -d (\S+)/(?:32|128) .*--comment "\S+ (cluster IP|external IP|loadbalancer IP)"')
_NODE_PORT = re.compile(r"-A KUBE-(?:NODEPORTS|SVC-\S+) -p (tcp|udp|sctp) .*--dport (\d+) -j KUBE-EXT-")
_RANGE = re.compile(r" -s (\S+) .* loadbalancer IP")
_SECONDS = re.compile(r" -m recent --rcheck --seconds (\d+) ")


class ChainLines(msgspec.Struct, frozen=True, kw_only=True):
    """One chain, and the rules that go and come in it. `sign` is `+`, `-` or `~`, for the chain as a whole."""

    sign: str
    table: str
    chain: str
    removed: Lines = ()
    added: Lines = ()


def words(own: Sequence[ChainLines], dispatch: Sequence[ChainLines], now: Owners, then: Owners) -> Iterator[str]:
    """What changes, in sentences; none for a change that only rules can tell.

    `own` are the chains of one ServicePort, `dispatch` its rules in those that all share.
    """
    is_new = _is_one_sided(own, dispatch, "+")
    if is_new or _is_one_sided(own, dispatch, "-"):
        yield _whole(own, then if is_new else now, dispatch, is_new=is_new)
        return
    policies = list(_policies(own, dispatch))
    yield from policies
    for lines in own:
        if not (lines.chain.startswith(_POLICY) and names.service_hash(lines.chain)):
            continue
        is_local = lines.chain.startswith(names.LOCAL_POLICY)
        # Where a policy changes, its chain comes or goes, and nobody's endpoints do.
        if not (is_local and policies):
            kind = "local endpoint" if is_local else "endpoint"
            yield from _endpoint_words(kind, now.endpoints(lines.chain), then.endpoints(lines.chain))
    yield from _affinity(own)
    yield from _source_ranges(own)
    yield from _addresses(dispatch)
    yield from _refusals(dispatch)


def _is_one_sided(own: Sequence[ChainLines], dispatch: Sequence[ChainLines], sign: str) -> bool:
    """True for a ServicePort of which there was nothing before (`+`), or will be nothing after (`-`)."""
    other = [line for lines in dispatch for line in (lines.removed if sign == "+" else lines.added)]
    entries = [(lines, line) for lines in dispatch for line in (lines.added if sign == "+" else lines.removed)]
    at_home = any(_is_of_cluster_ip(lines, line) for lines, line in entries)
    return not other and at_home and all(lines.sign == sign for lines in own)


def _is_of_cluster_ip(lines: ChainLines, line: str) -> bool:
    """True for the rule that every ServicePort has: it leads from the cluster IP to endpoints, or refuses."""
    if lines.table == "nat":
        return ' cluster IP"' in line
    return " has no " in line and not lines.chain.startswith((names.EXTERNAL_SERVICES, names.EXTERNAL))


def _whole(own: Sequence[ChainLines], owners: Owners, dispatch: Sequence[ChainLines], *, is_new: bool) -> str:
    """`new, with 3 endpoints, each 33.3%`."""
    what = "new" if is_new else "removed"
    chains = [lines.chain for lines in own if names.service_hash(lines.chain)]
    counts = [len(owners.endpoints(chain)) for chain in chains if chain.startswith(_POLICY)]
    if any(counts):
        most = max(counts)
        count = f"{most} endpoint{'' if most == 1 else 's'}"
        return f"{what}, with {count}{_share(most)}" if is_new else f"{what}, with its {count}"
    refusal = next((reason for reason in _REFUSALS if _mention(dispatch, reason, is_added=is_new)), "")
    return f"{what}; it {refusal}" if refusal else what


_REFUSALS = ("has no endpoints", "has no local endpoints")


def _refusals(dispatch: Sequence[ChainLines]) -> Iterator[str]:
    for reason in _REFUSALS:
        came, gone = (_mention(dispatch, reason, is_added=is_added) for is_added in (True, False))
        if came and not gone:
            yield f"{reason.removeprefix('has ')} any more: refused"
        elif gone and not came:
            yield f"{'local ' if 'local' in reason else ''}endpoints again: no longer refused"


def _mention(dispatch: Sequence[ChainLines], reason: str, *, is_added: bool) -> bool:
    return any(f' {reason}"' in line for line in _sided(dispatch, is_added=is_added))


def _sided(lines: Sequence[ChainLines], *, is_added: bool) -> Iterator[str]:
    for each in lines:
        yield from each.added if is_added else each.removed


def _policies(own: Sequence[ChainLines], dispatch: Sequence[ChainLines]) -> Iterator[str]:
    """Traffic policies, told by what is written for them alone."""
    external = [lines for lines in own if lines.chain.startswith(names.EXTERNAL) and lines.sign == "~"]
    is_local = [
        any("route LOCAL traffic" in line for line in _sided(external, is_added=added)) for added in (False, True)
    ]
    if any(is_local):
        yield _policy_words("externalTrafficPolicy", was_local=is_local[0], is_local=is_local[1])
    before, after = (
        {
            target_chain(line).startswith(names.LOCAL_POLICY)
            for line in _sided(dispatch, is_added=is_added)
            if " cluster IP" in line
        }
        for is_added in (False, True)
    )
    if before and after and before != after:
        yield _policy_words("internalTrafficPolicy", was_local=True in before, is_local=True in after)


def _policy_words(name: str, *, was_local: bool, is_local: bool) -> str:
    return f"{name} {'Local' if was_local else 'Cluster'} -> {'Local' if is_local else 'Cluster'}"


def _affinity(own: Sequence[ChainLines]) -> Iterator[str]:
    gone, came = (
        {found[1] for line in _sided(own, is_added=is_added) if (found := _SECONDS.search(line))}
        for is_added in (False, True)
    )
    if came == gone:
        return
    if came and gone:
        yield f"session affinity {max(gone)} s -> {max(came)} s"
    else:
        yield f"session affinity for {max(came)} s" if came else "no session affinity any more"


def _source_ranges(own: Sequence[ChainLines]) -> Iterator[str]:
    guards = [lines for lines in own if lines.chain.startswith(names.SOURCE_RANGES)]
    gone, came = (_found(_RANGE, _sided(guards, is_added=is_added)) for is_added in (False, True))
    if guards and guards[0].sign == "-":
        yield "load-balancer addresses open to all sources"
        return
    if came - gone:
        yield f"load-balancer addresses open to {', '.join(sorted(came - gone))}"
    if gone - came:
        yield f"load-balancer addresses closed to {', '.join(sorted(gone - came))}"


def _found(pattern: "re.Pattern[str]", lines: Iterable[str]) -> set[str]:
    return {found[1] for line in lines if (found := pattern.search(line))}


def _addresses(dispatch: Sequence[ChainLines]) -> Iterator[str]:
    """Addresses and node ports under which the Service is known, or is not any more."""
    known: list[set[str]] = []
    for is_added in (False, True):
        lines = list(_sided(dispatch, is_added=is_added))
        addresses = {f"{found[2]} {found[1]}" for line in lines if (found := _ADDRESS.search(line))}
        ports = {f"node port {found[2]}/{found[1]}" for line in lines if (found := _NODE_PORT.match(line))}
        known.append(addresses | ports)
    gone, came = known
    # A Service that is refused has its addresses in other rules.
    if any(_mention(dispatch, reason, is_added=added) for reason in _REFUSALS for added in (True, False)):
        return
    yield from (f"{text} added" for text in sorted(came - gone))
    yield from (f"{text} removed" for text in sorted(gone - came))


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
