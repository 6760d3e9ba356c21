"""The words for findings, which objects add to a trace, and suggestions for unknown names."""

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from pykubeproxy.explain.findings import (
    Absence,
    AddressOf,
    AllowedSources,
    EndpointNotListed,
    EndpointsElsewhere,
    EndpointsUnusable,
    EndpointUnusable,
    Finding,
    HasNoPort,
    HasNoRules,
    HasNoSlice,
    HasNoSuchPort,
    HasOtherPorts,
    HasUsableEndpoints,
    IsForOtherPorts,
    ListsNoPods,
    NoServiceAt,
    NoSuchNodePort,
    NotAmongObjects,
    NotInTheseRules,
    PortAt,
    RulesNotMet,
    ServiceNotListed,
)
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.model.service import SERVICE_PROXY_NAME_LABEL, Unserved

_SHOWN = 3

_UNSERVED = {
    Unserved.FOREIGN_PROXY: f"label {SERVICE_PROXY_NAME_LABEL} hands it to another proxy",
    Unserved.EXTERNAL_NAME: "type ExternalName is DNS only",
    Unserved.HEADLESS: "headless (clusterIP: None): clients reach its pods directly",
    Unserved.NO_CLUSTER_IP: "it has no clusterIP",
}


def finding_text(finding: Finding | None) -> str:
    """A finding as the end of a sentence, punctuation included; empty without a finding."""
    match finding:
        case None:
            return ""
        case NotAmongObjects():
            return f", {finding_clause(finding)}"
        case ServiceNotListed() | EndpointNotListed() | EndpointUnusable():
            return f"; stale rules: {finding_clause(finding)}"
        case _:
            return f": {finding_clause(finding)}"


def finding_clause(finding: Finding) -> str:  # noqa: C901, PLR0911, PLR0912  one case for each kind
    """A finding in words, without punctuation before it."""
    match finding:
        case AllowedSources(ranges):
            return ", ".join(ranges)
        case HasUsableEndpoints(count, node):
            where = "that can be used" if node is None else f"on {node}"
            return f"stale rules: its EndpointSlices list {_count(count)} {where}"
        case HasNoSlice():
            return "it has no EndpointSlice; no pod was ever found for it"
        case ListsNoPods():
            return "its EndpointSlices list no pods: does its selector match any?"
        case HasNoPort(count, wanted):
            verb = "has" if count == 1 else "have"
            return f"its {_count(count)} {verb} no port: does a container name the targetPort of {wanted}?"
        case IsForOtherPorts(count, offered, wanted):
            verb = "is" if count == 1 else "are"
            return f"its {_count(count)} {verb} for port {' and '.join(offered)}, not {wanted}"
        case EndpointsElsewhere(count, nodes):
            homes = [node or "no node" for node in nodes]
            return f"{_count(count)}, on {listed(homes)}" if homes else _count(count)
        case EndpointsUnusable(count, ((state, _),)):
            return f"{_count(count)}, {'all ' if count > 1 else ''}{state}"
        case EndpointsUnusable(count, states):
            return f"{_count(count)}: {', '.join(f'{number} {state}' for state, number in states)}"
        case ServiceNotListed(port):
            return f"{port} is not among the objects given"
        case EndpointNotListed(port):
            return f"no EndpointSlice of {port} lists that endpoint"
        case EndpointUnusable(state):
            return f"that endpoint is {state}"
        case HasOtherPorts(address, number, protocol, ports):
            return f"no Service has {number}/{protocol} at {address}, only {listed(_ports(ports))}"
        case RulesNotMet(address, at):
            return f"no rule redirects what comes for {at.port}/{at.protocol} ({at.service}) at {address}"
        case NoSuchNodePort(number, protocol, nearest):
            there_is = f"; the nearest: {', '.join(_ports(nearest))}" if nearest else ""
            return f"no Service has node port {number}/{protocol}{there_is}"
        case NoServiceAt(address, network, is_by_objects):
            source = "by a ServiceCIDR" if is_by_objects else "by these rules"
            return f"no Service has {address}, which is among the cluster IPs ({network}, {source})"
        case AddressOf(address, service, absence):
            return f"{address} belongs to {service}; {absence_text(absence)}"
        case NotAmongObjects():
            return "which is not among the objects given: stale rules?"
        case _:
            assert_never(finding)


def absence_text(absence: Absence) -> str:
    """Why no rule is for a Service."""
    match absence:
        case HasNoRules(service, Unserved.NO_CLUSTER_IP_OF_FAMILY, family):
            return f"{service} has no rules: it has no {family} clusterIP"
        case HasNoRules(service, Unserved.HEADLESS, _, pods):
            instead = f": ask for {listed(pods)}" if pods else ", and it has none"
            return f"{service} has no rules: {_UNSERVED[Unserved.HEADLESS]}{instead}"
        case HasNoRules(service, why):
            return f"{service} has no rules: {_UNSERVED[why]}"
        case HasNoSuchPort(service, wanted, ports):
            named = ", ".join(f"{each.service or 'unnamed'} ({each.port}/{each.protocol})" for each in ports)
            return f"{service} has no port {wanted}: its ports are {named}"
        case NotInTheseRules(service):
            return f"{service} is in the cluster, but not in these rules: see what is missing with pykubeproxy diff"
        case _:
            assert_never(absence)


def known_names_text(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about a name that is not among `names`: those that are like it, or some of them."""
    known = sorted(set(names))
    if not known:
        return "; they know no Service at all"
    return did_you_mean(name, known) or f"; they know {listed(known)}"


def _ports(ports: Iterable[PortAt]) -> list[str]:
    return [f"{each.port}/{each.protocol} ({each.service})" for each in ports]


def _count(number: int) -> str:
    return f"{number} endpoint{'' if number == 1 else 's'}"


def listed(texts: Sequence[str]) -> str:
    """Texts with commas between them; of many, the first, and how many more there are."""
    return ", ".join(_shortened(texts))


def _shortened(texts: Sequence[str]) -> Iterator[str]:
    yield from texts[:_SHOWN]
    if len(texts) > _SHOWN:
        yield f"{len(texts) - _SHOWN} more"
