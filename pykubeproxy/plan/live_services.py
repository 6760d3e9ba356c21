"""The Services that live rules serve, read back from them, as what a Compiler would make of their objects.

Where not all objects can be read, a Service that is not among them may have been deleted, or may be where nobody can
read now. Its live rules tell enough to go on serving it: its rules in the dispatch chains, whichever layout those have,
and the chains that they lead to, word by word.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from pykubeproxy.model.ip import parse_ip
from pykubeproxy.model.service import Protocol, ServiceKey
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule, Fragment
from pykubeproxy.rules.owners import target_chain, title_of
from pykubeproxy.rules.ruleset import Lines, Ruleset

_DESTINATION = re.compile(r"(?:^| )-d (\S+)/(?:32|128) ")
_PORT = re.compile(r"-p (tcp|udp|sctp) .*--dport (\d+) ")
_JUMP = re.compile(r" -j (KUBE-\S+)$")


def live_services(live: Ruleset, only: Collection[ServiceKey] | None = None) -> dict[ServiceKey, Fragment]:
    """What `live`, which kube-proxy or this program has written, holds of each Service; of all its ports together.

    With `only`, no others are looked for.
    """
    dispatch_rules: dict[ServiceKey, list[DispatchRule]] = {}
    for root in DispatchChain:
        for rule in _dispatch_rules(root, _chains(live, root.table), root.chain, set()):
            namespace, _, rest = title_of(rule.text).partition("/")
            key = ServiceKey(namespace, rest.partition(":")[0])
            if only is None or key in only:
                dispatch_rules.setdefault(key, []).append(rule)
    nat = _chains(live, "nat")
    return {key: _fragment(its, nat) for key, its in dispatch_rules.items()}


def _chains(live: Ruleset, table: str) -> Mapping[str, Lines]:
    return live.tables[table].chains if table in live.tables else {}


def _dispatch_rules(
    root: DispatchChain, chains: Mapping[str, Lines], chain: str, seen: set[str]
) -> Iterator[DispatchRule]:
    """The dispatch rules of a chain, and of those below it in the tree of `root`; none of chains that are `seen`."""
    if chain in seen:
        return
    seen.add(chain)
    for line in chains.get(chain, ()):
        text = line.removeprefix(f"-A {chain} ")
        jump, port = _JUMP.search(line), _PORT.search(text)
        if title_of(text) and port:
            yield DispatchRule(root, _address(text), Protocol(port[1].upper()), int(port[2]), text)
        elif jump and jump[1].startswith(names.HASHED_PREFIXES) and not names.service_hash(jump[1]):
            yield from _dispatch_rules(root, chains, jump[1], seen)


def _address(rule: str) -> str:
    found = _DESTINATION.search(rule)
    ip = parse_ip(found[1]) if found else None
    return ip.text if ip is not None else ""


def _fragment(dispatch_rules: list[DispatchRule], nat: Mapping[str, Lines]) -> Fragment:
    chains: dict[str, Lines] = {}
    waiting = [target_chain(rule.text) for rule in dispatch_rules if rule.dispatch_chain.table == "nat"]
    while waiting:
        chain = waiting.pop()
        if chain in nat and chain not in chains:
            chains[chain] = nat[chain]
            waiting += map(target_chain, nat[chain])
    endpoints = sum(chain.startswith(names.ENDPOINT) for chain in chains)
    return Fragment(chains=tuple(chains.items()), dispatch_rules=tuple(dispatch_rules), endpoint_count=endpoints)
