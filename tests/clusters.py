"""Random clusters in which Services mostly work: their slices have their ports, and endpoints that are ready.

And one that is as unfavourable as a cluster can be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.model.endpoint import SlicePort
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, identify
from pykubeproxy.rules import spread, tree, trie
from pykubeproxy.rules.spread import GROUPED_FROM
from pykubeproxy.rules.trie import LEAF_SIZE
from tests.builders import cidr, ip, port, service, slice_of, slice_port
from tests.strategies import ZONES, clusters, services, slice_endpoints

_likely = st.sampled_from([True, True, True, False])
_seldom_zones = st.sampled_from([(), (), (), *((zone,) for zone in ZONES)])


@st.composite
def served(draw: st.DrawFn, key: ServiceKey, family: Family) -> list[Object]:
    """A Service of a family and its slice; seldom without one."""
    service: Service = replace(draw(services(st.just(key))), has_foreign_proxy=False)
    ports = tuple(
        SlicePort(name=spec.name, protocol=spec.protocol, port=draw(st.sampled_from([80, 8080])))
        for spec in service.ports
    )
    endpoint = slice_endpoints(family, likely=_likely, zones=_seldom_zones, nodes=st.just(()))
    endpoints = draw(st.lists(endpoint, max_size=6))
    name = f"{key.namespace}/{key.name}"
    return [service, slice_of(name, *endpoints, ports=ports, family=family)]


@st.composite
def serving_clusters(draw: st.DrawFn, family: Family, least: int = 3, most: int = 8) -> list[Object]:
    """Some Services, of which each has its slice."""
    keys = [ServiceKey("ns", f"s{number}") for number in range(draw(st.integers(least, most)))]
    return [obj for key in keys for obj in draw(served(key, family))]


def mixed_clusters(family: Family) -> st.SearchStrategy[list[Object]]:
    """Services that mostly work, beside any others; of objects with one name, the last."""
    both = st.tuples(serving_clusters(family, 3, 6), clusters)
    return both.map(lambda two: list({identify(obj): obj for part in two for obj in part}.values()))


@contextmanager
def small_parts(grouped_from: int = 2) -> Iterator[None]:
    """Leaves and groups so small that few Services and endpoints make large trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie, "LEAF_SIZE", 2)
        patch.setattr(tree, "_INLINE", 0)
        patch.setattr(spread, "GROUPED_FROM", grouped_from)
        yield


def deep_cluster(family: Family) -> list[Object]:
    """Services whose addresses make as many branches as there can be, and behind them one with all chains there are.

    External and load-balancer IPs are chosen by those who may write Services, not by those who run a node.
    """
    middle = int(ip_address("10.96.7.1" if family is Family.IPV4 else "fd00:96::7:1"))
    kind = IPv4Address if family is Family.IPV4 else IPv6Address
    pod = "10.0.{}.{}" if family is Family.IPV4 else "fd00:10::{}:{}"
    ports = range(80, 80 + LEAF_SIZE)
    last = service(
        "ns/last",
        str(kind(middle + 1)),
        type=ServiceType.LOAD_BALANCER,
        ports=tuple(port(f"p{number}", number, 30000 + number) for number in ports),
        load_balancer_ips=(ip(str(kind(middle))),),
        source_ranges=(cidr("203.0.113.0/24"), cidr("2001:db8:113::/48")),
    )
    crowd = [pod.format(index // 100 + 1, index % 100 + 1) for index in range(GROUPED_FROM)]
    objects: list[Object] = [
        last,
        slice_of("ns/last", *crowd, ports=tuple(slice_port(f"p{number}") for number in ports)),
    ]
    places = [kind(middle ^ step << 4 * nibble) for nibble in range(family.bits // 4) for step in (1, 2)]
    for number, place in enumerate(places):
        objects += [service(f"ns/s{number}", str(place)), slice_of(f"ns/s{number}", crowd[0])]
    return objects
