"""Readings of counters that were never counted."""

from collections.abc import Mapping

from pykubeproxy.rules.reading import endpoint_of
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.traffic.counters import sends_to_endpoint
from pykubeproxy.traffic.meter import LiveRules


def endpoint_rules(ruleset: Ruleset) -> dict[str, str]:
    """The rule that sends to it, by endpoint chain."""
    chains = ruleset.tables["nat"].chains
    return {chain: line for chain, lines in chains.items() for line in lines if sends_to_endpoint(line)}


def by_endpoint(ruleset: Ruleset) -> dict[str, str]:
    """The endpoint chains by where they send, `ip:port`."""
    return {endpoint_of(line): chain for chain, line in endpoint_rules(ruleset).items()}


def reading(ruleset: Ruleset, packets: Mapping[str, int]) -> LiveRules:
    """A complete reading, in which endpoints, as `ip:port`, have counted packets since their rules were written."""
    rules = endpoint_rules(ruleset)
    counters = dict.fromkeys(rules.values(), 0)
    for endpoint, chain in by_endpoint(ruleset).items():
        counters[rules[chain]] = packets.get(endpoint, 0)
    return LiveRules(ruleset, counters)
