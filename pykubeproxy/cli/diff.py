"""`diff`: what `run` would change on this node now."""

import sys
from collections.abc import Iterator, Mapping

import click

from pykubeproxy.cli.common import (
    DIFFERENT,
    compile_for,
    open_manifests,
    our_options,
    read_config,
    tell,
    with_errors,
)
from pykubeproxy.cli.dumps import read_dumps
from pykubeproxy.config.options import CONTEXT_SETTINGS, kube_proxy_flags
from pykubeproxy.daemon.assembly import Choices, check_tools, find_tools, split_for
from pykubeproxy.host.backend import Tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.diff import diff as make_plan
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.plan.summary import Summary, summarize
from pykubeproxy.rules.ruleset import Ruleset


@click.command(
    context_settings=dict(CONTEXT_SETTINGS),
    epilog="Example: pykubeproxy diff -f examples/ --dispatch linear",
)
@click.option(
    "-f", "files", multiple=True, metavar="PATH", help="Objects: a file, a folder, or - for stdin. Repeatable."
)
@click.option("--source", "source", metavar="PATH", help="The same, as `run` has it.")
@click.option(
    "--live", "dumps", multiple=True, metavar="FILE", help="An iptables-save dump to compare with. Repeatable."
)
@click.option(
    "--output", type=click.Choice(["text", "restore"]), default="text", show_default=True, help="What to print."
)
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
def diff(
    files: tuple[str, ...],
    source: str | None,
    dumps: tuple[str, ...],
    output: str,
    choices: Choices,
    flags: dict[str, object],
) -> None:
    """Print what `run` would change on this node now; with --live, on the node that a dump is from.

    Exits with 0 if there is no difference, 1 if there is one, and more than 1 if something went wrong.
    """
    completed = read_config(flags)
    change = open_manifests((*files, *((source,) if source else ()))).load()
    tell(change.notes)
    tools = {} if dumps else find_tools(choices)
    check_tools(tools)
    live = read_dumps(dumps, choices.only_family) if dumps else _read(tools)
    desired = compile_for(completed, choices, change, tools, live)
    plans = {family: make_plan(_visible(desired[family], live[family], dumps), live[family]) for family in live}
    splits = {family: split_for(choices, its) for family, its in tools.items()}
    for line in _restore_lines(plans, splits) if output == "restore" else _text(plans):
        click.echo(line)
    sys.exit(0 if all(plan.is_empty for plan in plans.values()) else DIFFERENT)


def _read(tools: Mapping[Family, Tools]) -> dict[Family, Ruleset]:
    return {family: IptablesHost(its).save() for family, its in tools.items()}


def _visible(desired: Ruleset, live: Ruleset, dumps: tuple[str, ...]) -> Ruleset:
    """Of a dump, only the tables that are in it can be compared; a node that lacks a table has it empty."""
    if not dumps:
        return desired
    tables = {name: table for name, table in desired.tables.items() if name in live.tables}
    return Ruleset(tables=tables, shared=desired.shared)


def _restore_lines(plans: Mapping[Family, Plan], splits: Mapping[Family, Split]) -> Iterator[str]:
    for family, plan in plans.items():
        if not plan.is_empty:
            yield f"# {family.lower()}"
            yield from Payload(*splits.get(family, whole)(plan))


def _text(plans: Mapping[Family, Plan]) -> Iterator[str]:
    for family, plan in plans.items():
        if not plan.is_empty:
            yield f"# {family.lower()}"
            yield from _plan_text(plan)
    total = sum((summarize(plan) for plan in plans.values()), Summary())
    if all(plan.is_empty for plan in plans.values()):
        yield "No changes. The node matches the cluster."
    else:
        yield f"Plan: {total}"


def _plan_text(plan: Plan) -> Iterator[str]:
    """Each chain with its lines: `+` comes, `-` goes; `~` before a chain that stays."""
    for insert in plan.inserts:
        yield f"~ {insert.table} {insert.chain}"
        yield f"  + {insert.line} (at position {insert.position})"
    for change in plan.chains:
        sign = "+" if change.before is None else "-" if change.after is None else "~"
        yield f"{sign} {change.table} {change.chain}"
        before, after = change.before or (), change.after or ()
        yield from (f"  - {line}" for line in before if line not in after)
        yield from (f"  + {line}" for line in after if line not in before)
