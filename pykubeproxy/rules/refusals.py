"""Rules that refuse or drop new connections to a Service: why, and to which.

Such a rule of filter counts packets that belong to no connection yet. A client that is refused at once gives up; one
whose packets are dropped sends them again, and each of them counts.
"""

from collections.abc import Iterable
from enum import StrEnum

from pykubeproxy.rules.fragment import leads_to_services
from pykubeproxy.rules.reading import kind_of, title_of
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.rules.text import RuleKind


class RefusalReason(StrEnum):
    """Why connections to a Service are refused or dropped, as a label of metrics."""

    NO_ENDPOINTS = "no_endpoints"
    NO_LOCAL_ENDPOINTS = "no_local_endpoints"
    NOT_IN_SOURCE_RANGES = "not_in_source_ranges"
    UNUSED_PORT = "unused_port"


_REASONS = {
    RuleKind.NO_ENDPOINTS: RefusalReason.NO_ENDPOINTS,
    RuleKind.NO_LOCAL_ENDPOINTS: RefusalReason.NO_LOCAL_ENDPOINTS,
    RuleKind.NOT_IN_SOURCE_RANGES: RefusalReason.NOT_IN_SOURCE_RANGES,
    RuleKind.UNUSED_PORTS: RefusalReason.UNUSED_PORT,
}


def reason_of(rule: str) -> RefusalReason | None:
    """Why a rule refuses connections to a Service; None for any other rule."""
    if " -j DROP" not in rule and " -j REJECT" not in rule:
        return None
    kind = kind_of(rule)
    return _REASONS.get(kind) if kind is not None else None


def naming_rules(refusing: Iterable[str], ruleset: Ruleset) -> dict[str, str]:
    """For each rule of `refusing` that refuses the unused ports of an address: a rule of a ServicePort at that address.

    A rule for unused ports names no Service itself. Of several ServicePorts at its address, the first by name is taken;
    without any, the rule is left out, as are rules that refuse for another reason.
    """
    # Compared as text, since it would take longer to take thousands of rules apart.
    wanted = {rule: _destination(rule) for rule in refusing if reason_of(rule) is RefusalReason.UNUSED_PORT}
    destinations = set(wanted.values())
    found: dict[str, str] = {}
    for name, table in ruleset.tables.items() if wanted else ():
        for chain, lines in table.chains.items():
            for line in lines if leads_to_services(name, chain) else ():
                destination = _destination(line)
                if destination in destinations and title_of(line):
                    found[destination] = min(line, found.get(destination, line), key=title_of)
    return {rule: found[destination] for rule, destination in wanted.items() if destination in found}


def _destination(rule: str) -> str:
    return rule.partition(" -d ")[2].partition(" ")[0]
