"""Random clusters: every rule is one that is meant, and packets fare as the API documentation promises."""

from contextlib import nullcontext
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import local_address
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RejectUnused, RuleOptions
from tests.builders import NODE_IPS, snapshot
from tests.clusters import mixed_clusters, small_parts
from tests.fuzz.model import Asked, Cluster
from tests.fuzz.rule_lines import check_lines
from tests.packets import CLIENTS, ENVIRONMENT, Client, Destination, Walk, neighbours
from tests.strategies import rule_options

# Some external IPs are addresses of the node as well.
OWN = {Family.IPV4: [NODE_IPS[Family.IPV4], "198.51.100.7"], Family.IPV6: [NODE_IPS[Family.IPV6], "2001:db8::6"]}
LOCALHOST = {Family.IPV4: "127.0.0.1", Family.IPV6: "::1"}
NODE = replace(
    ENVIRONMENT, addresses=(*(ENVIRONMENT.addresses or ()), *(local_address(own, "eth0") for _, own in OWN.values()))
)
MORE_CLIENTS = {
    Family.IPV4: [Client("10.0.1.99", "eth0"), Client("192.0.2.77", "eth0"), Client("198.51.100.7", "")],
    Family.IPV6: [Client("fd00:10::1:99", "eth0"), Client("2001:db8:2::77", "eth0"), Client("2001:db8::6", "")],
}


def packets(cluster: Cluster, family: Family, random: Random) -> list[Asked]:
    """Packets that the Services may care about, and some that differ from those in one thing."""
    own = [*OWN[family], LOCALHOST[family]]
    everything: list[Asked] = []
    for frontend in cluster.frontends:
        endpoints = frontend.served.endpoints
        hairpins = [Client(each.address, "veth1") for each in endpoints.values()][:2]
        for address in own if frontend.address is None else [frontend.address]:
            to = Destination(address, frontend.protocol, frontend.port)
            for client in [*CLIENTS[family], *MORE_CLIENTS[family], *hairpins]:
                # Localhost is the node's own affair.
                if client.is_node or address != LOCALHOST[family]:
                    seen = [None, *list(endpoints)[:2]] if frontend.served.has_affinity else [None]
                    everything += [Asked(client, to, endpoint) for endpoint in seen]
    chosen = random.sample(everything, min(24, len(everything)))
    near = [
        each._replace(to=to, seen_at=None)
        for each in chosen[:3]
        if each.to.address != LOCALHOST[family]
        for to in neighbours(each.to)
    ]
    return chosen + random.sample(near, min(4, len(near)))


def check_meaning(objects: list[Object], its: RuleOptions, random: Random) -> None:
    """Ask the rules about packets, each of which must fare as is promised."""
    ruleset = compile_ruleset(snapshot(*objects), its)
    check_lines(ruleset)
    cluster = Cluster(objects, its, OWN[its.family])
    walks: dict[str | None, Walk] = {}
    for asked in packets(cluster, its.family, random):
        walk = walks.setdefault(asked.seen_at, Walk(ruleset, replace(NODE, seen_at=asked.seen_at)))
        assert walk.fate(asked.to, asked.client) in cluster.promised(asked), asked


@pytest.mark.parametrize("family", Family)
@given(st.data())
def test_meaning(family: Family, data: st.DataObject) -> None:
    objects = data.draw(mixed_clusters(family))
    its = data.draw(rule_options(reject_unused=st.just(RejectUnused.NONE), families=st.just(family)))
    random = data.draw(st.randoms(use_true_random=True))
    with small_parts() if data.draw(st.booleans()) else nullcontext():
        for dispatch in Dispatch:
            check_meaning(objects, replace(its, dispatch=dispatch), random)
