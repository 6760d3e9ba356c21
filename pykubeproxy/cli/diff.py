"""`diff`: what `run` would change on this node now."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping

import click

from pykubeproxy.cli import external_diff
from pykubeproxy.cli.common import (
    DIFFERENT,
    compile_for,
    object_options,
    our_options,
    read_config,
    read_objects,
    tell,
    with_errors,
)
from pykubeproxy.cli.diff_output import Told, as_json, as_restore, as_text
from pykubeproxy.cli.dumps import read_dumps
from pykubeproxy.cli.one_shot import one_shot
from pykubeproxy.config.options import CONTEXT_SETTINGS, kube_proxy_flags
from pykubeproxy.daemon.assembly import Choices, check_tools, find_tools, split_for
from pykubeproxy.host.backend import Tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.memory import copy
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import diff as make_plan
from pykubeproxy.plan.explain import explain
from pykubeproxy.rules.ruleset import Ruleset


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
    choices: Choices,
    flags: dict[str, object],
) -> None:
    """Print what `run` would change on this node now; with --live, on the node that a dump is from.

    Exits with 0 if there is no difference, 1 if there is one, and more than 1 if something went wrong.
    """
    completed = read_config(flags)
    change = read_objects(objects, completed)
    tell(change.notes)
    tools = {} if dumps else find_tools(choices)
    check_tools(tools)
    live = read_dumps(dumps, choices.only_family) if dumps else _read(tools)
    desired = compile_for(completed, choices, change, tools, live)
    told = {family: _tell(_visible(desired[family], its, dumps), its) for family, its in live.items()}
    is_same = all(its.plan.is_empty for its in told.values())
    if external_diff.wanted() and output == "text":
        sys.exit(
            external_diff.show(
                external_diff.wanted(), live, {family: _planned(live[family], told[family]) for family in live}
            )
        )
    _OUTPUTS[output](told, tools, choices)
    sys.exit(0 if is_same else DIFFERENT)


def _tell(desired: Ruleset, live: Ruleset) -> Told:
    plan = make_plan(desired, live)
    return Told(plan=plan, explanation=explain(plan, desired, live))


def _planned(live: Ruleset, told: Told) -> Ruleset:
    """The live rules after the Plan."""
    planned = copy(live)
    apply(told.plan, planned)
    return planned


def _print_text(told: Mapping[Family, Told], tools: Mapping[Family, Tools], choices: Choices) -> None:
    del tools, choices
    _print(as_text(told), color=False if os.environ.get("NO_COLOR") else None)


def _print_json(told: Mapping[Family, Told], tools: Mapping[Family, Tools], choices: Choices) -> None:
    del tools, choices
    _print([as_json(told)])


def _print_restore(told: Mapping[Family, Told], tools: Mapping[Family, Tools], choices: Choices) -> None:
    _print(as_restore(told, {family: split_for(choices, its) for family, its in tools.items()}))


_OUTPUTS: Mapping[str, Callable[[Mapping[Family, Told], Mapping[Family, Tools], Choices], None]] = {
    "text": _print_text,
    "json": _print_json,
    "restore": _print_restore,
}


def _print(lines: Iterable[str], *, color: bool | None = None) -> None:
    for line in lines:
        click.echo(line, color=color)


def _read(tools: Mapping[Family, Tools]) -> dict[Family, Ruleset]:
    return {family: IptablesHost(its).save() for family, its in tools.items()}


def _visible(desired: Ruleset, live: Ruleset, dumps: tuple[str, ...]) -> Ruleset:
    """Of a dump, only the tables that are in it can be compared; a node that lacks a table has it empty."""
    if not dumps:
        return desired
    tables = {name: table for name, table in desired.tables.items() if name in live.tables}
    return Ruleset(tables=tables, shared=desired.shared)
