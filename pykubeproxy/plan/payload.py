"""A Plan as input for `iptables-restore --noflush --counters`.

A chain line creates a chain or empties it; the rules follow, and chains that go are deleted last, when nothing leads to
them any more (`docs/reference/iptables-rules.md` section 4).
"""

from collections.abc import Iterable, Iterator

from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import chain_line

# filter before nat, as kube-proxy does: what is to be refused is refused before traffic for it is rewritten.
_COMMIT_ORDER = ("filter", "nat", "mangle")


class Payload:
    """The lines of the restore input for some Plans; none at all for empty ones.

    Each table of each Plan is one section, committed as a whole. The lines are made as they are asked for, since a
    large input would need as much memory again as all rules; and again each time, so that an error can be looked up.
    """

    def __init__(self, *plans: Plan) -> None:
        self._plans = plans

    def __iter__(self) -> Iterator[str]:
        for plan in self._plans:
            for table in _COMMIT_ORDER:
                yield from committed(table, section_lines(plan, table))

    @property
    def line_count(self) -> int:
        """The number of its lines, apart from those at the beginning and end of a section."""
        return sum(map(_line_count, self._plans))


def committed(table: str, body: Iterable[str]) -> Iterator[str]:
    """The lines of a section with this `body`; none if there is nothing in it."""
    is_begun = False
    for line in body:
        if not is_begun:
            yield f"*{table}"
            is_begun = True
        yield line
    if is_begun:
        yield "COMMIT"


def section_lines(plan: Plan, table: str) -> Iterator[str]:
    """What a Plan does to one table, without the lines at the beginning and end of the section."""
    changes = [change for change in plan.chains if change.table == table]
    for change in changes:
        yield chain_line(change.chain)
    for delete in plan.deletes:
        if delete.table == table:
            yield delete.line.replace("-A ", "-D ", 1)
    for change in changes:
        yield from change.after or ()
    for insert in plan.inserts:
        if insert.table == table:
            prefix = f"-A {insert.chain} "
            yield f"-I {insert.chain} {insert.position} {insert.line.removeprefix(prefix)}"
    for change in changes:
        if change.after is None:
            yield f"-X {change.chain}"


def _line_count(plan: Plan) -> int:
    rules = sum(len(change.after or ()) for change in plan.chains)
    deleted_chains = sum(change.after is None for change in plan.chains)
    return len(plan.chains) + rules + deleted_chains + len(plan.inserts) + len(plan.deletes)
