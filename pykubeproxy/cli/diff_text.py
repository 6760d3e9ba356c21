"""`diff` for people: Service by Service, and what is left as it is."""

from collections.abc import Iterator, Mapping

import click
import msgspec

from pykubeproxy.explain.chain_diff import ChainAction, ChainDiff
from pykubeproxy.explain.change_words import change_texts, fixed_rules_texts, order_text, unused_ports_texts
from pykubeproxy.explain.notes import MissingTables
from pykubeproxy.explain.plan import Explanation, ServicePortDiff
from pykubeproxy.explain.service_counts import ServiceCounts, count_by_namespace, count_services
from pykubeproxy.explain.summary import Summary
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.model.printable import printable
from pykubeproxy.plan.diff import Plan, RuleInsert
from pykubeproxy.rules.ruleset import Lines

_NO_CHANGES = "No changes. The node matches the cluster."
_NO_CHANGES_KNOWN = "No changes by what could be read."

# Of other programs' rules in one chain, so many are shown.
_MOST_KEPT = 5

# If more Services differ, only their number is shown, unless each is asked for.
_MOST_SERVICES = 200

_SIGNS = {ChainAction.ADDED: "+", ChainAction.REMOVED: "-", ChainAction.CHANGED: "~"}
_COLORS = {"+": "green", "-": "red", "~": "yellow"}


class FamilyDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The Plan of one IP family, and its explanation."""

    plan: Plan
    explanation: Explanation


class NodeDiff(msgspec.Struct, frozen=True, kw_only=True):
    """All that a comparison of a node's rules has found, by IP family.

    `not_compared` are tables that dumps do not have; `skipped` names the objects that cannot be read. `left_tables` are
    tables of kube-proxy's nftables mode, which `run` deletes; `not_looked_at` are all tables of nftables beside the
    rules that are compared.
    """

    families: Mapping[Family, FamilyDiff]
    not_compared: tuple[MissingTables, ...] = ()
    skipped: tuple[str, ...] = ()
    left_tables: tuple[NftTable, ...] = ()
    not_looked_at: tuple[NftTable, ...] = ()

    @property
    def is_different(self) -> bool:
        """True if there is something to do for `run`."""
        return bool(self.left_tables) or any(not its.plan.is_empty for its in self.families.values())

    @property
    def summary(self) -> Summary:
        """The Plans of all families in numbers."""
        return sum((its.explanation.summary for its in self.families.values()), Summary())

    @property
    def services(self) -> ServiceCounts:
        """How many Services differ."""
        return count_services(its.explanation for its in self.families.values())


def as_text(diff: NodeDiff, *, is_summary: bool | None = None) -> Iterator[str]:
    """Service by Service, then chain by chain, with a summary as the last line.

    With `is_summary`, or if it is None and very many Services differ, only their numbers by namespace.
    """
    skipped = "; ".join(map(printable, diff.skipped))
    services = diff.services
    if is_summary or (is_summary is None and services.services > _MOST_SERVICES):
        for namespace, counts in count_by_namespace(its.explanation for its in diff.families.values()).items():
            yield f"{click.style(namespace, bold=True)}: {counts}"
        if is_summary is None:
            yield "note: so many Services differ that they are only counted; --no-summary shows each"
    else:
        for family, its in diff.families.items():
            yield from _headed(click.style(f"# {family.lower()}", bold=True), _family(its))
    for table in diff.left_tables:
        yield _colored("-", f"- {table.title}, left by kube-proxy's nftables mode")
    if diff.is_different:
        if skipped:
            yield f"note: nothing is removed while some objects cannot be read: {skipped}"
        count = len(diff.left_tables)
        tables = f"; {count} {'table' if count == 1 else 'tables'} of nftables to delete" if count else ""
        yield f"Plan: {services}; {diff.summary}{tables}"
    else:
        yield f"{_NO_CHANGES_KNOWN} Skipped: {skipped}" if skipped else _NO_CHANGES


def _headed(heading: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines below their heading; nothing where there are none."""
    for first in lines:
        yield heading
        yield first
        yield from lines


