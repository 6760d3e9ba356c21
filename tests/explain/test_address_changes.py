"""Where clients find a ServicePort: what is said when its port, addresses or node ports change."""

from collections.abc import Sequence

import pytest

from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.options import Dispatch
from tests.builders import port
from tests.explain.comparison import BALANCED, FIRST, NODE_PORT, TITLE, elsewhere, web, without_endpoints, words

LOCAL = {**NODE_PORT, "external_traffic_local": True}
OTHER_PORT = {"ports": (port(number=81),)}
UDP = {"ports": (port(number=53, protocol=Protocol.UDP),)}

# Before, after, and everything that is said.
CHANGES: dict[str, tuple[Sequence[Object], Sequence[Object], tuple[str, ...]]] = {
    "port": (web(FIRST), web(FIRST, **OTHER_PORT), ("port 80 -> 81",)),
    "port while refused": (without_endpoints(), without_endpoints(**OTHER_PORT), ("port 80 -> 81",)),
    "port and protocol": (without_endpoints(), without_endpoints(**UDP), ("port 80 -> 53", "protocol TCP -> UDP")),
    "port of several addresses": (
        web(FIRST, **BALANCED),
        web(FIRST, **BALANCED, **OTHER_PORT),
        ("port 80 -> 81",),
    ),
    "another address": (
        web(FIRST),
        web(FIRST, cluster_ip="172.30.0.99"),
        ("cluster IP 172.30.0.99 added", "cluster IP 172.30.0.41 removed"),
    ),
    "another address while refused": (
        without_endpoints(),
        without_endpoints(cluster_ip="172.30.0.99"),
        ("cluster IP 172.30.0.99 added", "cluster IP 172.30.0.41 removed"),
    ),
    "another address without local endpoints": (
        elsewhere(FIRST, internal_traffic_local=True),
        elsewhere(FIRST, internal_traffic_local=True, cluster_ip="172.30.0.99"),
        ("cluster IP 172.30.0.99 added", "cluster IP 172.30.0.41 removed"),
    ),
    "one more address while refused": (
        without_endpoints(**NODE_PORT),
        without_endpoints(**{**NODE_PORT, **BALANCED}),
        ("address 192.0.2.1 added",),
    ),
    "node port while refused": (
        without_endpoints(),
        without_endpoints(**NODE_PORT),
        ("node port 30080/tcp added", "no endpoints: refused from outside"),
    ),
    "no node port while refused": (
        without_endpoints(**NODE_PORT),
        without_endpoints(),
        ("node port 30080/tcp removed",),
    ),
    "node port without local endpoints": (
        elsewhere(FIRST),
        elsewhere(FIRST, **LOCAL),
        ("node port 30080/tcp added", "no local endpoints: dropped without an answer from outside"),
    ),
    "load balancer while refused": (
        without_endpoints(type=ServiceType.LOAD_BALANCER),
        without_endpoints(**BALANCED),
        ("address 192.0.2.1 added", "no endpoints: refused from outside"),
    ),
    "load balancer, and endpoints again": (
        without_endpoints(),
        web(FIRST, **BALANCED),
        (
            f"endpoint {FIRST}:80 added, 0 -> 1",
            "loadbalancer IP 192.0.2.1 added",
            "endpoints again: no longer refused",
        ),
    ),
}


@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize(("before", "after", "sentences"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_said_about_addresses(
    before: Sequence[Object], after: Sequence[Object], sentences: tuple[str, ...], dispatch: Dispatch
) -> None:
    assert words(before, after, dispatch)[TITLE] == sentences
