"""The Services that live rules serve, read back from them, as what a Compiler would make of their objects.

Where not all objects can be read, a Service that is not among them may have been deleted, or may be where nobody can
read now. Its live rules tell enough to go on serving it: its rules in the dispatch chains, whichever layout those have,
and the chains that they lead to, word by word.
"""

from collections.abc import Collection, Iterator, Mapping

from pykubeproxy.model.ip import parse_ip
from pykubeproxy.model.service import Protocol, ServiceKey
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule, Fragment
from pykubeproxy.rules.reading import read, target_of
from pykubeproxy.rules.ruleset import Lines, Ruleset
from pykubeproxy.rules.text import RuleKind


def live_services(live: Ruleset, only: Collection[ServiceKey] | None = None) -> dict[ServiceKey, Fragment]:
    """What `live`, which kube-proxy or this program has written, holds of each Service; of all its ports together.

    With `only`, no others are looked for.
    """
    dispatch_rules: dict[ServiceKey, list[DispatchRule]] = {}
    for_all: dict[str, list[DispatchRule]] = {}
    for root in DispatchChain:
        for rule in _dispatch_rules(root, live.chains(root.table), root.chain, set()):
            if not rule.title:
                for_all.setdefault(rule.address, []).append(rule)
                continue
            key = ServiceKey.of_title(rule.title)
            if only is None or key in only:
                dispatch_rules.setdefault(key, []).append(rule)
    for its in dispatch_rules.values():
        addresses = sorted({rule.address for rule in its})
        its.extend(rule for address in addresses for rule in for_all.get(address, ()))
    nat = live.chains("nat")
    return {key: _fragment(its, nat) for key, its in dispatch_rules.items()}


def _dispatch_rules(
    root: DispatchChain, chains: Mapping[str, Lines], chain: str, seen: set[str]
) -> Iterator[DispatchRule]:
    """The dispatch rules of a chain, and of those below it in the tree of `root`; none of chains that are `seen`."""
    if chain in seen:
        return
    seen.add(chain)
    for line in chains.get(chain, ()):
        view = read(line)
        is_for_all = view.kind is RuleKind.UNUSED_PORTS
        if is_for_all or (view.title and view.port):
            ip, protocol = parse_ip(view.address), None if is_for_all else Protocol(view.protocol.upper())
            match, _, target = line.removeprefix(f"-A {chain} ").rpartition(" -j ")
            yield DispatchRule(root, view.title, ip.text if ip else "", protocol, view.port, match, target)
        elif names.is_tree_chain(view.target):
            yield from _dispatch_rules(root, chains, view.target, seen)


def _fragment(dispatch_rules: list[DispatchRule], nat: Mapping[str, Lines]) -> Fragment:
    chains: dict[str, Lines] = {}
    waiting = [rule.target for rule in dispatch_rules if rule.dispatch_chain.table == "nat"]
    while waiting:
        chain = waiting.pop()
        if chain.startswith(names.HASHED_PREFIXES) and chain in nat and chain not in chains:
            chains[chain] = nat[chain]
            waiting += map(target_of, nat[chain])
    endpoints = sum(chain.startswith(names.ENDPOINT) for chain in chains)
    return Fragment(chains=tuple(chains.items()), dispatch_rules=tuple(dispatch_rules), endpoint_count=endpoints)
