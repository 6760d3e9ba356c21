"""The forms in which `diff` tells a Plan: for people, for programs, and for iptables-restore."""

from collections.abc import Iterator, Mapping

import click
import msgspec

from pykubeproxy.cli.compared import Compared
from pykubeproxy.explain.chain_lines import ChainLines
from pykubeproxy.explain.plan import Explanation, ServiceChange
from pykubeproxy.explain.summary import Summary, summarize
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.model.printable import printable
from pykubeproxy.plan.diff import Plan, RuleInsert
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.rules.ruleset import Lines

NO_CHANGES = "No changes. The node matches the cluster."
NO_CHANGES_KNOWN = "No changes by what could be read."

# Of other programs' rules in one chain, so many are shown.
_MOST_KEPT = 5

_COLORS = {"+": "green", "-": "red", "~": "yellow"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The Plan of one family, and its explanation."""

    plan: Plan
    explanation: Explanation


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a comparison has found: what differs, by family, in what was `compared`.

    `left_tables` are those of kube-proxy's nftables mode, which `run` deletes; `not_looked_at` are all tables of
    nftables beside the rules that are compared.
    """

    told: Mapping[Family, Told]
    compared: Compared
    left_tables: tuple[NftTable, ...] = ()
    not_looked_at: tuple[NftTable, ...] = ()

    @property
    def is_different(self) -> bool:
        """True if there is something to do for `run`."""
        return bool(self.left_tables) or any(not its.plan.is_empty for its in self.told.values())

    @property
    def summary(self) -> Summary:
        """The Plans of all families in numbers."""
        return sum((summarize(its.plan) for its in self.told.values()), Summary())


def as_text(findings: Findings) -> Iterator[str]:
    """Service by Service, then chain by chain, with a summary as the last line; which objects are unread is said."""
    unread = "; ".join(map(printable, findings.compared.unread))
    for family, its in findings.told.items():
        yield from _headed(click.style(f"# {family.lower()}", bold=True), _family(its))
    for table in findings.left_tables:
        yield _colored("-", f"- {table.title}, left by kube-proxy's nftables mode")
    if findings.is_different:
        if unread:
            yield f"note: nothing is removed while some objects cannot be read: {unread}"
        count = len(findings.left_tables)
        tables = f"; {count} {'table' if count == 1 else 'tables'} of nftables to delete" if count else ""
        yield f"Plan: {findings.summary}{tables}"
    else:
        yield f"{NO_CHANGES_KNOWN} Skipped: {unread}" if unread else NO_CHANGES


def as_json(findings: Findings) -> str:
    """For programs: per family the summary, the Services, and everything else there is to tell.

    `not_compared` are the tables of which dumps say nothing, by family; `skipped` names objects that cannot be read.
    `left_tables` are those of kube-proxy's nftables mode, `not_looked_at` all tables of nftables beside the rules that
    are compared, with their hooks.
    """
    document = {
        "changed": findings.is_different,
        "summary": findings.summary,
        "families": {
            family.lower(): {"summary": summarize(its.plan), **_fields(its.explanation)}
            for family, its in findings.told.items()
        },
        "not_compared": {gap.family.lower(): gap.tables for gap in findings.compared.gaps},
        "skipped": findings.compared.unread,
        "left_tables": [f"{table.family} {table.name}" for table in findings.left_tables],
        "not_looked_at": [table.fields for table in findings.not_looked_at],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def as_restore(told: Mapping[Family, Told], splits: Mapping[Family, Split]) -> Iterator[str]:
    """Exactly what `run` would feed to iptables-restore."""
    for family, its in told.items():
        if not its.plan.is_empty:
            yield f"# {family.lower()}"
            yield from Payload(*splits.get(family, whole)(its.plan))


def _fields(explanation: Explanation) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(explanation)
    return fields


def _headed(heading: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines below their heading; nothing where there are none."""
    for first in lines:
        yield heading
        yield first
        yield from lines


def _family(told: Told) -> Iterator[str]:
    """Everything about one family; nothing where there is neither a change nor anything worth a note."""
    explanation = told.explanation
    for service in explanation.services:
        yield from _service(service)
    yield from _headed(
        click.style("chains of no Service", bold=True), (text for lines in explanation.other for text in _chain(lines))
    )
    yield from _headed(click.style("jump rules that are missing", bold=True), map(_insert, explanation.inserts))
    yield from _notes(explanation)
    yield from _kept(told)


def _insert(insert: RuleInsert) -> str:
    return _colored("+", f"  + {insert.line}  ({insert.table} {insert.chain}, at position {insert.position})")


def _notes(explanation: Explanation) -> Iterator[str]:
    """What is not as on a fresh node, and stays so."""
    for table, chain in explanation.out_of_order:
        yield f"note: jump rules in {table} {chain} are in another order than on a fresh node, and stay so"
    for jump in explanation.repeated:
        yield f"note: {jump.table} {jump.chain} has a jump rule {jump.count} times, and that stays so"
        yield from _rules("=", jump.chain, (jump.rule,))
    for stale in explanation.stale:
        where = f"{stale.table} {stale.chain}"
        yield f"note: {where} serves no Service any more, but is only emptied: other programs' rules lead there"
        yield from _some("=", "", stale.used_by)


def _kept(told: Told) -> Iterator[str]:
    """Other programs' rules. Where nothing changes, only those beside jump rules that are worth a note."""
    explanation = told.explanation
    noted = {*explanation.out_of_order, *((jump.table, jump.chain) for jump in explanation.repeated)}
    for kept in explanation.kept:
        if not told.plan.is_empty or (kept.table, kept.chain) in noted:
            yield f"  = {kept.table} {kept.chain}: {len(kept.rules)} of other programs' rules kept"
            yield from _some("=", kept.chain, kept.rules)


def _service(service: ServiceChange) -> Iterator[str]:
    words = "; ".join(service.words)
    yield click.style(service.service, bold=True) + (f": {words}" if words else "")
    for lines in service.chains:
        yield from _chain(lines)


def _chain(lines: ChainLines) -> Iterator[str]:
    order = f": {lines.order}" if lines.order else ""
    yield _colored(lines.sign, f"  {lines.sign} {lines.table} {lines.chain}{order}")
    yield from _rules("-", lines.chain, lines.removed)
    yield from _rules("+", lines.chain, lines.added)


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
