"""`diff`: what `run` would change on this node now."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

import click

from pykubeproxy.cli import external_diff
from pykubeproxy.cli.beside import Beside, look_beside
from pykubeproxy.cli.common import (
    DIFFERENT,
    compile_for,
    complain,
    object_options,
    our_options,
    read_config,
    read_objects,
    tell,
    with_errors,
)
from pykubeproxy.cli.compared import Compared, from_dumps
from pykubeproxy.cli.diff_json import as_json
from pykubeproxy.cli.diff_text import FamilyDiff, NodeDiff, as_text
from pykubeproxy.cli.dumps import read_dumps
from pykubeproxy.cli.one_shot import one_shot
from pykubeproxy.cli.proxy_options import CONTEXT_SETTINGS, kube_proxy_flags
from pykubeproxy.cli.unread import complain_of_unread
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.daemon.setup.tools import check_tools, find_tools, split_for
from pykubeproxy.explain.plan import explain
from pykubeproxy.host.backend import Tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.diff import diff as make_plan
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.rules.ruleset import Ruleset

Desired = Callable[[Family], Ruleset]
"""The rules that should be there."""


@click.command(
    context_settings=dict(CONTEXT_SETTINGS),
    epilog="Example: pykubeproxy diff -f examples/ --dispatch linear",
)
@object_options
@click.option(
    "--live", "dumps", multiple=True, metavar="FILE", help="An iptables-save dump to compare with. Repeatable."
)
@click.option(
    "--output", type=click.Choice(["text", "restore", "json"]), default="text", show_default=True, help="What to print."
)
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
@one_shot
def diff(
    objects: tuple[str, ...],
    dumps: tuple[str, ...],
    output: str,
    own_options: OwnOptions,
    flags: dict[str, object],
) -> None:
    """Print what `run` would change on this node now; with --live, on the node that a dump is from.

    Exits with 0 if there is no difference, 1 if there is one, and more than 1 if something went wrong. While some
    objects cannot be read, nothing is removed, as in `run`, and it is said which ones those are.
    """
    differ = external_diff.wanted() if output == "text" else []
    completed = read_config(flags)
    change = read_objects(objects, completed)
    tell(change.notes)
    tools = {} if dumps else find_tools(own_options)
    check_tools(tools)

    @cache
    def desired(family: Family) -> Ruleset:
        return compile_for(completed, own_options, change, tools, [family])[family]

    compared = _from_dumps(dumps, own_options, change, desired) if dumps else Compared(live=_read(tools, desired))
    complain_of_unread(compared.live)
    wanted = {family: desired(family) for family in compared.live}
    if change.unread:
        wanted = compile_for(completed, own_options, change, tools, compared.live, compared.live)
    families = {
        family: _compare(compared.limited(wanted[family], family), its) for family, its in compared.live.items()
    }
    beside = Beside() if dumps else look_beside({family: its.backend for family, its in tools.items()})
    beside.tell()
    if differ:
        planned = {family: _planned(its, families[family].plan) for family, its in compared.live.items()}
        sys.exit(external_diff.show(differ, compared.live, planned))
    found = NodeDiff(
        families=families,
        not_compared=compared.gaps,
        skipped=change.unread,
        left_tables=beside.leftovers.tables,
        not_looked_at=beside.not_looked_at,
    )
    _print(_lines(found, output, {family: split_for(own_options, its) for family, its in tools.items()}))
    sys.exit(DIFFERENT if found.is_different else 0)


def _from_dumps(dumps: tuple[str, ...], own_options: OwnOptions, change: ObjectChanges, desired: Desired) -> Compared:
    """The rules in some dumps; what they lack is told on stderr. Raises SaveError."""
    live = read_dumps(dumps, own_options.only_family, desired)
    compared = from_dumps(live, dumps, own_options.wanted_families, change.put)
    for gap in compared.gaps:
        complain(gap.note(dumps))
    return compared


def _read(tools: Mapping[Family, Tools], desired: Desired) -> dict[Family, Ruleset]:
    """The live rules, which the tools fetch while it is found out what they should be. Raises HostError."""
    hosts = {family: IptablesHost(its) for family, its in tools.items()}
    for host in hosts.values():
        host.prefetch()
    return {family: host.save(known=desired(family)) for family, host in hosts.items()}


def _compare(desired: Ruleset, live: Ruleset) -> FamilyDiff:
    plan = make_plan(desired, live)
    return FamilyDiff(plan=plan, explanation=explain(plan, desired, live))


def _planned(live: Ruleset, plan: Plan) -> Ruleset:
    """The live rules after the Plan."""
    planned = live.copy()
    apply(plan, planned)
    return planned


def _lines(found: NodeDiff, output: str, splits: Mapping[Family, Split]) -> Iterator[str]:
    """What to print in one of the forms of --output."""
    match output:
        case "json":
            yield as_json(found)
        case "restore":
            for family, its in found.families.items():
                if not its.plan.is_empty:
                    yield f"# {family.lower()}"
                    yield from Payload(*splits.get(family, whole)(its.plan))
        case _:
            yield from as_text(found)


def _print(lines: Iterable[str]) -> None:
    color = False if os.environ.get("NO_COLOR") else None
    for line in lines:
        click.echo(line, color=color)
