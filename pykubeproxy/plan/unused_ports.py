"""Rules that refuse the unused ports of an address are added last: after those that serve the ports that it has.

filter is committed before nat. If a Service is new, and its address were refused at once, a client would be refused at
a port that is about to be served; a packet that is lost instead is sent again.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from pykubeproxy.plan.diff import ChainChange, Plan
from pykubeproxy.rules.reading import kind_of
from pykubeproxy.rules.ruleset import Lines
from pykubeproxy.rules.text import RuleKind


def unused_ports_last(plan: Plan) -> tuple[Plan, tuple[ChainChange, ...]]:
    """`plan` without the rules that refuse unused ports of addresses which had none, and the changes that add those.

    A rule that only moves to another chain of the tree stays in the Plan.
    """
    changes = [change for change in plan.chains if change.table == "filter"]
    added = _rules(change.after for change in changes) - _rules(change.before for change in changes)
    if not added:
        return plan, ()
    first, last = [], []
    for change in plan.chains:
        lines = tuple(line for line in change.after or () if change.table != "filter" or _rule(line) not in added)
        if lines == (change.after or ()):
            first.append(change)
        else:
            first.append(replace(change, after=lines))
            last.append(replace(change, before=lines))
    return replace(plan, chains=tuple(first)), tuple(last)


def _rules(chains: Iterable[Lines | None]) -> set[str]:
    """The rules for unused ports in some chains, each without the chain that it is in."""
    return {_rule(line) for lines in chains for line in lines or () if kind_of(line) is RuleKind.UNUSED_PORTS}


def _rule(line: str) -> str:
    return line.split(" ", 2)[2]
