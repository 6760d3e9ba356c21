"""What a move from iptables mode to kube-proxy's nftables mode would change on a node: facts, and what follows.

Source: https://kubernetes.io/docs/reference/networking/virtual-ips/#migrating-from-iptables-mode-to-nftables, and
upstream's `pkg/proxy/nftables`; `docs/nftables-move.md` has the facts one by one.
"""

import re
from collections.abc import Iterator

import msgspec

from pykubeproxy.explain.status.observations import Level, Observation, Topic
from pykubeproxy.explain.status.observations.of_rules import RulesNotLookedAt

NEEDED_KERNEL = (5, 13)
FIXED_KERNEL = (6, 1)
"""Since this kernel, TCP connections through Services are not reset for packets that connection tracking rejects."""


class AddressUse(msgspec.Struct, frozen=True, rename="camel"):
    """So many connections are open to node ports on one address of the node."""

    address: str
    connections: int


class RuleFacts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What rules and connections show, which only root may see.

    `node_ports` is how many node ports there are, `elsewhere` their use on addresses that are neither the node's
    primary ones nor loopback, and `other_addresses` how many such addresses the node has. `localhost_packets` is what
    the kernel counted of connections to node ports on 127.0.0.0/8, None where it does not count; `localhost` is how
    many are open now. `invalid_dropped` counts packets of unknown connections that were dropped. `health_checks` is how
    many health check node ports are let through, and `foreign_rules` are rules of other programs that lead to chains of
    the proxy.
    """

    node_ports: int = 0
    elsewhere: tuple[AddressUse, ...] = ()
    other_addresses: int = 0
    localhost_packets: int | None = None
    localhost: int = 0
    invalid_dropped: int = 0
    health_checks: int = 0
    foreign_rules: tuple[str, ...] = ()


class MoveFacts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is known of a node. `has_config` is False if no proxy answers, and its options are taken for the defaults.

    `node_port_addresses` are those that are configured, empty if none are; `iptables_options` are the options of the
    section `iptables` that are not the defaults. `rules` is None without the right to look.
    """

    node_name: str
    kernel_release: str
    has_nftables: bool
    has_config: bool = True
    node_port_addresses: tuple[str, ...] = ()
    localhost_node_ports: bool = True
    tcp_be_liberal: bool = False
    iptables_options: tuple[str, ...] = ()
    rules: RuleFacts | None = None


class KernelSuits(Observation, frozen=True, kw_only=True):
    """The kernel has what nftables mode needs."""

    topic = Topic.KERNEL_VERSION
    level = Level.OK
    release: str


class KernelTooOld(KernelSuits, frozen=True, kw_only=True):
    """nftables mode needs Linux 5.13 or later."""

    level = Level.BAD


class KernelLacksNftables(KernelSuits, frozen=True, kw_only=True):
    """The kernel has no nftables."""

    level = Level.BAD


class NodePortsStay(Observation, frozen=True, kw_only=True):
    """So many node ports answer on the same addresses as before: the `configured` ones, or the only ones there are."""

    topic = Topic.NODE_PORTS
    level = Level.OK
    count: int
    configured: tuple[str, ...]


class NodePortsNarrowed(Observation, frozen=True, kw_only=True):
    """Node ports no longer answer on so many `addresses`, which no open connection uses."""

    topic = Topic.NODE_PORTS
    level = Level.NOTE
    addresses: int


class NodePortsElsewhere(Observation, frozen=True, kw_only=True):
    """Connections are open to node ports on addresses on which they will not answer any more."""

    topic = Topic.NODE_PORTS
    level = Level.BAD
    uses: tuple[AddressUse, ...]


class LocalhostUnused(Observation, frozen=True, kw_only=True):
    """Nobody has connected to node ports on 127.0.0.0/8, or that is off."""

    topic = Topic.LOCALHOST
    level = Level.OK


class LocalhostUsed(Observation, frozen=True, kw_only=True):
    """Node ports on loopback addresses are used: so many connections were counted (null: not counted) or are open."""

    topic = Topic.LOCALHOST
    level = Level.BAD
    counted: int | None
    connections: int


class LocalhostNotCounted(Observation, frozen=True, kw_only=True):
    """No connection to a node port on a loopback address is open, and the kernel does not count those that were."""

    topic = Topic.LOCALHOST
    level = Level.NOTE