def _family(diff: FamilyDiff) -> Iterator[str]:
    """Everything about one family; nothing where there is neither a change nor anything worth a note."""
    explanation = diff.explanation
    for service_port in explanation.service_ports:
        yield from _service_port(service_port)
    unused = "; ".join(unused_ports_texts(explanation.unused_ports))
    if unused:
        yield f"{click.style('ports that no Service has', bold=True)}: {unused}"
    fixed = "; ".join(fixed_rules_texts(explanation.fixed_rules))
    if fixed:
        yield f"{click.style('for all Services', bold=True)}: {fixed}"
    others = (text for chain in explanation.other_chains for text in _chain(chain))
    yield from _headed(click.style("chains of no Service", bold=True), others)
    missing = map(_missing_jump, explanation.missing_jumps)
    yield from _headed(click.style("jump rules that are missing", bold=True), missing)
    yield from _notes(explanation)
    yield from _kept(diff)


def _missing_jump(insert: RuleInsert) -> str:
    return _colored("+", f"  + {insert.line}  ({insert.table} {insert.chain}, at position {insert.position})")


def _notes(explanation: Explanation) -> Iterator[str]:
    """What is not as on a fresh node, and stays so."""
    for its in explanation.disordered_jumps:
        yield f"note: jump rules in {its.table} {its.chain} are in another order than on a fresh node, and stay so"
    for jump in explanation.repeated_jumps:
        yield f"note: {jump.table} {jump.chain} has a jump rule {jump.count} times, and that stays so"
        yield from _rules("=", jump.chain, (jump.rule,))
    for stale in explanation.stale_chains:
        where = f"{stale.table} {stale.chain}"
        yield f"note: {where} serves no Service any more, but is only emptied: other programs' rules lead there"
        yield from _some("=", "", stale.used_by)


def _kept(diff: FamilyDiff) -> Iterator[str]:
    """Other programs' rules. Where nothing changes, only those beside jump rules that are worth a note."""
    explanation = diff.explanation
    noted = {(jump.table, jump.chain) for jump in explanation.repeated_jumps}
    noted.update((jumps.table, jumps.chain) for jumps in explanation.disordered_jumps)
    for kept in explanation.kept_rules:
        if not diff.plan.is_empty or (kept.table, kept.chain) in noted:
            yield f"  = {kept.table} {kept.chain}: {len(kept.rules)} of other programs' rules kept"
            yield from _some("=", kept.chain, kept.rules)


def _service_port(diff: ServicePortDiff) -> Iterator[str]:
    changes = "; ".join(change_texts(diff.changes))
    yield click.style(diff.service_port, bold=True) + (f": {changes}" if changes else "")
    for chain in diff.chains:
        yield from _chain(chain)


def _chain(diff: ChainDiff) -> Iterator[str]:
    sign = _SIGNS[diff.action]
    order = f": {order_text(diff.order)}" if diff.order else ""
    yield _colored(sign, f"  {sign} {diff.table} {diff.chain}{order}")
    yield from _rules("-", diff.chain, diff.removed)
    yield from _rules("+", diff.chain, diff.added)


def _some(sign: str, chain: str, rules: Lines) -> Iterator[str]:
    """The first few rules, and how many more there are."""
    yield from _rules(sign, chain, rules[:_MOST_KEPT])
    if len(rules) > _MOST_KEPT:
        yield f"    … and {len(rules) - _MOST_KEPT} more"


def _rules(sign: str, chain: str, rules: Lines) -> Iterator[str]:
    """One line per rule: comments in those of other programs may have line breaks in them."""
    prefix = f"-A {chain} "
    for rule in rules:
        yield _colored(sign, f"    {sign} {printable(rule.removeprefix(prefix))}")


def _colored(sign: str, text: str) -> str:
    return click.style(text, fg=_COLORS[sign]) if sign in _COLORS else text
