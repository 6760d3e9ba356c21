"""The rules that `trace` follows a packet through: of this node, of a dump, or compiled from objects."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
import msgspec

from pykubeproxy.cli.dumps import missing_tables, read_dumps
from pykubeproxy.cli.inputs import compile_for, print_notes, read_config, read_objects_if_any
from pykubeproxy.cli.notes import OtherTables, find_other_tables, note_unread
from pykubeproxy.cli.options import API
from pykubeproxy.cli.progress import READING_RULES, progress
from pykubeproxy.cli.running_proxy import config_of_node, options_of_node
from pykubeproxy.cluster.resources import ALL
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.daemon.setup.tools import find_tools
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.service_lookup import is_endpoint, is_node_port, services_at
from pykubeproxy.host import interfaces
from pykubeproxy.host.backend import existing_tables
from pykubeproxy.host.errors import SaveError
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.routes import routes, source_towards
from pykubeproxy.host.sysctl import SysctlError, Sysctls
from pykubeproxy.model.ip import IP, Family, parse_ip
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.netfilter import Environment, Packet, local_address
from pykubeproxy.plan.sysctls import FORWARDING
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Ruleset

if TYPE_CHECKING:
    from pykubeproxy.cluster.lookups import Lookups

# All that a packet may meet; iptables-save of one table each.
_TABLES = tuple(BUILTIN_CHAINS)

_LOOPBACK = {Family.IPV4: "127.0.0.1", Family.IPV6: "::1"}
_ROUTE_LOCALNET = "net/ipv4/conf/all/route_localnet"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of each family, and what is known of the node that they are from, and of its cluster.

    `addresses` are the node's own, `snapshot` holds the objects; each is None if nothing is known. `other_tables` are
    those that the kernel of this node holds besides. `api` answers questions about single addresses; it is None if the
    objects do not come from an API server.
    """

    rulesets: Mapping[Family, Ruleset]
    addresses: tuple[IP, ...] | None
    snapshot: Snapshot | None = None
    node_name: str = ""
    is_this_node: bool = False
    other_tables: OtherTables = OtherTables()
    api: "Lookups | None" = None

    def of(self, family: Family) -> Ruleset:
        """The rules of one family. Raises SaveError if there are none."""
        if family not in self.rulesets:
            have = " and ".join(self.rulesets) or "none"
            raise SaveError(f"there are no {family} rules to walk through, only {have}: give a dump of that family")
        return self.rulesets[family]

    def cluster(self, family: Family) -> ClusterView | None:
        """The view of the cluster from the node in one family; None without objects."""
        if self.snapshot is None:
            return None
        return ClusterView(snapshot=self.snapshot, family=family, node_name=self.node_name)


def read_rules(
    objects: tuple[str, ...],
    dumps: tuple[str, ...],
    own_options: OwnOptions,
    flags: dict[str, object],
    family: Family | None,
) -> Rules:
    """The rules of a dump; else those that the given objects lead to; else those of this node.

    Beside the rules of a dump, or of this node if the objects are the API server's, objects only explain.
    """
    is_live = not dumps and (not objects or API in objects)
    if not objects:
        return _read_live(dumps, options_of_node(own_options) if is_live else own_options, family)
    if is_live:
        config = config_of_node(flags, own_options, objects)
        completed, own_options = config.completed, config.own_options
    else:
        completed = read_config(flags)
    change = read_objects_if_any(objects, completed, ALL)
    if change is None:
        return _read_live(dumps, own_options, family)
    print_notes(change.notes)
    if dumps or API in objects:
        rules = _read_live(dumps, own_options, family)
    else:
        rules = _compiled(change, completed, own_options, family)
    snapshot = Snapshot()
    for obj in change.put:
        snapshot.put(obj)
    node = snapshot.nodes.get(completed.node_name)
    addresses = rules.addresses or (node.addresses if node is not None else None)
    return msgspec.structs.replace(
        rules,
        addresses=addresses,
        snapshot=snapshot,
        node_name=completed.node_name,
        api=_lookups(completed) if API in objects else None,
    )


