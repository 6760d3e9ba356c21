"""`trace`: what happens to a packet, and why."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

import click
import msgspec

from pykubeproxy.cli.color import color_option
from pykubeproxy.cli.errors import with_errors
from pykubeproxy.cli.garbage_collection import without_garbage_collection
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.notes import note_other_tables
from pykubeproxy.cli.options import complete_files, object_options, our_options
from pykubeproxy.cli.progress import progress
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.cli.trace_json import as_json
from pykubeproxy.cli.trace_lookups import learn_addresses
from pykubeproxy.cli.trace_packet import (
    TraceQuery,
    check_endpoint,
    find_destination,
    make_packet,
    note_ends,
    read_client,
    require_known_node,
    require_remembering,
)
from pykubeproxy.cli.trace_rules import Rules, environment, read_rules
from pykubeproxy.cli.trace_text import as_text
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.next_step import next_step_text
from pykubeproxy.explain.trace_causes import with_service_causes
from pykubeproxy.host.listeners import listening_ports
from pykubeproxy.netfilter import Environment, Outcome, Packet, Trace, Verdict
from pykubeproxy.netfilter import trace as simulate
from pykubeproxy.netfilter.causes import Unreachable
from pykubeproxy.netfilter.outcome import decided
from pykubeproxy.netfilter.questions import ArrivesBy

_Drawn = Callable[[Trace, Mapping[str, AddressHolder]], str]
_PICTURES = ("mermaid", "svg", "html")


@node_command("pykubeproxy trace --from 10.244.1.7 --to default/web:http")
@click.option("--from", "client", required=True, metavar="IP|pod/NS/NAME|node", help="The client.")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="IP:PORT[/PROTOCOL]|[svc/]NS/NAME[:PORT][/PROTOCOL]",
    help="An address, or a Service by name; web.default.svc.cluster.local:80 is one, too.",
)
@click.option("--in-interface", metavar="NAME", help="The interface by which the packet arrives, if it matters.")
@click.option(
    "--live",
    "dumps",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="Walk the rules of a dump. Repeatable.",
)
@click.option(
    "--seen-at", metavar="IP:PORT", help="The endpoint to which session affinity sent this client before, if any."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", *_PICTURES]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option("--every-step", is_flag=True, help="With text: also the rules that led to nothing, and equal branches.")
@object_options
@color_option
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
@without_garbage_collection
def trace(
    client: str,
    target: str,
    in_interface: str | None,
    dumps: tuple[str, ...],
    seen_at: str | None,
    output: str,
    every_step: bool,
    objects: tuple[str, ...],
    own_options: OwnOptions,
    flags: dict[str, object],
) -> None:
    """Explain what happens to the first packet of a connection: every rule it meets, every branch, and how it ends.

    The rules are those of this node, whoever made them; with --live, those of a dump; with -f, those that the given
    objects would lead to. With both, or with --source api, the objects explain what rules alone cannot tell. Exits
    with 0 if the packet gets through on every branch, with 1 if any branch is dropped, rejected or lost, and
    with more than 1 if something went wrong.
    """
    check_endpoint(seen_at)
    query = TraceQuery(client=client, target=target, family=own_options.only_family)
    rules = read_rules(objects, dumps, own_options, flags, query.known_family)
    note_other_tables(rules.other_tables)
    destination = find_destination(query, rules)
    sender = read_client(client, destination, rules)
    packet = make_packet(sender, destination, in_interface)
    learn_addresses(rules, packet)
    around = environment(rules, packet)
    note_ends(rules, packet, around)
    traced = _traced(rules, packet, around, seen_at)
    require_known_node(packet, sender, (result.cause for result in decided(traced.outcomes)))
    if seen_at is not None:
        require_remembering(seen_at, traced.affinity)
    again = _traced(rules, packet, around, traced.affinity[0]) if traced.affinity and seen_at is None else None
    if in_interface is None and not packet.from_node and any(map(_asks_for_interface, traced.outcomes)):
        click.echo("hint: what cannot be decided may be, with --in-interface", err=True)
    unseen = rules.other_tables.not_looked_at
    cluster = rules.cluster(packet.family)
    holders = cluster.holders() if cluster is not None else {}
    if output == "text":
        text = as_text(traced, again, unseen, holders, every_step=every_step)
        click.echo(text)
        if rules.is_this_node and not unseen and (hint := next_step_text(traced, rules.of(packet.family))):
            click.echo(f"hint: {hint}", err=True)
    else:
        click.echo(as_json(traced, unseen, holders) if output == "json" else _picture(output)(traced, holders))
    # 0 only if the packet gets through whatever the answers to undecided questions are.
    sys.exit(0 if all(result.verdict is Verdict.ACCEPT for result in decided(traced.outcomes)) else 1)


def _picture(kind: str) -> _Drawn:
    """The function that draws a picture of this kind (one of _PICTURES); it is imported only when it is asked for."""
    drawn: _Drawn = getattr(import_module(f"pykubeproxy.explain.pictures.{kind}"), f"as_{kind}")
    return drawn


def _asks_for_interface(outcome: Outcome) -> bool:
    """True if an outcome depends on the interface by which the packet arrives, which is not known."""
    return any(
        isinstance(each.question, ArrivesBy) or any(map(_asks_for_interface, each.outcomes))
        for each in outcome.alternatives
    )


def _traced(rules: Rules, packet: Packet, around: Environment, seen_at: str | None) -> Trace:
    ruleset = rules.of(packet.family)
    around = msgspec.structs.replace(around, seen_at=seen_at)
    listening = listening_ports(packet.protocol) if rules.is_this_node else ()
    with progress("following the packet"):
        traced, if_routed = simulate(ruleset, packet, around), None
        if any(isinstance(each.cause, Unreachable) and each.dnat is None for each in decided(traced.outcomes)):
            if_routed = simulate(ruleset, packet, msgspec.structs.replace(around, routes=None, forwarding=True))
        return with_service_causes(traced, ruleset, rules.cluster(packet.family), listening, if_routed)
