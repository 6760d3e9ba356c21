"""Random clusters: few names and addresses, so that objects meet, and every field that changes a rule."""

from typing import Any

from hypothesis import strategies as st

from pykubeproxy.model.endpoint import EndpointSlice, SliceEndpoint, SliceKey, SlicePort
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import PortSpec, Protocol, Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId, identify
from pykubeproxy.rules.options import Dispatch, PodTraffic, RejectUnused, RuleOptions
from tests.builders import NODE_IPS, POD_CIDRS, cidr, ip

NODE_NAMES = ("n1", "n2", "")
ZONES = ("zone-a", "zone-b")
PORT_NAMES = ("", "http", "dns")
EXTERNAL_IPS = ("192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::5", "2001:db8::6")
RANGES = ("203.0.113.0/24", "192.168.0.0/16", "0.0.0.0/0", "2001:db8::/32", "fd00::/8", "::/0")

service_keys = st.builds(ServiceKey, st.sampled_from(["x", "y"]), st.sampled_from(["web", "db", "web-2"]))
protocols = st.sampled_from(Protocol)
flags = st.booleans()


def _few(strategy: st.SearchStrategy[Any], most: int = 3, **limits: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most, **limits).map(tuple)


port_specs = st.builds(
    PortSpec,
    name=st.sampled_from(PORT_NAMES),
    protocol=protocols,
    port=st.sampled_from([53, 80, 443]),
    node_port=st.one_of(st.just(0), st.integers(30000, 30040)),
)


@st.composite
def _addressing(draw: st.DrawFn) -> dict[str, Any]:
    """Cluster IPs and families: both, one, of an old object without `ipFamilies`, or none."""
    number = draw(st.integers(1, 40))
    ipv4, ipv6 = f"10.96.{number % 3}.{number}", f"fd00:96::{number:x}"
    return draw(
        st.sampled_from(
            [
                {"cluster_ip": ipv4, "cluster_ips": (ipv4, ipv6), "ip_families": ("IPv4", "IPv6")},
                {"cluster_ip": ipv6, "cluster_ips": (ipv6, ipv4), "ip_families": ("IPv6", "IPv4")},
                {"cluster_ip": ipv4, "cluster_ips": (ipv4,), "ip_families": ("IPv4",)},
                {"cluster_ip": ipv6, "cluster_ips": (ipv6,), "ip_families": ("IPv6",)},
                {"cluster_ip": ipv4, "cluster_ips": (ipv4,), "ip_families": ("IPv4", "IPv6")},
                {"cluster_ip": ipv4},
                {"cluster_ip": ipv6},
                {"cluster_ip": "None"},
                {"cluster_ip": ""},
            ]
        )
    )


@st.composite
def services(draw: st.DrawFn, keys: st.SearchStrategy[ServiceKey] = service_keys) -> Service:
    """A Service as the API server would let it pass, and a little beyond."""
    fields: dict[str, Any] = draw(_addressing())
    return Service(
        key=draw(keys),
        type=draw(st.sampled_from([*ServiceType, ServiceType.NODE_PORT, ServiceType.LOAD_BALANCER])),
        ports=draw(_few(port_specs, unique_by=lambda spec: (spec.name, spec.protocol))),
        external_ips=draw(_few(st.sampled_from(EXTERNAL_IPS).map(ip))),
        load_balancer_ips=draw(_few(st.sampled_from(EXTERNAL_IPS).map(ip))),
        source_ranges=draw(_few(st.sampled_from(RANGES).map(cidr), most=2)),
        affinity_seconds=draw(st.sampled_from([None, None, 1, 10800])),
        external_traffic_local=draw(flags),
        internal_traffic_local=draw(flags),
        health_check_node_port=draw(st.sampled_from([0, 31000])),
        has_foreign_proxy=draw(st.integers(0, 9)) == 0,
        **fields,
    )


