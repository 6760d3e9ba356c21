"""`trace`: what happens to a packet, and why."""

import sys
from collections.abc import Callable, Mapping

import click
import msgspec

from pykubeproxy.cli.asked_packet import family_asked, make_packet, read_source, read_target
from pykubeproxy.cli.common import (
    compile_for,
    object_options,
    our_options,
    read_config,
    read_objects,
    tell,
    with_errors,
)
from pykubeproxy.cli.dumps import read_dumps
from pykubeproxy.cli.trace_output import as_json, as_text
from pykubeproxy.config.options import CONTEXT_SETTINGS, kube_proxy_flags
from pykubeproxy.daemon.assembly import Choices, find_tools
from pykubeproxy.host import interfaces
from pykubeproxy.host.errors import SaveError
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.routes import routes
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Ruleset
from pykubeproxy.trace import Environment, Packet, Trace, Verdict, local_address
from pykubeproxy.trace import trace as walk
from pykubeproxy.trace.naming import is_node_port

_OUTPUTS: Mapping[str, Callable[[Trace], str]] = {"text": as_text, "json": as_json}

# All that a packet may meet; iptables-save of one table each.
_TABLES = tuple(BUILTIN_CHAINS)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules to walk through, and what is known of the node that they are from. None: nothing is known."""

    ruleset: Ruleset
    addresses: tuple[IP, ...] | None
    is_this_node: bool = False


@click.command(
    context_settings=dict(CONTEXT_SETTINGS),
    epilog="Example: pykubeproxy trace --from 10.244.1.7 --to default/web:http",
)
@click.option("--from", "client", required=True, metavar="IP|node", help="The client: an address, or the node itself.")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="IP:PORT[/PROTOCOL]|NS/NAME[:PORT]",
    help="An address, or a Service by name.",
)
@click.option("--in-interface", metavar="NAME", help="The interface by which the packet arrives, if it matters.")
@click.option("--live", "dumps", multiple=True, metavar="FILE", help="Walk the rules of a dump. Repeatable.")
@click.option("--output", type=click.Choice(list(_OUTPUTS)), default="text", show_default=True, help="What to print.")
@object_options
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
def trace(
    client: str,
    target: str,
    in_interface: str | None,
    dumps: tuple[str, ...],
    output: str,
    objects: tuple[str, ...],
    choices: Choices,
    flags: dict[str, object],
) -> None:
    """Explain what happens to the first packet of a connection: every rule it meets, every branch, and how it ends.

    The rules are those of this node, whoever made them; with --live, those of a dump; with -f, those that the given
    objects would lead to. Exits with 0 if the packet gets through on every branch, with 1 if any branch is dropped or
    rejected, and with more than 1 if something went wrong.
    """
    family = choices.only_family or family_asked(client, target)
    rules = _rules(objects, dumps, choices, flags, family)
    wanted = read_target(target, rules.ruleset)
    packet = make_packet(read_source(client, wanted, rules.addresses or ()), wanted, in_interface)
    traced = walk(rules.ruleset, packet, _environment(rules, packet))
    click.echo(_OUTPUTS[output](traced))
    sys.exit(0 if all(outcome.verdict is Verdict.ACCEPT for outcome in traced.outcomes) else 1)


def _rules(
    objects: tuple[str, ...], dumps: tuple[str, ...], choices: Choices, flags: dict[str, object], family: Family | None
) -> Rules:
    """The rules to walk through, of one family: the one asked for, else IPv4, else the only one there is."""
    told = choices.host_addresses or None
    if dumps:
        return Rules(ruleset=_pick(read_dumps(dumps, choices.only_family), family), addresses=told)
    if objects:
        completed = read_config(flags)
        change = read_objects(objects, completed)
        tell(change.notes)
        families = (family,) if family else choices.wanted_families
        compiled = compile_for(completed, choices, change, {}, families)
        node = next((obj for obj in change.put if getattr(obj, "name", "") == completed.node_name), None)
        return Rules(ruleset=_pick(compiled, family), addresses=told or getattr(node, "addresses", None))
    tools = find_tools(choices)
    hosts = {each: IptablesHost(its) for each, its in tools.items() if family in (None, each)}
    live = {each: host.save(tables=_TABLES) for each, host in hosts.items()}
    return Rules(ruleset=_pick(live, family), addresses=told or interfaces.local_addresses(), is_this_node=not told)


def _pick(rulesets: Mapping[Family, Ruleset], family: Family | None) -> Ruleset:
    wanted = family or next(iter(rulesets), None)
    if wanted is None or wanted not in rulesets:
        have = " and ".join(rulesets) or "none"
        raise SaveError(f"there are no {family or ''} rules to walk through, only {have}: give a dump of that family")
    return rulesets[wanted]


def _environment(rules: Rules, packet: Packet) -> Environment:
    """What the walk is told of the node; where nothing is known, the likely is assumed and said."""
    addresses = list(rules.addresses or ())
    if packet.from_node and packet.source not in addresses:
        addresses.append(packet.source)
        click.echo(f"assumed: the node's address is {packet.source.text}; give --host-address to say better", err=True)
    if rules.addresses is None and _looks_local(rules.ruleset, packet):
        addresses.append(packet.destination)
        click.echo(
            f"assumed: {packet.destination.text} is an address of the node; give --host-address to say better", err=True
        )
    return Environment(
        addresses=tuple(local_address(ip.text) for ip in addresses),
        routes=tuple(routes()) if rules.is_this_node else None,
    )


def _looks_local(ruleset: Ruleset, packet: Packet) -> bool:
    """True if the packet goes to a node port, at an address that is no Service's."""
    port = packet.destination_port
    return port is not None and is_node_port(ruleset, packet.destination.text, packet.protocol, port)
