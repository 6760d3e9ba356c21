"""What a Plan leaves as it is, though it is not as on a fresh node: other programs' rules, and what they depend on.

Source: the promises of `plan.diff`, that nobody else's rule is touched and a jump rule that is there is never moved.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from pykubeproxy.plan.diff import Plan, is_owned
from pykubeproxy.rules import names
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import TABLES, Lines, Ruleset, is_builtin
from pykubeproxy.rules.skeleton import JUMPS


class DisorderedJumps(msgspec.Struct, frozen=True):
    """A built-in chain in which our jump rules are met in another order than on a fresh node."""

    table: str
    chain: str


class KeptRules(msgspec.Struct, frozen=True):
    """Rules of other programs in one chain, which stay as they are."""

    table: str
    chain: str
    rules: Lines


class RepeatedJump(msgspec.Struct, frozen=True):
    """A jump rule that a built-in chain has `count` times, where once is enough."""

    table: str
    chain: str
    rule: str
    count: int


class StaleChain(msgspec.Struct, frozen=True, rename="camel"):
    """A chain that no Service needs any more, emptied but not removed: `used_by`, other programs' rules, lead there."""

    table: str
    chain: str
    used_by: Lines


def disordered_jumps(live: Ruleset) -> Iterator[DisorderedJumps]:
    """The built-in chains in which the order of our jump rules differs from that of a fresh node.

    Those to KUBE-FIREWALL do not count: kubelet puts them wherever it starts.
    """
    for (table, chain), jumps in JUMPS.items():
        wanted = [jump for jump in jumps if target_of(jump) != names.FIREWALL]
        present = [line for line in dict.fromkeys(live.lines(table, chain) or ()) if line in wanted]
        if present != [jump for jump in wanted if jump in present]:
            yield DisorderedJumps(table, chain)


def repeated_jumps(live: Ruleset) -> Iterator[RepeatedJump]:
    """Our jump rules that are there more than once."""
    for (table, chain), jumps in JUMPS.items():
        counts = Counter(line for line in live.lines(table, chain) or () if line in jumps)
        for rule, count in counts.items():
            if count > 1:
                yield RepeatedJump(table, chain, rule, count)


def kept_rules(live: Ruleset) -> Iterator[KeptRules]:
    """What other programs have in the tables that we write to."""
    for name in TABLES:
        for chain, lines in live.chains(name).items():
            if not is_builtin(name, chain) and is_owned(name, chain):
                continue
            ours = JUMPS.get((name, chain), ())
            foreign = tuple(line for line in lines if line not in ours)
            if foreign:
                yield KeptRules(name, chain, foreign)


def stale_chains(plan: Plan, kept: tuple[KeptRules, ...]) -> Iterator[StaleChain]:
    """The chains that `plan` cannot remove, each with those of the `kept` rules that are the reason."""
    for table, chain in plan.kept:
        rules = (rule for its in kept if its.table == table for rule in its.rules)
        # Taking a rule apart takes long, and nodes may have many thousands of foreign rules.
        yield StaleChain(table, chain, tuple(rule for rule in rules if chain in rule and target_of(rule) == chain))