_some_zones, _some_nodes = _few(st.sampled_from(ZONES), most=2), _few(st.sampled_from(NODE_NAMES[:2]), most=2)


def slice_endpoints(
    family: Family,
    *,
    likely: st.SearchStrategy[bool] = flags,
    zones: st.SearchStrategy[tuple[str, ...]] = _some_zones,
    nodes: st.SearchStrategy[tuple[str, ...]] = _some_nodes,
) -> st.SearchStrategy[SliceEndpoint]:
    """An endpoint; `likely` tells whether it is ready, and whether it serves."""
    base = "10.0.{}.{}" if family is Family.IPV4 else "fd00:10::a{}:{}"
    return st.builds(
        SliceEndpoint,
        address=st.builds(base.format, st.integers(0, 1), st.integers(1, 12)),
        node_name=st.sampled_from(NODE_NAMES),
        ready=likely,
        serving=likely,
        terminating=flags,
        zones=zones,
        nodes=nodes,
    )


slice_ports = st.builds(
    SlicePort, name=st.sampled_from(PORT_NAMES), protocol=protocols, port=st.sampled_from([80, 8080])
)


@st.composite
def endpoint_slices(draw: st.DrawFn) -> EndpointSlice:
    """A slice; its name does not tell its Service, so that one may change hands."""
    family = draw(st.sampled_from(Family))
    owner = draw(service_keys)
    return EndpointSlice(
        key=SliceKey(owner.namespace, draw(st.sampled_from(["s1", "s2", "s3", "s4"]))),
        service=owner,
        family=family,
        ports=draw(_few(slice_ports)),
        endpoints=draw(_few(slice_endpoints(family), most=5)),
        is_headless=draw(st.integers(0, 9)) == 0,
    )


nodes = st.builds(Node, name=st.sampled_from(NODE_NAMES[:2]), zone=st.sampled_from(["", *ZONES]))
objects: st.SearchStrategy[Object] = st.one_of(services(), endpoint_slices(), nodes)
clusters = st.lists(st.one_of(services(), endpoint_slices()), max_size=10)

# An event puts an object, or removes the one that is called like it.
Event = tuple[bool, Object]
events = st.tuples(st.integers(0, 3).map(bool), objects)


def name_of(event: Event) -> ObjectId:
    """The object that an event is about."""
    return identify(event[1])


@st.composite
def rule_options(
    draw: st.DrawFn,
    dispatch: st.SearchStrategy[Dispatch] | None = None,
    reject_unused: st.SearchStrategy[RejectUnused] = st.sampled_from(RejectUnused),  # noqa: B008  a value
    families: st.SearchStrategy[Family] = st.sampled_from(Family),  # noqa: B008  a value
) -> RuleOptions:
    """Settings of one node and family, consistent as `daemon.settings` makes them."""
    family = draw(families)
    layouts = st.sampled_from(Dispatch) if dispatch is None else dispatch
    is_localhost_open = family is Family.IPV4 and draw(flags)
    local = ("127.0.0.1", NODE_IPS[family]) if is_localhost_open else (NODE_IPS[family],)
    return RuleOptions(
        family=family,
        node_name="n1",
        zone=draw(st.sampled_from(["", *ZONES])),
        node_ip=draw(st.sampled_from([None, ip(NODE_IPS[family])])),
        masquerade_bit=draw(st.sampled_from([0, 14, 31])),
        masquerade_all=draw(flags),
        pod_traffic=draw(st.sampled_from([None, PodTraffic(source=POD_CIDRS[family]), PodTraffic(interface="veth+")])),
        node_port_addresses=draw(st.sampled_from([None, (), local])),
        localhost_node_ports=is_localhost_open,
        counts_localhost=is_localhost_open and draw(flags),
        external_ips=draw(flags),
        conntrack_tcp_liberal=draw(flags),
        random_fully=draw(flags),
        dispatch=draw(layouts),
        reject_unused=draw(reject_unused),
    )
