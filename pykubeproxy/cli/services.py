"""`services`: what the rules of a node know of Services."""

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import click

from pykubeproxy.cli.color import color_option
from pykubeproxy.cli.dumps import comparable, missing_tables, read_dumps
from pykubeproxy.cli.errors import DIFFERENT, print_stderr, with_errors
from pykubeproxy.cli.garbage_collection import without_garbage_collection
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.inputs import print_notes, read_config, read_objects_if_any
from pykubeproxy.cli.notes import note_unread
from pykubeproxy.cli.options import API, AddressParam, complete_files, object_options, our_options
from pykubeproxy.cli.progress import READING_RULES, progress
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.cli.running_proxy import config_of_node, options_of_node
from pykubeproxy.cli.services_output import as_json, as_pages, as_table
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.daemon.setup.tools import check_tools, find_tools
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.finding_words import absence_text, known_names_text
from pykubeproxy.explain.notes import MissingTables, no_table_text
from pykubeproxy.explain.service_view import ServiceView, UnequalServices, service_views, unequal_services
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.traffic.counters import CounterReader

_JSON = "json"


@node_command("pykubeproxy services default/web --live dump.txt")
@click.argument("services", nargs=-1, metavar="[NS/NAME[:PORT]]...")
@click.option("-n", "--namespace", metavar="NAME", help="Only the Services of this namespace.")
@click.option("--address", type=AddressParam(), help="Only Services that have this address, or an endpoint there.")
@click.option(
    "--live",
    "dumps",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="The rules of an iptables-save dump. Repeatable.",
)
@click.option(
    "-o", "--output", type=click.Choice(["text", _JSON]), default="text", show_default=True, help="What to print."
)
@object_options
@color_option
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
@without_garbage_collection
def services(
    services: tuple[str, ...],
    namespace: str | None,
    address: IP | None,
    dumps: tuple[str, ...],
    output: str,
    objects: tuple[str, ...],
    own_options: OwnOptions,
    flags: dict[str, object],
) -> None:
    """List the Services that the rules of this node know, whoever made them; with --live, those in a dump.

    One line for each port of a Service; those that are named are shown whole. With objects (-f, --source api), also
    which Services are in the objects and not in the rules, and the other way round: what differs in one that is in
    both, `pykubeproxy diff` tells. Exits with 0 if the Services asked for are in the rules, and objects have the same
    ones; else with 1, and with more than 1 if something went wrong.
    """
    counters = {family: CounterReader(Ruleset()) for family in Family}
    rules, changes, completed = _read(objects, dumps, own_options, flags, counters)
    snapshot = _snapshot(changes) if changes is not None else None
    node_name = completed.node_name if completed is not None else ""
    clusters = {
        family: ClusterView(snapshot=snapshot, family=family, node_name=node_name) if snapshot is not None else None
        for family in rules
    }
    with progress("looking for Services in the rules"):
        views = {
            family: service_views(its, family, clusters[family], counters[family].reading)
            for family, its in rules.items()
        }
    unequal = None
    if changes is not None and snapshot is not None and not (services or namespace or address):
        unequal = tuple(unequal_services(views, snapshot, is_complete=not changes.unread))
        if changes.unread:
            print_stderr("note: not all objects can be read, so nothing is said of Services that only the rules have")
    found = sorted((view for its in views.values() for view in its), key=lambda view: (view.title, view.family))
    shown = [view for view in found if _is_wanted(view, services, namespace, address)]
    known = {name for view in found for name in (view.title, view.service)}
    missing = [name for name in services if name not in known]
    if missing and snapshot is not None and completed is not None and API in objects:
        _learn(snapshot, completed, missing)
    _note_missing(missing, known, [its for its in clusters.values() if its is not None])
    _print(shown, unequal, output, is_whole=bool(services))
    is_filtered = bool(services or namespace or address)
    sys.exit(DIFFERENT if missing or unequal or (is_filtered and not shown) else 0)


def _read(
    objects: tuple[str, ...],
    dumps: tuple[str, ...],
    own_options: OwnOptions,
    flags: dict[str, object],
    counters: Mapping[Family, CounterReader],
) -> tuple[Mapping[Family, Ruleset], ObjectChanges | None, Completed | None]:
    """The rules by family, the objects and the configuration (None without any). Raises HostError, SourceError."""
    if not objects:
        return _read_rules(dumps, own_options if dumps else options_of_node(own_options), counters), None, None
    if dumps:
        completed = read_config(flags)
    else:
        config = config_of_node(flags, own_options, objects)
        completed, own_options = config.completed, config.own_options
    changes = read_objects_if_any(objects, completed)
    if changes is None:
        return _read_rules(dumps, own_options, counters), None, None
    print_notes(changes.notes)
    return _read_rules(dumps, own_options, counters), changes, completed


def _snapshot(changes: ObjectChanges) -> Snapshot:
    snapshot = Snapshot()
    for obj in changes.put:
        snapshot.put(obj)
    return snapshot


def _read_rules(
    dumps: tuple[str, ...], own_options: OwnOptions, counters: Mapping[Family, CounterReader]
) -> Mapping[Family, Ruleset]:
    if not dumps:
        tools = find_tools(own_options)
        check_tools(tools)
        with progress(READING_RULES):
            live = {family: IptablesHost(its).save(counted=counters[family]) for family, its in tools.items()}
        note_unread(live)
        return live
    everything = read_dumps(dumps, own_options.only_family, counted=lambda family, line: counters[family](line))
    found = comparable(everything, dumps)
    for family, its in found.items():
        if missing := missing_tables(its):
            print_stderr(f"note: {no_table_text(MissingTables(family, missing), dumps)}")
    return found


def _is_wanted(view: ServiceView, wanted: Sequence[str], namespace: str | None, address: IP | None) -> bool:
    return (
        (not wanted or view.title in wanted or view.service in wanted)
        and namespace in (None, view.namespace)
        and (address is None or view.is_at(address))
    )


def _learn(snapshot: Snapshot, completed: Completed, missing: Sequence[str]) -> None:
    """Ask the API server for the `missing` Services: proxies do not follow all, such as headless ones.

    The answers join `snapshot`. If the API server refuses or does not answer, nothing happens.
    """
    from pykubeproxy.cluster.lookups import Lookups  # noqa: PLC0415  takes long to import

    api = Lookups(completed)
    for name in missing:
        with suppress(ApiError):
            for obj in api.service(ServiceKey.of_title(name)):
                snapshot.put(obj)


def _note_missing(missing: Sequence[str], known: Collection[str], clusters: Sequence[ClusterView]) -> None:
    """Print why Services that were asked for are not in the rules, as far as objects tell."""
    for name in missing:
        absences = [absence_text(its) for cluster in clusters if (its := cluster.why_absent(name))]
        unknown = f"no Service {name} in these rules{known_names_text(name, known)}"
        print_stderr(f"note: {absences[0] if absences else unknown}")


def _print(
    views: Sequence[ServiceView], unequal: tuple[UnequalServices, ...] | None, output: str, *, is_whole: bool
) -> None:
    if output == _JSON:
        click.echo(as_json(views, unequal))
        return
    lines = as_pages(views, unequal) if is_whole else as_table(views, unequal)
    click.echo("".join(f"{line}\n" for line in lines), nl=False)
