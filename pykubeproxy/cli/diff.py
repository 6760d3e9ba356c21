"""`diff`: what `run` would change on this node now."""

import sys
from collections.abc import Iterable, Iterator, Mapping

import click

from pykubeproxy.cli.color import color_option
from pykubeproxy.cli.diff_json import as_json
from pykubeproxy.cli.diff_text import FamilyDiff, NodeDiff, as_text
from pykubeproxy.cli.dumps import comparable, not_compared, read_dumps
from pykubeproxy.cli.errors import DIFFERENT, print_stderr, with_errors
from pykubeproxy.cli.external_diff import external_command, run_external_diff
from pykubeproxy.cli.garbage_collection import without_garbage_collection
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.inputs import compile_for, print_notes_on_input, read_config, read_objects, require_node
from pykubeproxy.cli.notes import OtherTables, find_other_tables, note_other_tables, note_unread
from pykubeproxy.cli.options import ALLOW_EMPTY, STRICT, complete_files, object_options, our_options
from pykubeproxy.cli.progress import READING_RULES, progress
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.cli.running_proxy import NodeConfig, config_of_node
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.daemon.setup.tools import check_tools, find_tools, split_for
from pykubeproxy.explain.notes import MissingTables, missing_text
from pykubeproxy.explain.plan import explain
from pykubeproxy.host.backend import Tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service
from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import Plan
from pykubeproxy.plan.diff import diff as make_plan
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.rules.ruleset import Ruleset


