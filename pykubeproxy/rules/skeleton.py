"""The rules that are there without any Service: jumps from the built-in chains, and the fixed chains' own rules.

Source: `docs/reference/iptables-rules.md` sections 2, 5 and 10.
"""

from collections.abc import Iterator

from pykubeproxy.model.ip import Family
from pykubeproxy.rules import names, text
from pykubeproxy.rules.fragment import DispatchChain
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import Lines

_NEW = "-m conntrack --ctstate NEW"
_TO_EXTERNAL = f"{_NEW} {text.comment('kubernetes externally-visible service portals')} -j {names.EXTERNAL_SERVICES}"
_TO_SERVICES = f"{text.comment('kubernetes service portals')} -j {names.SERVICES}"
_TO_FIREWALL = f"{_NEW} {text.comment('kubernetes load balancer firewall')} -j {names.PROXY_FIREWALL}"
_TO_HEALTH_CHECKS = f"{text.comment('kubernetes health check service ports')} -j {names.NODE_PORTS}"
_TO_FORWARD = f"{text.comment('kubernetes forwarding rules')} -j {names.FORWARD}"
_TO_POSTROUTING = f"{text.comment('kubernetes postrouting rules')} -j {names.POSTROUTING}"

# (table, built-in chain) -> jump rules in the order in which a packet should meet them.
_JUMPS: dict[tuple[str, str], Lines] = {
    ("filter", "INPUT"): (f"-j {names.FIREWALL}", _TO_FIREWALL, _TO_HEALTH_CHECKS, _TO_EXTERNAL),
    ("filter", "FORWARD"): (_TO_FIREWALL, _TO_FORWARD, f"{_NEW} {_TO_SERVICES}", _TO_EXTERNAL),
    ("filter", "OUTPUT"): (f"-j {names.FIREWALL}", _TO_FIREWALL, f"{_NEW} {_TO_SERVICES}"),
    ("nat", "PREROUTING"): (_TO_SERVICES,),
    ("nat", "OUTPUT"): (_TO_SERVICES,),
    ("nat", "POSTROUTING"): (_TO_POSTROUTING,),
}

JUMPS: dict[tuple[str, str], Lines] = {
    (table, chain): tuple(f"-A {chain} {jump}" for jump in jumps) for (table, chain), jumps in _JUMPS.items()
}

_NODE_PORTS_LAST = text.comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")


def fixed_rules(options: RuleOptions) -> dict[tuple[str, str], Lines]:
    """The chains whose rules do not depend on Services, by (table, chain)."""
    rules = {
        ("filter", names.FORWARD): tuple(_forward_rules(options)),
        ("nat", names.POSTROUTING): tuple(_postrouting_rules(options)),
        ("nat", names.MARK_MASQ): (f"-A {names.MARK_MASQ} -j MARK --set-xmark {options.mark}/{options.mark}",),
    }
    rules["filter", names.FIREWALL] = (_BLOCK_LOCALNET,) if options.programs_firewall_chain else ()
    return rules


def shared_chains(options: RuleOptions) -> frozenset[tuple[str, str]]:
    """The chains that must exist, but whose rules are left to others."""
    return frozenset() if options.programs_firewall_chain else frozenset({("filter", names.FIREWALL)})


def last_rules(dispatch_chain: DispatchChain, options: RuleOptions) -> Lines:
    """The rules at the end of a dispatch chain, behind those of all Services; only KUBE-SERVICES of nat has any.

    They lead on to the node ports.
    """
    if dispatch_chain is not DispatchChain.NAT_SERVICES:
        return ()
    prefix = f"-A {names.SERVICES}"
    if options.node_port_addresses is not None:
        return tuple(
            f"{prefix} -d {text.host(address)} {_NODE_PORTS_LAST} -j {names.NODE_PORTS}"
            for address in options.node_port_addresses
        )
    local = f"{_NODE_PORTS_LAST} -m addrtype --dst-type LOCAL -j {names.NODE_PORTS}"
    if options.family is Family.IPV6:
        return (f"{prefix} ! -d ::1/128 {local}",)
    if not options.localhost_node_ports:
        return (f"{prefix} ! -d 127.0.0.0/8 {local}",)
    return (f"{prefix} {local}",)


# While route_localnet is on, a neighbour on the link could reach services that listen on 127.0.0.1 only
# (CVE-2020-8558).
_BLOCK_LOCALNET = (
    f"-A {names.FIREWALL} ! -s 127.0.0.0/8 -d 127.0.0.0/8 {text.comment('block incoming localnet connections')} "
    "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
)


def _forward_rules(options: RuleOptions) -> Iterator[str]:
    prefix = f"-A {names.FORWARD}"
    if not options.conntrack_tcp_liberal:
        # A packet that conntrack finds invalid is not rewritten back; its sender would reset the connection.
        yield f"{prefix} -m conntrack --ctstate INVALID -j DROP"
    note = text.comment("kubernetes forwarding rules")
    yield f"{prefix} {note} -m mark --mark {options.mark}/{options.mark} -j ACCEPT"
    note = text.comment("kubernetes forwarding conntrack rule")
    yield f"{prefix} {note} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def _postrouting_rules(options: RuleOptions) -> Iterator[str]:
    prefix = f"-A {names.POSTROUTING}"
    yield f"{prefix} -m mark ! --mark {options.mark}/{options.mark} -j RETURN"
    # The mark is cleared, lest a packet that comes round again, through a tunnel say, is masqueraded twice.
    yield f"{prefix} -j MARK --set-xmark {options.mark}/0x0"
    note = text.comment("kubernetes service traffic requiring SNAT")
    yield f"{prefix} {note} -j MASQUERADE{' --random-fully' if options.random_fully else ''}"
