"""A Plan in numbers."""

import msgspec

from pykubeproxy.explain.chain_diff import surplus
from pykubeproxy.plan.diff import Plan


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many chains a Plan adds, changes and removes, and how many rules it adds and removes."""

    chains_added: int = 0
    chains_changed: int = 0
    chains_removed: int = 0
    rules_added: int = 0
    rules_removed: int = 0

    def __str__(self) -> str:
        chains = f"{self.chains_added} chains to add, {self.chains_changed} to change, {self.chains_removed} to remove"
        return f"{chains}; +{self.rules_added}/-{self.rules_removed} rules"

    def __add__(self, other: "Summary") -> "Summary":
        sums = {name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__}
        return Summary(**sums)


def summarize(plan: Plan) -> Summary:
    """Count what a Plan does. A rule that only changes its place in a chain counts on neither side."""
    added = len(plan.inserts)
    removed = len(plan.deletes)
    for change in plan.chains:
        before, after = change.before or (), change.after or ()
        added += len(surplus(after, before))
        removed += len(surplus(before, after))
    builtin = {(rule.table, rule.chain) for rule in plan.inserts} | {(rule.table, rule.chain) for rule in plan.deletes}
    return Summary(
        chains_added=sum(change.before is None for change in plan.chains),
        chains_changed=len(builtin)
        + sum(change.before is not None and change.after is not None for change in plan.chains),
        chains_removed=sum(change.after is None for change in plan.chains),
        rules_added=added,
        rules_removed=removed,
    )