class NoInvalidPackets(Observation, frozen=True, kw_only=True):
    """No packet of an unknown connection was dropped, or nftables mode deals with them as well."""

    topic = Topic.INVALID
    level = Level.OK


class InvalidPackets(Observation, frozen=True, kw_only=True):
    """So many packets of unknown connections were dropped, which nftables mode lets pass.

    `is_fixed` tells that the kernel is one in which that should do no harm.
    """

    topic = Topic.INVALID
    level = Level.NOTE
    count: int
    is_fixed: bool


class NothingLetThrough(Observation, frozen=True, kw_only=True):
    """No rule lets traffic to the node through that a firewall might stop."""

    topic = Topic.FIREWALL
    level = Level.OK


class HealthChecksLetThrough(Observation, frozen=True, kw_only=True):
    """So many health check node ports are let through, whatever a firewall's rules say; nftables mode does not."""

    topic = Topic.FIREWALL
    level = Level.NOTE
    count: int


class NobodyLeadsHere(Observation, frozen=True, kw_only=True):
    """No rule of another program leads to the proxy's chains."""

    topic = Topic.OTHER_RULES
    level = Level.OK


class OthersLeadHere(Observation, frozen=True, kw_only=True):
    """Rules of other programs lead to chains of the proxy, which are not there in nftables mode."""

    topic = Topic.OTHER_RULES
    level = Level.BAD
    rules: tuple[str, ...]


class OptionsCount(Observation, frozen=True, kw_only=True):
    """No option loses its effect."""

    topic = Topic.OPTIONS
    level = Level.OK


class OptionsLost(Observation, frozen=True, kw_only=True):
    """These options of the section `iptables` have no effect in nftables mode."""

    topic = Topic.OPTIONS
    level = Level.NOTE
    options: tuple[str, ...]


class OptionsAssumed(Observation, frozen=True, kw_only=True):
    """No proxy answers, so the options are taken for the defaults."""

    topic = Topic.OPTIONS
    level = Level.NOTE


def assess_move(facts: MoveFacts) -> tuple[Observation, ...]:
    """All that a move would change, in the order of the screen."""
    return (_kernel(facts), *(_of_rules(facts, facts.rules) if facts.rules else (RulesNotLookedAt(),)), _options(facts))


def version_of(release: str) -> tuple[int, int]:
    """The version of a kernel release such as `6.1.0-18-amd64`; (0, 0) if it does not say."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _kernel(facts: MoveFacts) -> Observation:
    if version_of(facts.kernel_release) < NEEDED_KERNEL:
        return KernelTooOld(release=facts.kernel_release)
    return (KernelSuits if facts.has_nftables else KernelLacksNftables)(release=facts.kernel_release)


def _of_rules(facts: MoveFacts, rules: RuleFacts) -> Iterator[Observation]:
    yield _node_ports(facts, rules)
    yield _localhost(facts, rules)
    if rules.invalid_dropped and not facts.tcp_be_liberal:
        yield InvalidPackets(count=rules.invalid_dropped, is_fixed=version_of(facts.kernel_release) >= FIXED_KERNEL)
    else:
        yield NoInvalidPackets()
    yield HealthChecksLetThrough(count=rules.health_checks) if rules.health_checks else NothingLetThrough()
    yield OthersLeadHere(rules=rules.foreign_rules) if rules.foreign_rules else NobodyLeadsHere()


def _node_ports(facts: MoveFacts, rules: RuleFacts) -> Observation:
    if facts.node_port_addresses or not rules.node_ports or not rules.other_addresses:
        return NodePortsStay(count=rules.node_ports, configured=facts.node_port_addresses)
    if rules.elsewhere:
        return NodePortsElsewhere(uses=rules.elsewhere)
    return NodePortsNarrowed(addresses=rules.other_addresses)


def _localhost(facts: MoveFacts, rules: RuleFacts) -> Observation:
    if rules.localhost or rules.localhost_packets:
        return LocalhostUsed(counted=rules.localhost_packets, connections=rules.localhost)
    if facts.localhost_node_ports and rules.node_ports and rules.localhost_packets is None:
        return LocalhostNotCounted()
    return LocalhostUnused()


def _options(facts: MoveFacts) -> Observation:
    if not facts.has_config:
        return OptionsAssumed()
    return OptionsLost(options=facts.iptables_options) if facts.iptables_options else OptionsCount()
