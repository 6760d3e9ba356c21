"""The Plan that takes everything away again: what kube-proxy's `--cleanup` removes.

Source: `docs/reference/iptables-execution.md` section 10.

KUBE-FIREWALL with its jumps stays, because kubelet relies on it as well.
"""

from collections.abc import Iterator

from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete, is_owned
from pykubeproxy.rules import names
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import ChainId, Ruleset
from pykubeproxy.rules.skeleton import JUMPS


def cleanup(live: Ruleset) -> Plan:
    """Remove every jump rule and chain of a Service proxy from `live`, kube-proxy's canaries included.

    Chains that other programs' rules lead to, or a map may, are emptied and reported as `kept`, since they cannot be
    deleted.
    """
    doomed = {
        (table, chain)
        for table, content in live.tables.items()
        for chain in content.chains
        if _is_removed(table, chain)
    }
    deletes = tuple(_jumps_to(live, doomed))
    kept = doomed & _still_referenced(live, doomed, deletes)
    kept |= {chain for chain in doomed if chain[0] in live.mapped}
    changes = tuple(
        ChainChange(
            table=table, chain=chain, before=live.lines(table, chain), after=() if (table, chain) in kept else None
        )
        for table, chain in sorted(doomed)
        if (table, chain) not in kept or live.lines(table, chain)
    )
    return Plan(chains=changes, deletes=deletes, kept=tuple(sorted(kept)))


def _is_removed(table: str, chain: str) -> bool:
    if chain == names.CANARY:
        return True
    return is_owned(table, chain) and chain != names.FIREWALL


def _jumps_to(live: Ruleset, doomed: set[ChainId]) -> Iterator[RuleDelete]:
    """Our jump rules that are there, each as often as it is there."""
    for (table, chain), jumps in JUMPS.items():
        for line in live.lines(table, chain) or ():
            if line in jumps and (table, target_of(line)) in doomed:
                yield RuleDelete(table=table, chain=chain, line=line)


def _still_referenced(live: Ruleset, doomed: set[ChainId], deletes: tuple[RuleDelete, ...]) -> set[ChainId]:
    """The chains that the rules lead to that stay."""
    gone = {(delete.table, delete.line) for delete in deletes}
    return {
        (name, target_of(line))
        for name, table in live.tables.items()
        for chain, lines in table.chains.items()
        for line in lines
        if (name, chain) not in doomed and (name, line) not in gone
    }
