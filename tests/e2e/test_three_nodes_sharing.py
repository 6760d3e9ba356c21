"""Connections are shared fairly among endpoints, by chance."""

from collections import Counter

import pytest
from msgspec import Struct

from e2e.expectation import Origin, Target
from e2e.running import resolve
from e2e.three_nodes.places import PODS
from e2e.three_nodes.services import CROWD_PORTS, MANIFESTS
from e2e.three_nodes.sharing import tolerable, unfairness
from e2e.vocabulary import CLIENT, CLUSTER_IP, CLUSTER_IP_V6, NODE_B, POD_A, named, node_port
from tests.e2e.combinations import ThreeNodes, needs_a_lab, on_every_combination

pytestmark = [needs_a_lab, on_every_combination]


class Share(Struct, frozen=True, kw_only=True):
    """Whose connections, to what, and among how many endpoints they are to be shared."""

    origin: Origin
    service: str
    target: Target
    endpoints: int
    connections: int = 1000


SHARES = {
    "IPv4": Share(origin=POD_A, service="web", target=named("http"), endpoints=len(PODS)),
    "IPv6": Share(origin=NODE_B, service="web", target=named("http", CLUSTER_IP_V6), endpoints=len(PODS)),
    "UDP": Share(origin=POD_A, service="web", target=named("dns"), endpoints=len(PODS)),
    "node port": Share(origin=CLIENT, service="shop", target=named("http", node_port("node-c")), endpoints=2),
    "crowd": Share(
        origin=POD_A,
        service="crowd",
        target=CLUSTER_IP,
        endpoints=len(PODS) * len(CROWD_PORTS),
        connections=1600,
    ),
}


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_every_endpoint_gets_its_share(three_nodes: ThreeNodes, share: Share) -> None:
    service = MANIFESTS.services[f"default/{share.service}"]
    where = resolve(three_nodes.cluster.lab.topology, service, share.target)
    outcomes = three_nodes.asker.at(share.origin).burst(where, share.connections)
    found = Counter((outcome.reply.pod, outcome.reply.port) for outcome in outcomes if outcome.reply)
    assert found.total() == share.connections
    assert len(found) <= share.endpoints
    unasked = [0] * (share.endpoints - len(found))
    assert unfairness([*found.values(), *unasked]) < tolerable(share.endpoints)
