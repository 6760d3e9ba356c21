"""The connections of several nodes as those of one: Rates that were measured at about the same time, added up. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pykubeproxy.traffic.rates import (
    EndpointRate,
    Rates,
    RefusalRate,
    ServiceRate,
    endpoint_order,
    service_order,
    share,
)


def sum_rates(measured: Sequence[Rates]) -> Rates:
    """What some nodes, at least one, have counted. Each node is taken to know all Services and endpoints.

    Intervals may differ a little: `seconds` is such that the rate is the sum of the rates.
    """
    total = sum(each.connections for each in measured)
    rate = sum(each.rate for each in measured)
    parts: defaultdict[tuple[str, str, str], list[ServiceRate]] = defaultdict(list)
    for each in measured:
        for service in each.services:
            parts[service.family, service.service, service.protocol].append(service)
    return Rates(
        seconds=total / rate if rate else max(each.seconds for each in measured),
        connections=total,
        services=tuple(sorted((_service(its, total) for its in parts.values()), key=service_order)),
        refused=sum(each.refused for each in measured),
        known_ports=max(each.known_ports for each in measured),
        known_services=max(each.known_services for each in measured),
        known_endpoints=max(each.known_endpoints for each in measured),
    )


def _service(parts: Sequence[ServiceRate], total: int) -> ServiceRate:
    """One Service port on the nodes where it is busy; all connections together are `total`."""
    connections, rate = sum(each.connections for each in parts), sum(each.rate for each in parts)
    endpoints: defaultdict[str, list[tuple[EndpointRate, int]]] = defaultdict(list)
    refusals: defaultdict[str, list[RefusalRate]] = defaultdict(list)
    for part in parts:
        for endpoint in part.endpoints:
            endpoints[endpoint.endpoint].append((endpoint, part.connections))
        for refusal in part.refusals:
            refusals[refusal.reason].append(refusal)
    return ServiceRate(
        family=parts[0].family,
        service=parts[0].service,
        protocol=parts[0].protocol,
        connections=connections,
        rate=rate,
        share=share(connections, total),
        history=(rate,),
        endpoints=tuple(sorted((_endpoint(its, connections) for its in endpoints.values()), key=endpoint_order)),
        refusals=tuple(map(_refusal, refusals.values())),
    )


def _endpoint(parts: Sequence[tuple[EndpointRate, int]], connections: int) -> EndpointRate:
    """The sum of one endpoint's rates on several nodes.

    `connections` are all of its Service port. Each of `parts` is the rate on one node, with the number of connections
    for the Service port there.
    """
    first = parts[0][0]
    rate, own = sum(each.rate for each, _ in parts), sum(each.connections for each, _ in parts)
    return EndpointRate(
        endpoint=first.endpoint,
        connections=own,
        rate=rate,
        share=share(own, connections),
        expected=_mean((each.expected, count) for each, count in parts),
        history=(rate,),
        pod=first.pod,
        node=first.node,
    )


def _mean(parts: Iterable[tuple[float | None, int]]) -> float | None:
    """The mean of what is known, by its weights; if all of them are 0, each counts the same."""
    known = [(value, weight) for value, weight in parts if value is not None]
    weight = sum(its for _, its in known)
    if weight:
        return sum(value * its for value, its in known) / weight
    return sum(value for value, _ in known) / len(known) if known else None


def _refusal(parts: Sequence[RefusalRate]) -> RefusalRate:
    rate = sum(each.rate for each in parts)
    connections = sum(each.connections for each in parts)
    return RefusalRate(reason=parts[0].reason, connections=connections, rate=rate, history=(rate,))
