"""Readings of counters that were never counted."""

from collections.abc import Mapping

from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.traffic.counters import target_of
from pykubeproxy.traffic.meter import LiveNat


def endpoint_rules(ruleset: Ruleset) -> dict[str, str]:
    """The rule that sends to it, by endpoint chain."""
    chains = ruleset.tables["nat"].chains
    return {chain: line for chain, lines in chains.items() for line in lines if target_of(line)}


def by_endpoint(ruleset: Ruleset) -> dict[str, str]:
    """The endpoint chains by where they send, `ip:port`."""
    found = {chain: target_of(line) for chain, line in endpoint_rules(ruleset).items()}
    return {target[2]: chain for chain, target in found.items() if target}


def reading(ruleset: Ruleset, packets: Mapping[str, int]) -> LiveNat:
    """A complete reading, in which endpoints, as `ip:port`, have counted packets since their rules were written."""
    rules = endpoint_rules(ruleset)
    counters = dict.fromkeys(rules.values(), 0)
    for endpoint, chain in by_endpoint(ruleset).items():
        counters[rules[chain]] = packets.get(endpoint, 0)
    return LiveNat(ruleset, counters)
