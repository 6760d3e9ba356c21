"""What objects add to what rules can tell."""

from typing import Any

import pytest

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.finding_words import absence_text, finding_text, known_names_text
from pykubeproxy.explain.service_causes import NoLocalEndpoints, NoReadyEndpoints, NotInSourceRanges, TrafficPolicy
from pykubeproxy.model.endpoint import SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter.causes import Cause, PolicyDrops
from tests.builders import at, cidr, ip, service, slice_of, slice_port, snapshot

NO_ENDPOINTS = NoReadyEndpoints("ns1/svc1:p80")
NO_LOCAL = NoLocalEndpoints(TrafficPolicy.EXTERNAL, "ns1/svc1:p80")


def view(*objects: Object) -> ClusterView:
    return ClusterView(snapshot=snapshot(*objects), family=Family.IPV4, node_name="node-a")


def added(known: ClusterView, cause: Cause) -> str:
    """What objects add to a cause, in words."""
    return cause_text(known.with_finding(cause)).removeprefix(cause_text(cause))


def absence(known: ClusterView, name: str) -> str:
    found = known.why_absent(name)
    assert found is not None
    return absence_text(found)


def pods(count: int, **conditions: Any) -> list[SliceEndpoint]:
    return [at(f"10.0.1.{number}", "node-b", **conditions) for number in range(1, count + 1)]


GONE: dict[str, Any] = {"ready": False, "serving": False, "terminating": True}
ENDPOINTS = {
    "no slice": ((), "it has no EndpointSlice; no pod was ever found for it"),
    "empty slice": ((slice_of("ns1/svc1"),), "its EndpointSlices list no pods: does its selector match any?"),
    "terminating": ((slice_of("ns1/svc1", *pods(3, **GONE)),), "3 endpoints, all terminating"),
    "not ready": ((slice_of("ns1/svc1", *pods(1, ready=False, serving=False)),), "1 endpoint, not ready"),
    "mixed": (
        (slice_of("ns1/svc1", *pods(1, ready=False), *[at("10.0.2.1", **GONE), at("10.0.2.2", **GONE)]),),
        "3 endpoints: 1 not ready, 2 terminating",
    ),
    "other port": (
        (slice_of("ns1/svc1", *pods(2), ports=(slice_port("web"),)),),
        "its 2 endpoints are for port web/TCP, not p80/TCP",
    ),
    "no port": (
        (slice_of("ns1/svc1", *pods(2), ports=()),),
        "its 2 endpoints have no port: does a container name the targetPort of p80/TCP?",
    ),
    "usable": (
        (slice_of("ns1/svc1", *pods(2), *pods(1, ready=False)[:0]),),
        "stale rules: its EndpointSlices list 2 endpoints that can be used",
    ),
    "other protocol": (
        (slice_of("ns1/svc1", *pods(1), ports=(slice_port(protocol=Protocol.UDP),)),),
        "its 1 endpoint is for port p80/UDP, not p80/TCP",
    ),
}


@pytest.mark.parametrize(("slices", "words"), ENDPOINTS.values(), ids=ENDPOINTS.keys())
def test_what_has_become_of_the_endpoints(slices: tuple[Object, ...], words: str) -> None:
    assert added(view(service(), *slices), NO_ENDPOINTS) == f": {words}"


def test_where_the_endpoints_are() -> None:
    known = view(service(), slice_of("ns1/svc1", at("10.0.1.1", "node-b"), at("10.0.1.2", "node-c")))
    assert added(known, NO_LOCAL) == ": 2 endpoints, on node-b, node-c"


def test_a_refusal_that_the_objects_contradict() -> None:
    objects = service(type=ServiceType.LOAD_BALANCER, external_traffic_local=True, load_balancer_ips=(ip("192.0.2.9"),))
    known = view(objects, slice_of("ns1/svc1", at("10.0.1.1", "node-a"), at("10.0.1.2", "node-c")))
    assert added(known, NO_LOCAL) == ": stale rules: its EndpointSlices list 1 endpoint on node-a"


def test_ways_to_endpoints_that_are_none() -> None:
    known = view(service(), slice_of("ns1/svc1", at("10.0.1.1"), at("10.0.1.2", **GONE)))
    assert known.why_stale("ns1/svc1:p80", "10.0.1.1:80") is None
    assert finding_text(known.why_stale("ns1/svc1:p80", "10.0.1.2:80")) == "; stale rules: that endpoint is terminating"
    wrong = finding_text(known.why_stale("ns1/svc1:p80", "10.0.1.3:80"))
    assert wrong == "; stale rules: no EndpointSlice of ns1/svc1:p80 lists that endpoint"
    gone = finding_text(known.why_stale("ns1/other", "10.0.1.1:80"))
    assert gone == "; stale rules: ns1/other is not among the objects given"


def test_addresses_that_objects_know() -> None:
    known = view(service(), slice_of("ns1/svc1", at("10.0.1.1")))
    at_address = known.service_at(service().cluster_ip)
    assert at_address is not None
    assert str(at_address.key) == "ns1/svc1"
    assert known.service_at("10.0.1.1") is None
    assert known.is_endpoint("10.0.1.1")
    assert not known.is_endpoint("10.0.1.2")


def test_which_sources_are_allowed() -> None:
    known = view(service(source_ranges=(cidr("192.0.2.0/24"),)))
    assert added(known, NotInSourceRanges("10.0.0.1", "ns1/svc1:p80")) == ": 192.0.2.0/24"


def test_rules_for_a_service_that_is_no_more() -> None:
    assert added(view(), NO_ENDPOINTS).endswith("which is not among the objects given: stale rules?")


def test_other_reasons_stay_as_they_are() -> None:
    assert view(service()).with_finding(PolicyDrops("filter", "FORWARD")) == PolicyDrops("filter", "FORWARD")


def test_why_a_service_has_no_rules() -> None:
    known = view(
        service("ns1/headless", "None"),
        slice_of("ns1/headless", "10.0.1.1", "10.0.1.2"),
        service("ns1/dns", "", type=ServiceType.EXTERNAL_NAME),
        service(),
    )
    assert absence(known, "ns1/headless").endswith("ask for 10.0.1.1:80, 10.0.1.2:80")
    assert absence(known, "ns1/dns") == "ns1/dns has no rules: type ExternalName is DNS only"
    assert absence(known, "ns1/svc1:other") == "ns1/svc1 has no port other: its ports are p80 (80/tcp)"
    assert "but not in these rules" in absence(known, "ns1/svc1")
    assert known.why_absent("ns1/nothing") is None


def test_close_names() -> None:
    assert known_names_text("ns1/wbe", ["ns1/web", "ns2/other"]) == "; did you mean ns1/web?"
    assert known_names_text("zzz/zzz", ["a/b", "c/d"]) == "; they know a/b, c/d"
    assert known_names_text("ns1/web", []) == "; they know no Service at all"
