"""When two texts of a chain mean the same, so that the live one may stay.

kube-proxy writes its dispatch chains in a random order, and adds nfacct counters where the kernel has them, of which we
want one at most; neither changes what happens to a packet. Taking over from it must not rewrite what is already right
(`docs/reference/iptables-rules.md` sections 13 and 16).
"""

from pykubeproxy.rules import names
from pykubeproxy.rules.reading import target_of, without_counter
from pykubeproxy.rules.ruleset import Lines

# Chains in which every rule is for one address and port, so that their order does not matter.
_UNORDERED = frozenset(
    {names.SERVICES, names.NODE_PORTS, names.EXTERNAL_SERVICES, names.PROXY_FIREWALL},
)


def is_equivalent(chain: str, desired: Lines, live: Lines) -> bool:
    """True if `live` does to every packet what `desired` does, and counts what `desired` counts."""
    if desired == live:
        return True
    is_counting = any(" -m nfacct " in line for line in desired)
    found = live if is_counting else _without_counters(chain, live)
    if chain not in _UNORDERED:
        return desired == found
    return node_ports_come_last(found) and sorted(desired) == sorted(found)


def _without_counters(chain: str, lines: Lines) -> Lines:
    """The rules without nfacct matches; the rule that only counts node-port traffic to localhost goes altogether."""
    kept = []
    for line in lines:
        if " -m nfacct " not in line:
            kept.append(line)
        elif not (chain == names.NODE_PORTS and line.startswith(f"-A {chain} -d 127.0.0.0/8 ")):
            kept.append(without_counter(line))
    return tuple(kept)


def node_ports_come_last(lines: Lines) -> bool:
    """True if no rule for a Service comes after those that lead to the node ports: it would never be met."""
    leads = [target_of(line) == names.NODE_PORTS for line in lines]
    return leads == sorted(leads)
