"""The forms in which `diff` tells a Plan: for people, for programs, and for iptables-restore."""

from collections.abc import Iterator, Mapping

import click
import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.explain import Explanation, ServiceChange
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.plan.summary import Summary, summarize
from pykubeproxy.plan.wording import ChainLines

NO_CHANGES = "No changes. The node matches the cluster."

_COLORS = {"+": "green", "-": "red", "~": "yellow"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The Plan of one family, and its explanation."""

    plan: Plan
    explanation: Explanation


def as_text(told: Mapping[Family, Told]) -> Iterator[str]:
    """Service by Service, then chain by chain, with a summary as the last line."""
    for family, its in told.items():
        if not its.plan.is_empty:
            yield click.style(f"# {family.lower()}", bold=True)
            yield from _family(its.explanation)
    if all(its.plan.is_empty for its in told.values()):
        yield NO_CHANGES
    else:
        yield f"Plan: {sum((summarize(its.plan) for its in told.values()), Summary())}"


def as_json(told: Mapping[Family, Told]) -> str:
    """For programs: per family the summary, the Services, and everything else that `as_text` tells."""
    document = {
        "changed": any(not its.plan.is_empty for its in told.values()),
        "summary": sum((summarize(its.plan) for its in told.values()), Summary()),
        "families": {
            family.lower(): {"summary": summarize(its.plan), **_fields(its.explanation)} for family, its in told.items()
        },
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


def _family(explanation: Explanation) -> Iterator[str]:
    for service in explanation.services:
        yield from _service(service)
    if explanation.other:
        yield click.style("chains of no Service", bold=True)
        for lines in explanation.other:
            yield from _chain(lines)
    if explanation.inserts:
        yield click.style("jump rules that are missing", bold=True)
        for insert in explanation.inserts:
            where = f"{insert.table} {insert.chain}, at position {insert.position}"
            yield _colored("+", f"  + {insert.line}  ({where})")
    for table, chain in explanation.out_of_order:
        yield f"note: jump rules in {table} {chain} are in another order than on a fresh node, and stay so"
    for kept in explanation.kept:
        yield f"  = {kept.table} {kept.chain}: {len(kept.rules)} of other programs' rules kept"


def _service(service: ServiceChange) -> Iterator[str]:
    words = "; ".join(service.words)
    yield click.style(service.service, bold=True) + (f": {words}" if words else "")
    for lines in service.chains:
        yield from _chain(lines)


def _chain(lines: ChainLines) -> Iterator[str]:
    yield _colored(lines.sign, f"  {lines.sign} {lines.table} {lines.chain}")
    prefix = f"-A {lines.chain} "
    for sign, rules in (("-", lines.removed), ("+", lines.added)):
        for rule in rules:
            yield _colored(sign, f"    {sign} {rule.removeprefix(prefix)}")


def _colored(sign: str, text: str) -> str:
    return click.style(text, fg=_COLORS[sign])
