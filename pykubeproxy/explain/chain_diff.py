"""What changes in one chain: the rules that go and come, and whether the order of the others is wrong."""

from collections import Counter
from enum import StrEnum

import msgspec

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.plan.equivalence import node_ports_come_last
from pykubeproxy.rules.fragment import DISPATCH_CHAINS
from pykubeproxy.rules.ruleset import Lines


class ChainAction(StrEnum):
    """What happens to a chain as a whole."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class OrderProblem(StrEnum):
    """What is wrong with the order of the rules that neither go nor come."""

    SAME_RULES = "sameRules"
    """They are in another order, and no rule goes or comes."""
    OTHER_RULES = "otherRules"
    """They are in another order, and other rules go or come."""
    NODE_PORTS_NOT_LAST = "nodePortsNotLast"
    """The rule that leads to the node ports comes before that of a Service, which would lose a packet to it."""


class ChainDiff(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One chain, and the rules that go and come in it; `order` is None if the order of all others is right."""

    action: ChainAction
    table: str
    chain: str
    removed: Lines = ()
    added: Lines = ()
    order: OrderProblem | None = None


def chain_diff(change: ChainChange) -> ChainDiff:
    """What `change` does to its chain."""
    before, after = change.before or (), change.after or ()
    removed, added = surplus(before, after), surplus(after, before)
    return ChainDiff(
        action=_action(change),
        table=change.table,
        chain=change.chain,
        removed=removed,
        added=added,
        order=_order(change, removed, added),
    )


def surplus(lines: Lines, others: Lines) -> Lines:
    """The `lines` that are not among `others`, each as often as it is there more often, in their order."""
    # The first sync of a node has a hundred thousand lines, and nothing to compare them with.
    if not others:
        return lines
    left = Counter(others)
    found = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return tuple(found)


def _action(change: ChainChange) -> ChainAction:
    if change.before is None:
        return ChainAction.ADDED
    return ChainAction.REMOVED if change.after is None else ChainAction.CHANGED


def _order(change: ChainChange, removed: Lines, added: Lines) -> OrderProblem | None:
    before, after = change.before or (), change.after or ()
    if not (before and after):
        return None
    if (change.table, change.chain) in DISPATCH_CHAINS:
        # kube-proxy writes these in a random order. All that matters is what comes after every Service.
        return OrderProblem.NODE_PORTS_NOT_LAST if not node_ports_come_last(before) else None
    if surplus(before, removed) == surplus(after, added):
        return None
    return OrderProblem.OTHER_RULES if removed or added else OrderProblem.SAME_RULES