@node_command("pykubeproxy diff -f examples/ --dispatch linear")
@object_options
@STRICT
@click.option(
    "--summary/--no-summary",
    "is_summary",
    default=None,
    help="With text: only numbers by namespace, or each Service (default: numbers if more than 200 Services differ).",
)
@ALLOW_EMPTY
@click.option(
    "--live",
    "dumps",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="An iptables-save dump to compare with. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "restore", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@color_option
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
@without_garbage_collection
def diff(
    objects: tuple[str, ...],
    is_strict: bool,
    is_summary: bool | None,
    allow_empty: bool,
    dumps: tuple[str, ...],
    output: str,
    own_options: OwnOptions,
    flags: dict[str, object],
) -> None:
    """Print what `run` would change on this node now; with --live, on the node that a dump is from.

    Exits with 0 if there is no difference, 1 if there is one, and more than 1 if something went wrong. While some
    objects cannot be read, nothing is removed, as in `run`, and their names are printed.
    """
    command = external_command() if output == "text" else []
    node = _node(dumps, flags, own_options, objects)
    changes = read_objects(node.objects, node.completed, allow_empty=allow_empty)
    print_notes_on_input(changes, is_strict=is_strict)
    if flags.get("hostname-override"):
        require_node(node.completed, changes, node.objects)
    tools = {} if dumps else find_tools(node.own_options)
    check_tools(tools)
    rules = _DesiredRules(node, changes, tools)
    live, missing = _read_dumps(dumps, node.own_options, changes, rules) if dumps else (_read(tools, rules), ())
    note_unread(live)
    wanted = rules.beside(live)
    with progress("comparing the rules"):
        families = {family: _compare(_without(wanted[family], family, missing), its) for family, its in live.items()}
    if not allow_empty:
        _require_a_service(changes, families.values())
    others = OtherTables() if dumps else find_other_tables({family: its.backend for family, its in tools.items()})
    note_other_tables(others)
    if command:
        planned = {family: _planned(its, families[family].plan) for family, its in live.items()}
        sys.exit(run_external_diff(command, live, planned))
    found = NodeDiff(
        families=families,
        not_compared=missing,
        skipped=changes.unread,
        left_tables=others.leftovers.tables,
        not_looked_at=others.not_looked_at,
    )
    _print(
        _lines(found, output, is_summary, {family: split_for(node.own_options, its) for family, its in tools.items()})
    )
    sys.exit(DIFFERENT if found.is_different else 0)


def _require_a_service(changes: ObjectChanges, families: Iterable[FamilyDiff]) -> None:
    """Raise SourceError if rules of Services would go because no Service at all has been read."""
    gone = {its.service_port for family in families for its in family.explanation.service_ports}
    if gone and not any(isinstance(obj, Service) for obj in changes.put):
        raise SourceError(
            f"no Service was read: the rules of {len(gone)} port{'' if len(gone) == 1 else 's'} of Services would go; "
            "give --allow-empty if that is meant"
        )


class _DesiredRules:
    """The rules that a node should have, by IP family; compiled when they are asked for, and once."""

    def __init__(self, node: NodeConfig, changes: ObjectChanges, tools: Mapping[Family, Tools]) -> None:
        self._node = node
        self._changes = changes
        self._tools = tools
        self._rules: dict[Family, Ruleset] = {}

    def of(self, family: Family) -> Ruleset:
        """The rules of one family."""
        if family not in self._rules:
            self._rules |= self._compile([family])
        return self._rules[family]

    def beside(self, live: Mapping[Family, Ruleset]) -> dict[Family, Ruleset]:
        """The rules to compare with `live`: while some objects cannot be read, no Service there counts as removed."""
        if self._changes.unread:
            return self._compile(live, live)
        return {family: self.of(family) for family in live}

    def _compile(
        self, families: Iterable[Family], live: Mapping[Family, Ruleset] | None = None
    ) -> dict[Family, Ruleset]:
        node = self._node
        return compile_for(node.completed, node.own_options, self._changes, self._tools, families, live)


def _node(
    dumps: tuple[str, ...], flags: dict[str, object], own_options: OwnOptions, objects: tuple[str, ...]
) -> NodeConfig:
    """What is known of the node: of another one, by its dumps, only what the command line says. Raises ConfigError."""
    if dumps:
        return NodeConfig(completed=read_config(flags), own_options=own_options, objects=objects)
    return config_of_node(flags, own_options, objects)


def _read_dumps(
    dumps: tuple[str, ...], own_options: OwnOptions, changes: ObjectChanges, rules: _DesiredRules
) -> tuple[dict[Family, Ruleset], tuple[MissingTables, ...]]:
    """The rules in some dumps that can be compared, and what is missing, which is noted on stderr. Raises SaveError."""
    everything = read_dumps(dumps, own_options.only_family, rules.of)
    live = comparable(everything, dumps)
    missing = tuple(not_compared(everything, own_options.wanted_families, changes.put))
    for its in missing:
        print_stderr(f"note: {missing_text(its, dumps)}")
    return live, missing


def _without(desired: Ruleset, family: Family, missing: Iterable[MissingTables]) -> Ruleset:
    """The desired tables without those that are missing in dumps; a node that lacks a table has an empty one."""
    names = {name for its in missing if its.family is family for name in its.tables}
    tables = {name: table for name, table in desired.tables.items() if name not in names}
    return Ruleset(tables=tables, shared=desired.shared)


def _read(tools: Mapping[Family, Tools], rules: _DesiredRules) -> dict[Family, Ruleset]:
    """The live rules; while the tools fetch them, the desired rules are compiled. Raises HostError."""
    hosts = {family: IptablesHost(its) for family, its in tools.items()}
    for host in hosts.values():
        host.prefetch()
    with progress(READING_RULES):
        return {family: host.save(known=rules.of(family)) for family, host in hosts.items()}


def _compare(desired: Ruleset, live: Ruleset) -> FamilyDiff:
    plan = make_plan(desired, live)
    return FamilyDiff(plan=plan, explanation=explain(plan, desired, live))


def _planned(live: Ruleset, plan: Plan) -> Ruleset:
    """The live rules after the Plan."""
    planned = live.copy()
    apply(plan, planned)
    return planned


def _lines(found: NodeDiff, output: str, is_summary: bool | None, splits: Mapping[Family, Split]) -> Iterator[str]:
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
            yield from as_text(found, is_summary=is_summary)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
