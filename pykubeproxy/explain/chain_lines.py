"""What changes in one chain: the rules that go and come, and what their order has to do with it."""

from collections import Counter

import msgspec

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import Door
from pykubeproxy.rules.ruleset import Lines

# The chains that all Services share.
DOORS = frozenset((door.table, door.chain) for door in Door)

_SAME_RULES = "the same rules in another order"
_OTHER_RULES = "the rules that stay come in another order"
_NODE_PORTS_LAST = "the rule that leads to the node ports is not the last one, which it must be"


class ChainLines(msgspec.Struct, frozen=True, kw_only=True):
    """One chain, and the rules that go and come in it. `sign` is `+`, `-` or `~`, for the chain as a whole.

    `order` says in words what is wrong with the order of the rules that neither go nor come; empty if nothing is.
    """

    sign: str
    table: str
    chain: str
    removed: Lines = ()
    added: Lines = ()
    order: str = ""

    @property
    def has_only_order(self) -> bool:
        """True if the rules stay, and are only met in another order."""
        return bool(self.order) and not (self.removed or self.added)

    def side(self, *, added: bool) -> Lines:
        """The rules that come, or those that go."""
        return self.added if added else self.removed


def chain_lines(change: ChainChange) -> ChainLines:
    """What `change` does to its chain."""
    before, after = change.before or (), change.after or ()
    removed, added = _surplus(before, after), _surplus(after, before)
    return ChainLines(
        sign=_sign(change),
        table=change.table,
        chain=change.chain,
        removed=removed,
        added=added,
        order=_order(change, removed, added),
    )


def _surplus(lines: Lines, others: Lines) -> Lines:
    """The `lines` that are not among `others`, each as often as it is there more often, in their order."""
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


def _sign(change: ChainChange) -> str:
    if change.before is None:
        return "+"
    return "-" if change.after is None else "~"


def _order(change: ChainChange, removed: Lines, added: Lines) -> str:
    before, after = change.before or (), change.after or ()
    if not (before and after):
        return ""
    if (change.table, change.chain) in DOORS:
        # kube-proxy writes these in a random order. All that matters is what comes after every Service.
        return _NODE_PORTS_LAST if _has_rules_behind_node_ports(before) else ""
    if _surplus(before, removed) == _surplus(after, added):
        return ""
    return _OTHER_RULES if removed or added else _SAME_RULES


def _has_rules_behind_node_ports(lines: Lines) -> bool:
    """True for rules of which a Service's is met only after those that lead to the node ports."""
    leads = [line.endswith(f" -j {names.NODE_PORTS}") for line in lines]
    return leads != sorted(leads)