def _lookups(completed: Completed) -> "Lookups":
    from pykubeproxy.cluster.lookups import Lookups  # noqa: PLC0415  takes long to import

    return Lookups(completed)


def _read_live(dumps: tuple[str, ...], own_options: OwnOptions, family: Family | None) -> Rules:
    given = own_options.host_addresses or None
    if dumps:
        rulesets = read_dumps(dumps, own_options.only_family)
        for each, ruleset in rulesets.items():
            for name in missing_tables(ruleset):
                click.echo(f"assumed: table {name} has no {each} rules; it is not in what --live names", err=True)
        return Rules(rulesets=rulesets, addresses=given)
    tools = {each: its for each, its in find_tools(own_options).items() if family in (None, each)}
    with progress(READING_RULES):
        live = {each: IptablesHost(its).save(tables=existing_tables(its, _TABLES)) for each, its in tools.items()}
    note_unread(live)
    return Rules(
        rulesets=live,
        addresses=given or interfaces.local_addresses(),
        is_this_node=not given,
        other_tables=find_other_tables({family: its.backend for family, its in tools.items()}),
    )


def _compiled(change: ObjectChanges, completed: Completed, own_options: OwnOptions, family: Family | None) -> Rules:
    families = (family,) if family else own_options.wanted_families
    compiled = compile_for(completed, own_options, change, {}, families)
    return Rules(rulesets=compiled, addresses=own_options.host_addresses or None)


def own_address(rules: Rules, destination: IP) -> IP | None:
    """The address from which the node's own packets to `destination` come; None if it is not known."""
    if rules.is_this_node and (found := source_towards(destination)) is not None:
        return found
    if destination.is_loopback:
        return parse_ip(_LOOPBACK[destination.family])
    known = (ip for ip in rules.addresses or () if ip.family is destination.family)
    return next((ip for ip in known if not ip.is_loopback), None)


def environment(rules: Rules, packet: Packet) -> Environment:
    """What is known of the node; what is not known is assumed to be the likely thing, which is said on stderr."""
    addresses = list(rules.addresses or ())
    if packet.from_node and packet.source not in addresses:
        addresses.append(packet.source)
        if not packet.source.is_loopback:
            _assume(f"the node's address is {packet.source.text}")
    possibly_local: frozenset[IP] = frozenset()
    if rules.addresses is None:
        if _looks_local(rules.of(packet.family), packet):
            addresses.append(packet.destination)
            _assume(f"{packet.destination.text} is an address of the node")
        elif not _is_in_cluster(rules, packet.destination):
            possibly_local = frozenset({packet.destination})
    around = Environment(addresses=tuple(local_address(ip.text) for ip in addresses), possibly_local=possibly_local)
    if not rules.is_this_node:
        return around
    return msgspec.structs.replace(
        around,
        routes=tuple(routes()),
        forwarding=_is_set(FORWARDING[packet.family]),
        route_localnet=_is_set(_ROUTE_LOCALNET),
    )


def _is_set(sysctl: str) -> bool:
    """True for a setting of this node that is on, and for one that cannot be read: proxies turn them all on."""
    try:
        return Sysctls(read_only=True).read(sysctl) != "0"
    except SysctlError:
        return True


def _assume(what: str) -> None:
    click.echo(f"assumed: {what}; give --host-address to say better", err=True)


def _looks_local(ruleset: Ruleset, packet: Packet) -> bool:
    """True if the packet goes to a node port, at an address that is no Service's."""
    port = packet.destination_port
    return port is not None and is_node_port(ruleset, packet.destination.text, packet.protocol, port)


def _is_in_cluster(rules: Rules, ip: IP) -> bool:
    """True for addresses that are known as those of Services or endpoints, which are hardly the node's own."""
    address, ruleset, known = ip.text, rules.of(ip.family), rules.cluster(ip.family)
    if known is not None and (
        known.service_at(address) is not None
        or known.is_endpoint(address)
        or any(network.contains(ip) for network in known.service_networks())
    ):
        return True
    return bool(services_at(ruleset, address)) or is_endpoint(ruleset, address)
