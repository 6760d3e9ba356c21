"""What the rules will be once a Plan is carried out: how belief about the kernel moves after a restore succeeded."""

from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import Ruleset


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
