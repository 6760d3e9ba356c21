"""What `services` finds in rules: every ServicePort once, whoever is served, and what objects have besides."""

import pytest
from msgspec.structs import replace

from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.service_view import (
    ServiceEndpoint,
    ServiceView,
    UnequalServices,
    service_views,
    unequal_services,
)
from pykubeproxy.explain.service_view_words import (
    address_texts,
    endpoint_count_text,
    endpoint_text,
    note_texts,
    refusal_texts,
    unequal_texts,
)
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import at, cidr, ip, port, service, slice_of, snapshot
from tests.explain.comparison import BALANCED, FIRST, NODE_PORT, SECOND, TITLE, compiled, elsewhere, empty, web

IPV4 = Family.IPV4


def view_of(objects: tuple[Object, ...], dispatch: Dispatch = Dispatch.TREE) -> ServiceView:
    (view,) = service_views(compiled(objects, dispatch), IPV4)
    return view


CLUSTER_IP = "cluster IP 172.30.0.41"
WITH_NODE_PORT = [CLUSTER_IP, "node port 30080/TCP"]
LOCAL = {**NODE_PORT, "external_traffic_local": True}
INTERNAL = {"internal_traffic_local": True}
BY_POLICY = "internalTrafficPolicy Local"
RANGES = {"source_ranges": (cidr("10.0.0.0/8"), cidr("192.0.2.0/24"))}
ONLY_TO = "load balancer open only to 10.0.0.0/8, 192.0.2.0/24"
EXTERNAL = {"external_ips": (ip("203.0.113.7"),)}


@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize(
    ("objects", "addresses", "endpoints", "says"),
    [
        (web(FIRST, SECOND), [CLUSTER_IP], "2", []),
        (web(FIRST, affinity_seconds=60), [CLUSTER_IP], "1", ["session affinity for 60 s"]),
        (web(FIRST, **NODE_PORT), WITH_NODE_PORT, "1", []),
        (web(FIRST, **BALANCED, **RANGES), [CLUSTER_IP, "load balancer 192.0.2.1"], "1", [ONLY_TO]),
        (web(FIRST, **EXTERNAL), [CLUSTER_IP, "external IP 203.0.113.7"], "1", []),
        (web(FIRST, **INTERNAL), [CLUSTER_IP], "1 local", [BY_POLICY]),
        (elsewhere(FIRST, **INTERNAL), [CLUSTER_IP], "0", ["dropped: no local endpoints", BY_POLICY]),
        (
            elsewhere(FIRST, **LOCAL),
            WITH_NODE_PORT,
            "1 (0 local)",
            ["dropped from outside: no local endpoints", "externalTrafficPolicy Local"],
        ),
        (
            elsewhere(FIRST, **INTERNAL, **NODE_PORT),
            WITH_NODE_PORT,
            "1 (0 local)",
            ["dropped at the cluster IP: no local endpoints", BY_POLICY],
        ),
        (empty(), [CLUSTER_IP], "0", ["refused: no endpoints"]),
        (empty(**NODE_PORT), WITH_NODE_PORT, "0", ["refused: no endpoints"]),
    ],
)
def test_one_service(
    dispatch: Dispatch, objects: tuple[Object, ...], addresses: list[str], endpoints: str, says: list[str]
) -> None:
    view = view_of(objects, dispatch)
    assert (view.title, view.namespace, view.service) == (TITLE, "ns1", "ns1/svc1")
    assert [f"{what} {address}" for what, address in address_texts(view)] == addresses
    assert (endpoint_count_text(view), view.is_dispatched) == (endpoints, True)
    assert [*refusal_texts(view), *note_texts(view)] == says


def test_pods_and_nodes_of_endpoints_are_those_of_the_same_service() -> None:
    """Another Service has another pod at the same address, as in the host's network."""
    objects, known = web(FIRST, SECOND), at(FIRST, "node-a", pod="ns1/web-1")
    neighbour = slice_of("ns1/other", at(FIRST, "node-a", pod="ns1/other-1"))
    cluster = ClusterView(snapshot=snapshot(objects[0], slice_of("ns1/svc1", known, SECOND), neighbour), family=IPV4)
    (view,) = service_views(compiled(objects), IPV4, cluster)
    assert view.endpoints == (
        ServiceEndpoint(endpoint=f"{FIRST}:80", is_local=None, pod="ns1/web-1", node="node-a"),
        ServiceEndpoint(endpoint=f"{SECOND}:80", is_local=None),
    )
    assert list(map(endpoint_text, view.endpoints)) == [f"{FIRST}:80  # ns1/web-1 on node-a", f"{SECOND}:80"]


def test_objects_say_why_it_is_refused() -> None:
    known = empty()
    cluster = ClusterView(snapshot=snapshot(*known), family=IPV4)
    (view,) = service_views(compiled(known), IPV4, cluster)
    assert list(refusal_texts(view)) == ["refused: no endpoints: it has no EndpointSlice; no pod was ever found for it"]
    (view,) = service_views(compiled(known), IPV4, ClusterView(snapshot=snapshot(), family=IPV4))
    assert list(refusal_texts(view)) == ["refused: no endpoints"]


def test_chains_that_no_rule_leads_to_are_left_over() -> None:
    ruleset = compiled(web(FIRST))
    ruleset.tables["nat"].chains["KUBE-SERVICES"] = ()
    (view,) = service_views(ruleset, IPV4)
    assert list(note_texts(view)) == ["left over: no rule leads there from a cluster IP"]
    (unequal,) = unequal_services({IPV4: [view]}, snapshot(*web(FIRST)), is_complete=True)
    assert unequal == UnequalServices(family=IPV4, only_in_objects=(TITLE,))


def test_all_that_only_one_side_has() -> None:
    in_rules = [service("ns1/a", "172.30.0.1"), service("ns1/b", "172.30.0.2")]
    in_objects = [
        in_rules[0],
        service("ns1/c", "172.30.0.3", ports=(port(), port("dns", 53))),
        service("ns1/headless", "None"),
        service("ns1/name", "", type=ServiceType.EXTERNAL_NAME),
    ]
    views = {IPV4: service_views(compiled(tuple(in_rules)), IPV4), Family.IPV6: service_views(Ruleset(), Family.IPV6)}
    (unequal,) = unequal_services(views, snapshot(*in_objects), is_complete=True)
    assert unequal == UnequalServices(
        family=IPV4, only_in_objects=("ns1/c:dns", "ns1/c:p80"), only_in_rules=("ns1/b:p80",)
    )
    assert [what for what, _ in unequal_texts(unequal)] == [
        "in the objects, but not in the IPv4 rules",
        "in the IPv4 rules, but not in the objects",
    ]
    (partial,) = unequal_services(views, snapshot(*in_objects), is_complete=False)
    assert partial == replace(unequal, only_in_rules=())
    assert not list(unequal_services({IPV4: views[IPV4]}, snapshot(*in_rules), is_complete=True))
