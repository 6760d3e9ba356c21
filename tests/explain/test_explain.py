"""A Plan in words: what a person reads before a take-over. How `diff` shows them: tests/cli/test_diff_output.py."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest

from pykubeproxy.explain import changes
from pykubeproxy.explain.changes import OnlyOrderDiffers, ServicePortRemoved
from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import NODE, at, cidr, port, service, slice_of, slice_port
from tests.corpus import GOLDEN, Example, examples
from tests.explain.comparison import (
    BALANCED,
    FIRST,
    NAME,
    NODE_PORT,
    SECOND,
    THIRD,
    TITLE,
    compiled,
    elsewhere,
    empty,
    explained,
    web,
    words,
)

LOCAL = {**NODE_PORT, "external_traffic_local": True}
INTERNAL = {"internal_traffic_local": True}
PORT_81 = {"ports": (port(number=81),)}
UDP_53 = {"ports": (port(number=53, protocol=Protocol.UDP),)}
UDP = slice_port(protocol=Protocol.UDP)
WEB_UDP = (
    service(NAME, ports=(port(protocol=Protocol.UDP),)),
    slice_of(NAME, at(FIRST, NODE), at(SECOND, NODE), ports=(UDP,)),
)
OTHER_IP = {"cluster_ip": "172.30.0.99"}
NO_LB_IP = {"type": ServiceType.LOAD_BALANCER}
HTTP_ONLY = {**BALANCED, "source_ranges": (cidr("203.0.113.0/24"),)}
RANGES = {**BALANCED, "source_ranges": (cidr("203.0.113.0/24"), cidr("10.0.0.0/8"))}
OTHER_RANGES = {**BALANCED, "source_ranges": (cidr("203.0.113.0/24"), cidr("198.51.100.0/24"))}
AFFINE = {"affinity_seconds": 600}
MANY = [f"10.0.2.{number}" for number in range(1, 200)]

COMES, GOES = f"endpoint {FIRST}:80 added, 0 -> 1", f"endpoint {FIRST}:80 removed, 1 -> 0"
ONLY_TO = "load-balancer addresses open only to 10.0.0.0/8, 203.0.113.0/24"
TO_LOCAL, TO_CLUSTER = (f"externalTrafficPolicy {change}" for change in ("Cluster -> Local", "Local -> Cluster"))
DROPPED = "no local endpoints: dropped without an answer"
NONE_LOCAL, NOT_DROPPED = DROPPED.replace(":", " any more:"), "endpoints again: no longer dropped"
AGAIN = "endpoints again: no longer refused"
NOBODY = "other nodes have no endpoints any more either: now refused from outside"
NOW_DROPPED = "endpoints again, but no local ones: now dropped without an answer"

# Before, after, and everything that is said.
CHANGES: list[tuple[Sequence[Object], Sequence[Object], str]] = [
    (web(FIRST), web(FIRST, SECOND), f"endpoint {SECOND}:80 added, 1 -> 2, each now 50%"),
    (web(FIRST, SECOND, THIRD), web(FIRST, SECOND), f"endpoint {THIRD}:80 removed, 3 -> 2, each now 50%"),
    (web(FIRST), web(SECOND), f"endpoint {SECOND}:80 added and endpoint {FIRST}:80 removed, 1 -> 1"),
    (web(FIRST), web(FIRST, *MANY[:7]), "7 endpoints added, 1 -> 8, each now 12.5%"),
    ((), web(*MANY), "new, with 199 endpoints, each 0.5%"),
    ((), web(FIRST, SECOND, THIRD), "new, with 3 endpoints, each 33.3%"),
    ((), empty(), "new; it has no endpoints: refused"),
    (web(FIRST), (), "removed, with its 1 endpoint"),
    # Policies and session affinity, which are no matter of endpoints.
    (web(FIRST, **NODE_PORT), web(FIRST, **LOCAL), TO_LOCAL),
    (web(FIRST, SECOND, **LOCAL), web(FIRST, SECOND, **NODE_PORT), TO_CLUSTER),
    (web(FIRST, **INTERNAL), web(FIRST), "internalTrafficPolicy Local -> Cluster"),
    (web(FIRST), web(FIRST, **AFFINE), "session affinity for 600 s"),
    (web(FIRST, **AFFINE), web(FIRST), "no session affinity any more"),
    (web(FIRST, affinity_seconds=60), web(FIRST, affinity_seconds=90), "session affinity 60 s -> 90 s"),
    (web(FIRST, **AFFINE), web(FIRST, SECOND, **AFFINE), f"endpoint {SECOND}:80 added, 1 -> 2, each now 50%"),
    (web(FIRST, **AFFINE), empty(**AFFINE), f"{GOES}; no endpoints any more: refused"),
    # Ports and addresses.
    (web(FIRST), web(FIRST, **PORT_81), "port 80 -> 81"),
    (empty(), empty(**UDP_53), "port 80 -> 53; protocol TCP -> UDP"),
    (web(FIRST, SECOND), WEB_UDP, "protocol TCP -> UDP"),
    *(
        (before, after, "cluster IP 172.30.0.99 added; cluster IP 172.30.0.41 removed")
        for before, after in (
            (web(FIRST), web(FIRST, **OTHER_IP)),
            (empty(), empty(**OTHER_IP)),
            (elsewhere(FIRST, **INTERNAL), elsewhere(FIRST, **INTERNAL, **OTHER_IP)),
        )
    ),
    (web(FIRST), web(FIRST, **NODE_PORT), "node port 30080/tcp added"),
    (empty(**NODE_PORT), empty(), "node port 30080/tcp removed"),
    (elsewhere(FIRST, **LOCAL), elsewhere(FIRST), "node port 30080/tcp removed"),
    (empty(**NODE_PORT), empty(**NODE_PORT | BALANCED), "address 192.0.2.1 added"),
    # Source ranges, which are closed to nobody where their address goes as well.
    (web(FIRST, **HTTP_ONLY), web(FIRST, **OTHER_RANGES), "load-balancer addresses open to 198.51.100.0/24"),
    (web(FIRST, **BALANCED), web(FIRST, **RANGES), f"{ONLY_TO}, no longer to all sources"),
    (web(FIRST, **NO_LB_IP), web(FIRST, **RANGES), f"{ONLY_TO}; loadbalancer IP 192.0.2.1 added"),
    (web(FIRST, **RANGES), web(FIRST, **HTTP_ONLY), "load-balancer addresses closed to 10.0.0.0/8"),
    (web(FIRST, **HTTP_ONLY), web(FIRST, **BALANCED), "load-balancer addresses open to all sources"),
    (web(FIRST, **RANGES), web(FIRST, **NO_LB_IP), "loadbalancer IP 192.0.2.1 removed"),
    # Refused, and no longer refused: at the cluster IP and from outside, which need not be the same.
    (web(FIRST), empty(), f"{GOES}; no endpoints any more: refused"),
    (web(FIRST, **NODE_PORT), empty(**NODE_PORT), f"{GOES}; no endpoints any more: refused"),
    (empty(), web(FIRST), f"{COMES}; {AGAIN}"),
    (empty(**NODE_PORT), web(FIRST, **NODE_PORT), f"{COMES}; {AGAIN}"),
    (empty(), web(FIRST, **BALANCED), f"{COMES}; loadbalancer IP 192.0.2.1 added; {AGAIN}"),
    (web(FIRST, **LOCAL), elsewhere(FIRST, **LOCAL), f"local {GOES}; {NONE_LOCAL} from outside"),
    (elsewhere(FIRST, **LOCAL), web(FIRST, **LOCAL), f"local {COMES}; local {NOT_DROPPED} from outside"),
    (empty(**LOCAL), elsewhere(FIRST, **LOCAL), f"{COMES}; {AGAIN} at the cluster IP; {NOW_DROPPED} from outside"),
    (elsewhere(FIRST, **LOCAL), empty(**LOCAL), f"{GOES}; no endpoints any more: refused at the cluster IP; {NOBODY}"),
    (empty(**INTERNAL), elsewhere(FIRST, **INTERNAL), NOW_DROPPED),
    (elsewhere(FIRST, **NODE_PORT), elsewhere(FIRST, **LOCAL), f"{TO_LOCAL}; {DROPPED} from outside"),
    (elsewhere(FIRST, **LOCAL), elsewhere(FIRST, **NODE_PORT), f"{TO_CLUSTER}; no longer dropped from outside"),
    (elsewhere(FIRST), elsewhere(FIRST, **INTERNAL), f"internalTrafficPolicy Cluster -> Local; {DROPPED}"),
    (elsewhere(FIRST, **INTERNAL), elsewhere(FIRST), "internalTrafficPolicy Local -> Cluster; no longer dropped"),
    (empty(), empty(**NODE_PORT), "node port 30080/tcp added; no endpoints: refused from outside"),
    (elsewhere(FIRST), elsewhere(FIRST, **LOCAL), f"node port 30080/tcp added; {DROPPED} from outside"),
]


@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize(("before", "after", "sentences"), CHANGES)
def test_what_is_said_of_a_change(
    before: Sequence[Object], after: Sequence[Object], sentences: str, dispatch: Dispatch
) -> None:
    other = (service("ns2/other", "172.30.0.42"), slice_of("ns2/other", "10.0.9.9"))
    found = words((*before, *other), (*after, *other), dispatch)
    assert {title: "; ".join(said) for title, said in found.items()} == {TITLE: sentences}


def test_another_order_is_only_told_where_nothing_else_differs() -> None:
    desired = compiled(web(FIRST, SECOND))
    live = desired.copy()
    chains = live.tables["nat"].chains
    policy = next(chain for chain in chains if chain.startswith("KUBE-SVC-"))
    chains[policy] = chains[policy][::-1]
    (diff,) = explained(desired, live).service_ports
    assert (diff.service_port, diff.changes) == (TITLE, (OnlyOrderDiffers(),))
    chains["KUBE-SERVICES"] = chains["KUBE-SERVICES"][1:]
    (diff,) = explained(desired, live).service_ports
    assert diff.changes != (OnlyOrderDiffers(),)


@pytest.mark.parametrize(
    "rule",
    [
        '-m comment --comment "ns2/other:http has no endpoints" -j REJECT',
        '-d 10.0.0.1/32 -m comment --comment "ns2/other:http cluster IP" -j KUBE-SVC-AAAAAAAAAAAAAAAA',
        '-p tcp -m comment --comment "ns2/other:http',
    ],
)
def test_rules_that_no_proxy_writes_are_explained_by_their_chains_alone(rule: str) -> None:
    desired = compiled(web(FIRST))
    live = desired.copy()
    live.tables["nat"].chains["KUBE-SERVICES"] += (f"-A KUBE-SERVICES {rule}",)
    explanation = explained(desired, live)
    assert [diff.changes for diff in explanation.service_ports] == [()]
    (chain,) = (chain for diff in explanation.service_ports for chain in diff.chains)
    assert chain.removed == (f"-A KUBE-SERVICES {rule}",)


def test_a_service_is_removed_even_if_its_chain_has_to_stay() -> None:
    desired, live = compiled(()), compiled(web(FIRST, SECOND))
    chains = live.tables["nat"].chains
    policy = next(chain for chain in chains if chain.startswith("KUBE-SVC-"))
    rule = f"-A PREROUTING -d 192.0.2.7/32 -j {policy}"
    chains["PREROUTING"] += (rule,)
    explanation = explained(desired, live)
    assert [diff.changes for diff in explanation.service_ports] == [(ServicePortRemoved(2, None),)]
    assert [(stale.chain, stale.used_by) for stale in explanation.stale_chains] == [(policy, (rule,))]


OPPOSITES: dict[type[changes.ServiceChange], type[changes.ServiceChange]] = {
    changes.ServicePortAdded: changes.ServicePortRemoved,
    changes.AddressAdded: changes.AddressRemoved,
    changes.NodePortAdded: changes.NodePortRemoved,
    changes.RefusalBegan: changes.RefusalEnded,
    changes.SourcesAllowed: changes.SourcesDenied,
}


def kinds(desired: Ruleset, live: Ruleset) -> Counter[tuple[str, type[changes.ServiceChange]]]:
    return Counter(
        (diff.service_port, type(change))
        for diff in explained(desired, live).service_ports
        for change in diff.changes
        # What happens to source ranges depends on whether their addresses were there before.
        if not isinstance(change, changes.SourcesLimited | changes.SourcesUnlimited)
    )


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize(("one", "other"), list(pairwise(examples(GOLDEN))), ids=str)
def test_from_one_dump_of_kube_proxy_to_another_and_back(one: Example, other: Example, family: str) -> None:
    """Whatever changes one way changes back the other way."""
    first, second = (parse(example.saved(family).splitlines()) for example in (one, other))
    there, back = kinds(first, second), kinds(second, first)
    opposites = OPPOSITES | {back: there for there, back in OPPOSITES.items()}
    assert Counter((title, opposites.get(kind, kind)) for title, kind in there.elements()) == back
