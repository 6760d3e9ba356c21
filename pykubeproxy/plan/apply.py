"""What the tables hold once a Plan is carried out: their rules, and the number of their entries.

The belief about the kernel moves by this after a restore has succeeded. The number of entries is all that the kernel
tells of a legacy table at no cost: besides rules there are an end of each built-in chain, a head and an end of every
other, and one of the table (`linux/netfilter_ipv4/ip_tables.h`).
"""

from collections import Counter
from collections.abc import Mapping

from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import Ruleset, is_builtin

_OWN_CHAIN = 2


def apply(plan: Plan, ruleset: Ruleset) -> None:
    """Change `ruleset` in place as the restore of `plan` changes the kernel."""
    for change in plan.chains:
        chains = ruleset.table(change.table).chains
        if change.after is None:
            chains.pop(change.chain, None)
        else:
            chains[change.chain] = change.after
    for delete in plan.deletes:
        lines = list(ruleset.lines(delete.table, delete.chain) or ())
        if delete.line in lines:
            lines.remove(delete.line)
        ruleset.table(delete.table).chains[delete.chain] = tuple(lines)
    for insert in plan.inserts:
        lines = list(ruleset.lines(insert.table, insert.chain) or ())
        lines.insert(insert.position - 1, insert.line)
        ruleset.table(insert.table).chains[insert.chain] = tuple(lines)


def count_entries(ruleset: Ruleset) -> dict[str, int]:
    """The entries of every table; takes as long as there are chains."""
    found = {}
    for name, table in ruleset.tables.items():
        builtin = sum(is_builtin(name, chain) for chain in table.chains)
        found[name] = table.rule_count() + builtin + _OWN_CHAIN * (len(table.chains) - builtin) + 1
    return found


def entries_after(plan: Plan, before: Mapping[str, int]) -> dict[str, int]:
    """The entries of tables that had so many `before` a Plan was carried out; takes as long as the Plan is large."""
    found = Counter(before)
    for change in plan.chains:
        found[change.table] += len(change.after or ()) - len(change.before or ())
        found[change.table] += _OWN_CHAIN * ((change.after is not None) - (change.before is not None))
    found.update(insert.table for insert in plan.inserts)
    found.subtract(delete.table for delete in plan.deletes)
    return dict(found)
