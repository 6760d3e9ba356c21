"""How many Services a Plan concerns, over all IP families and by namespace."""

from collections.abc import Iterable, Mapping

import msgspec

from pykubeproxy.explain.changes import ServicePortAdded, ServicePortRemoved
from pykubeproxy.explain.plan import Explanation, ServicePortDiff

_CHANGED = "ports_changed"


class ServiceCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many Services differ, and how many of their ports are new, changed or removed.

    A port that is new, or goes, in one IP family and differs otherwise in the other one counts as changed.
    """

    services: int = 0
    ports_added: int = 0
    ports_changed: int = 0
    ports_removed: int = 0

    def __str__(self) -> str:
        services = f"{self.services:,} Service{'' if self.services == 1 else 's'}"
        if not self.services:
            return services
        ports = f"{self.ports_added:,} new, {self.ports_changed:,} changed, {self.ports_removed:,} removed"
        return f"{services} (ports: {ports})"


def count_services(explanations: Iterable[Explanation]) -> ServiceCounts:
    """Count the Services in the explanations of all IP families."""
    return _counts(_kinds(explanations))


def count_by_namespace(explanations: Iterable[Explanation]) -> dict[str, ServiceCounts]:
    """Count the Services of each namespace, sorted by its name."""
    kinds: dict[str, dict[str, str]] = {}
    for title, kind in _kinds(explanations).items():
        kinds.setdefault(title.partition("/")[0], {})[title] = kind
    return {namespace: _counts(kinds[namespace]) for namespace in sorted(kinds)}


def _kinds(explanations: Iterable[Explanation]) -> dict[str, str]:
    """What happens to each ServicePort, by title: the name of a field of ServiceCounts."""
    found: dict[str, str] = {}
    for explanation in explanations:
        for diff in explanation.service_ports:
            kind = _kind(diff)
            found[diff.service_port] = kind if found.get(diff.service_port, kind) == kind else _CHANGED
    return found


def _kind(diff: ServicePortDiff) -> str:
    kinds = set(map(type, diff.changes))
    return "ports_added" if ServicePortAdded in kinds else "ports_removed" if ServicePortRemoved in kinds else _CHANGED


def _counts(kinds: Mapping[str, str]) -> ServiceCounts:
    services = {title.partition(":")[0] for title in kinds}
    fields = ("ports_added", _CHANGED, "ports_removed")
    return ServiceCounts(
        services=len(services), **{field: sum(kind == field for kind in kinds.values()) for field in fields}
    )
