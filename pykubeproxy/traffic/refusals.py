"""Rules that refuse or drop new connections to a Service: for which one, and why. Pure.

Such a rule of filter counts packets that belong to no connection yet. A client that is refused at once gives up; one
whose packets are dropped sends them again, and each of them counts.
"""

from enum import StrEnum
from typing import NamedTuple

from pykubeproxy.rules.reading import kind_of, title_of
from pykubeproxy.rules.text import RuleKind


class RefusalReason(StrEnum):
    """Why connections to a Service are refused or dropped, as a label of metrics."""

    NO_ENDPOINTS = "no_endpoints"
    NO_LOCAL_ENDPOINTS = "no_local_endpoints"
    NOT_IN_SOURCE_RANGES = "not_in_source_ranges"


class RefusedName(NamedTuple):
    """Refused connections to a Service, to any of its ports, for one reason."""

    namespace: str
    service: str
    reason: str


_REASONS = {
    RuleKind.NO_ENDPOINTS: RefusalReason.NO_ENDPOINTS,
    RuleKind.NO_LOCAL_ENDPOINTS: RefusalReason.NO_LOCAL_ENDPOINTS,
    RuleKind.NOT_IN_SOURCE_RANGES: RefusalReason.NOT_IN_SOURCE_RANGES,
}


def reason_of(rule: str) -> RefusalReason | None:
    """Why a rule refuses connections to a Service; None for any other rule."""
    if " -j DROP" not in rule and " -j REJECT" not in rule:
        return None
    kind = kind_of(rule)
    return _REASONS.get(kind) if kind is not None else None


def refused_name(rule: str) -> RefusedName | None:
    """What a rule counts if it refuses connections to a Service; None for any other rule."""
    reason = reason_of(rule)
    if reason is None:
        return None
    namespace, _, rest = title_of(rule).partition("/")
    return RefusedName(namespace, rest.partition(":")[0], reason.value)
