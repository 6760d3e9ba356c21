"""Random clusters in which Services mostly work: their slices have their ports, and endpoints that are ready."""

from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.model.endpoint import EndpointSlice, SliceEndpoint, SliceKey, SlicePort
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey
from pykubeproxy.model.snapshot import Object
from tests.strategies import NODE_NAMES, ZONES, services

_POD_NETWORKS = {Family.IPV4: "10.0.{}.{}", Family.IPV6: "fd00:10::{}:{}"}


def _endpoints(family: Family) -> st.SearchStrategy[SliceEndpoint]:
    """An endpoint, in all likelihood ready."""
    likely = st.sampled_from([True, True, True, False])
    return st.builds(
        SliceEndpoint,
        address=st.builds(_POD_NETWORKS[family].format, st.integers(0, 1), st.integers(1, 12)),
        node_name=st.sampled_from(NODE_NAMES),
        ready=likely,
        serving=likely,
        terminating=st.booleans(),
        zones=st.sampled_from([(), (), (), *((zone,) for zone in ZONES)]),
    )


@st.composite
def served(draw: st.DrawFn, key: ServiceKey, family: Family) -> list[Object]:
    """A Service of a family and its slice; seldom without one."""
    service: Service = replace(draw(services(st.just(key))), has_foreign_proxy=False)
    ports = tuple(
        SlicePort(name=spec.name, protocol=spec.protocol, port=draw(st.sampled_from([80, 8080])))
        for spec in service.ports
    )
    endpoints = draw(st.lists(_endpoints(family), max_size=6))
    its_slice = EndpointSlice(
        key=SliceKey(key.namespace, f"{key.name}-a"),
        service=key,
        family=family,
        ports=ports,
        endpoints=tuple(endpoints),
    )
    return [service, its_slice]


@st.composite
def serving_clusters(draw: st.DrawFn, family: Family, least: int = 3, most: int = 8) -> list[Object]:
    """Some Services, of which each has its slice."""
    keys = [ServiceKey("ns", f"s{number}") for number in range(draw(st.integers(least, most)))]
    return [obj for key in keys for obj in draw(served(key, family))]
