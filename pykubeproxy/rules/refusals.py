"""Rules that refuse or drop new connections to a Service: why.

Such a rule of filter counts packets that belong to no connection yet. A client that is refused at once gives up; one
whose packets are dropped sends them again, and each of them counts.
"""

from enum import StrEnum

from pykubeproxy.rules.reading import kind_of
from pykubeproxy.rules.text import RuleKind


class RefusalReason(StrEnum):
    """Why connections to a Service are refused or dropped, as a label of metrics."""

    NO_ENDPOINTS = "no_endpoints"
    NO_LOCAL_ENDPOINTS = "no_local_endpoints"
    NOT_IN_SOURCE_RANGES = "not_in_source_ranges"


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
