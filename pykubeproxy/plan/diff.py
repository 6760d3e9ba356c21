"""Desired against live rules, chain by chain.

Only chains that a Service proxy owns are compared, and only those of its own making that no Service needs any more
are removed. Of the built-in chains, nothing but the presence of the jump rules matters: a rule that is there is never
moved, and nobody else's rule is touched.
"""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from pykubeproxy.plan.equivalence import is_equivalent
from pykubeproxy.rules import names
from pykubeproxy.rules.names import is_stale_candidate
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin

# All chains of Service proxies begin like this.
_OUR_PREFIX = "KUBE-"


class ChainChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One chain before and after; None before it exists, and after it is removed."""

    table: str
    chain: str
    before: Lines | None
    after: Lines | None


class RuleInsert(msgspec.Struct, frozen=True, kw_only=True):
    """A rule put into a built-in chain at `position`, counted from 1 when all inserts before it are done."""

    table: str
    chain: str
    position: int
    line: str


class RuleDelete(msgspec.Struct, frozen=True, kw_only=True):
    """A rule taken out of a chain that stays."""

    table: str
    chain: str
    line: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do to the live rules of one family. `kept` names stale chains that somebody else's rules still use."""

    chains: tuple[ChainChange, ...] = ()
    inserts: tuple[RuleInsert, ...] = ()
    deletes: tuple[RuleDelete, ...] = ()
    kept: tuple[ChainId, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to do."""
        return not (self.chains or self.inserts or self.deletes)


def diff(desired: Ruleset, live: Ruleset) -> Plan:
    """Everything that must change for `live`, as read from the kernel, to become `desired`."""
    stale = set(_stale(desired, live))
    in_use = {chain for chain in stale if chain[0] in live.mapped}
    in_use |= stale & referenced_by_others(live, desired.shared) if stale else set()
    return _plan(desired, live, sorted([*_different(desired, live), *stale]), in_use)


def diff_chains(desired: Ruleset, live: Ruleset, chains: Iterable[ChainId]) -> Plan:
    """What must change in some chains only: those that an update of `desired` has touched."""
    return _plan(desired, live, sorted(chains), frozenset())


def _different(desired: Ruleset, live: Ruleset) -> Iterator[ChainId]:
    """The desired chains, without those of our own whose rules are the very same, as `parse` shares them: most."""
    for table, content in desired.tables.items():
        found = live.chains(table)
        for chain, lines in content.chains.items():
            if found.get(chain) is not lines or is_builtin(table, chain):
                yield table, chain


def _stale(desired: Ruleset, live: Ruleset) -> Iterator[ChainId]:
    """The chains that a Service proxy made for some Service, and that none needs any more."""
    for table, content in live.tables.items():
        wanted = desired.chains(table)
        for chain in content.chains:
            if chain not in wanted and is_stale_candidate(table, chain):
                yield table, chain


def _plan(desired: Ruleset, live: Ruleset, chains: Iterable[ChainId], in_use: Collection[ChainId]) -> Plan:
    """The changes of some chains, which come in order.

    Chains that are `in_use` by others cannot be removed; they are emptied, and go once nobody uses them.
    """
    changes: list[ChainChange] = []
    inserts: list[RuleInsert] = []
    for table, chain in chains:
        want, have = desired.lines(table, chain), live.lines(table, chain)
        if is_builtin(table, chain):
            inserts.extend(_inserts(table, chain, want or (), have or ()))
            continue
        if want is None and (table, chain) in in_use:
            want = ()
        if not _is_settled(desired, table, chain, want, have):
            changes.append(ChainChange(table=table, chain=chain, before=have, after=want))
    return Plan(chains=tuple(changes), inserts=tuple(inserts), kept=tuple(sorted(in_use)))


def referenced_by_others(live: Ruleset, shared: Collection[ChainId] = ()) -> set[ChainId]:
    """The chains that rules outside the proxy's own chains, or in `shared` ones, lead to, but for its jump rules."""
    found: set[ChainId] = set()
    for table, content in live.tables.items():
        for chain, lines in content.chains.items():
            if not is_builtin(table, chain) and is_owned(table, chain) and (table, chain) not in shared:
                continue
            # Taking a rule apart takes long, and nodes may have many thousands of foreign ones.
            found.update((table, target_of(line)) for line in lines if _OUR_PREFIX in line)
    return found


def is_owned(table: str, chain: str) -> bool:
    """True for a chain that a Service proxy may write to."""
    return chain in names.FIXED_CHAINS.get(table, ()) or is_stale_candidate(table, chain)


def _is_settled(desired: Ruleset, table: str, chain: str, want: Lines | None, have: Lines | None) -> bool:
    if want is None or have is None:
        return want is have
    return (table, chain) in desired.shared or want is have or is_equivalent(chain, want, have)


def _inserts(table: str, chain: str, jumps: Lines, live: Lines) -> Iterator[RuleInsert]:
    """Insert the missing ones of `jumps` into a built-in chain.

    Each goes behind those of ours that must be met before it, else to the head of the chain, where kube-proxy puts
    all of them. KUBE-FIREWALL is no anchor: kubelet puts it wherever it starts.
    """
    present = list(live)
    missing = [jump for jump in jumps if jump not in present]
    for jump in reversed(missing):
        earlier = [line for line in jumps[: jumps.index(jump)] if target_of(line) != names.FIREWALL]
        anchors = [present.index(line) for line in earlier if line in present]
        position = max(anchors) + 1 if anchors else 0
        present.insert(position, jump)
        yield RuleInsert(table=table, chain=chain, position=position + 1, line=jump)
