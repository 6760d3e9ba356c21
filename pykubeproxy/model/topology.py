"""Which endpoints a ServicePort may use on this node: traffic policies, topology hints, terminating fallback.

Source: `docs/reference/endpoints.md` sections 6 and 7; https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/
and https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies.
"""

from collections.abc import Callable

import msgspec

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.model.service import ServicePort

Endpoints = tuple[Endpoint, ...]


class UsableEndpoints(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The endpoints of a ServicePort, by who may use them; each list in the order of the endpoints' text.

    `cluster` serves traffic under policy Cluster, `local` under policy Local, `reachable` is both together, and
    `exist_anywhere` tells whether any node has one: it decides between REJECT and DROP where a list is empty.
    """

    cluster: Endpoints = ()
    local: Endpoints = ()
    reachable: Endpoints = ()
    exist_anywhere: bool = False


def usable_endpoints(port: ServicePort, endpoints: Endpoints, node_name: str, zone: str) -> UsableEndpoints:
    """Sort out `endpoints` (all that `port` has, ready or not) for a node named `node_name` in `zone`."""
    cluster: Endpoints = ()
    if port.uses_cluster_endpoints:
        cluster = _ready_and_near(endpoints, node_name, zone) or _terminating(endpoints)
    if not port.uses_local_endpoints:
        return UsableEndpoints(cluster=cluster, reachable=cluster, exist_anywhere=bool(cluster))
    here = tuple(endpoint for endpoint in endpoints if endpoint.is_local)
    local = _ready(here) or _terminating(here)
    return UsableEndpoints(
        cluster=cluster,
        local=local,
        reachable=_union(cluster, local),
        exist_anywhere=any(endpoint.ready or endpoint.serves_while_terminating for endpoint in endpoints),
    )


def _ready(endpoints: Endpoints) -> Endpoints:
    return tuple(endpoint for endpoint in endpoints if endpoint.ready)


def _terminating(endpoints: Endpoints) -> Endpoints:
    """The fallback when no endpoint is ready: those that still serve while they terminate."""
    return tuple(endpoint for endpoint in endpoints if endpoint.serves_while_terminating)


def _ready_and_near(endpoints: Endpoints, node_name: str, zone: str) -> Endpoints:
    """The ready endpoints, narrowed by topology hints where those are usable.

    Hints of one kind count only if every ready endpoint has them and one names this node (or zone): a partial set
    of hints would send all traffic to whichever endpoints happen to carry them. The same node goes before the zone.
    """
    ready = _ready(endpoints)
    return _hinted(ready, _node_hints, node_name) or _hinted(ready, _zone_hints, zone) or ready


def _hinted(ready: Endpoints, hints: Callable[[Endpoint], tuple[str, ...]], here: str) -> Endpoints:
    if not here or not all(hints(endpoint) for endpoint in ready):
        return ()
    return tuple(endpoint for endpoint in ready if here in hints(endpoint))


def _node_hints(endpoint: Endpoint) -> tuple[str, ...]:
    return endpoint.nodes


def _zone_hints(endpoint: Endpoint) -> tuple[str, ...]:
    return endpoint.zones


def _union(cluster: Endpoints, local: Endpoints) -> Endpoints:
    by_text = {endpoint.text: endpoint for endpoint in cluster + local}
    return tuple(by_text[text] for text in sorted(by_text))
