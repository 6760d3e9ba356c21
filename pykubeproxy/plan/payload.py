"""A Plan as input for `iptables-restore --noflush --counters`.

One section per table, each committed as a whole. A chain line creates a chain or empties it; the rules follow, and
chains that go are deleted last, when nothing leads to them any more (`iptables-rules.md` section 4).
"""

from collections.abc import Iterator

from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import chain_line

# filter before nat, as kube-proxy does: what is to be refused is refused before traffic for it is rewritten.
_COMMIT_ORDER = ("filter", "nat", "mangle")


def payload(plan: Plan) -> Iterator[str]:
    """The lines of the restore input; none at all for an empty Plan."""
    for table in _COMMIT_ORDER:
        body = list(_section(plan, table))
        if body:
            yield f"*{table}"
            yield from body
            yield "COMMIT"


def _section(plan: Plan, table: str) -> Iterator[str]:
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
