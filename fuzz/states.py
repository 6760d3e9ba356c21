"""States: everything that a run of the fuzzer looks at, made from one number, so that each can be made again."""

from dataclasses import dataclass, replace
from random import Random

from hypothesis import strategies as st

from fuzz import hostile
from fuzz.proxy import ZONE, Client, Proxy
from fuzz.services import EXTERNAL, NODES, ZONES, endpoint_slice, maybe, service
from fuzz.shapes import SERVICE_NAME, Object

NODE = NODES[0]
PRIMARY = ("172.31.1.2", "fd00:31:1::2")
ADDRESSES = (*PRIMARY, EXTERNAL[4][-1], EXTERNAL[6][-1], "127.0.0.1", "::1")

_LOCAL_MODES = (
    ("--cluster-cidr=10.244.0.0/16,fd00:10:244::/56",),
    ("--cluster-cidr=10.244.3.9/16",),
    ("--cluster-cidr=fd00:10:244::/56",),
    (),
    ("--detect-local-mode=NodeCIDR",),
    ("--detect-local-mode=BridgeInterface", "--pod-bridge-interface=cni0"),
    ("--detect-local-mode=InterfaceNamePrefix", "--pod-interface-name-prefix=veth"),
)
_NODE_PORTS = (
    (),
    (),
    ("--nodeport-addresses=primary",),
    ("--nodeport-addresses=172.31.0.0/16",),
    ("--nodeport-addresses=172.31.7.0/24,fd00:31:7::/64,127.0.0.0/8",),
    ("--nodeport-addresses=0.0.0.0/0,fd00:31:1::/48",),
    ("--nodeport-addresses=203.0.113.0/24",),
    ("--nodeport-addresses=fd00::/8,::1/128",),
)


@dataclass(frozen=True)
class State:
    """A cluster and the proxy of one node in it.

    `history` are versions of the same objects from before, in no order. `has_small_limits`: trees, groups and the
    limit of large clusters are made so small that few objects reach them.
    """

    number: int
    flags: tuple[str, ...]
    objects: tuple[Object, ...]
    history: tuple[Object, ...]
    has_small_limits: bool

    @property
    def proxy(self) -> Proxy:
        """The proxy that the objects and flags amount to."""
        return Proxy(self.flags, NODE, ADDRESSES, PRIMARY, own_node(self.objects))


def own_node(objects: tuple[Object, ...]) -> Object | None:
    """The Node object of this node."""
    return next((obj for obj in objects if obj["kind"] == "Node" and obj["metadata"]["name"] == NODE), None)


def identity(obj: Object) -> tuple[str, str, str]:
    """What names an object: kind, namespace, name."""
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]


def make_state(number: int) -> State:
    """The state with this number; always the same."""
    random = Random(number)
    count = random.choice((1, 2, 3, 4, 5, 6, 8))
    services = [service(random, index) for index in range(count)]
    versions = services + [_again(random, each, index) for index, each in enumerate(services)]
    slices = [endpoint_slice(random, services) for _ in range(random.choice((1, 2, 3, 5, 8)) + count // 2)]
    if random.random() < 0.02:
        slices.append(_crowd(random, services))
    older = [endpoint_slice(random, services) for _ in range(random.choice((0, 2, 4)))]
    nodes = [_node(random, name) for name in NODES if random.random() < 0.8]
    objects = {identity(obj): obj for obj in (*services, *slices, *nodes)}
    older_nodes = [_node(random, NODE)] if random.random() < 0.3 and own_node(tuple(objects.values())) else []
    flags, has_small_limits = _flags(random), random.random() < 0.5
    moved = [_of_another(random, each, services) for each in slices if random.random() < 0.5]
    return State(
        number=number,
        flags=flags,
        objects=tuple(objects.values()),
        history=(*versions[count:], *older, *older_nodes, *moved),
        has_small_limits=has_small_limits,
    )


@st.composite
def states(draw: st.DrawFn) -> State:
    """A State, now and then without some of its objects; hypothesis makes failing ones smaller that way.

    It draws a number and no more: with each choice drawn on its own, a State takes a second to make instead of ten
    milliseconds.
    """
    state = make_state(draw(st.integers(0, 2**32)))
    return replace(state, objects=_some(draw, state.objects), history=_some(draw, state.history))


def _some(draw: st.DrawFn, objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """Most of them; none is the simplest choice."""
    kept = draw(st.lists(st.integers(0, 15), min_size=len(objects), max_size=len(objects)))
    return tuple(obj for obj, chance in zip(objects, kept, strict=True) if chance)


def clients(version: int) -> list[Client]:
    """Some of everything: pods here and elsewhere, the node itself, and machines outside."""
    here, there, outside, stranger = {
        4: ("10.244.0.99", "10.244.1.99", "203.0.113.9", "192.0.2.77"),
        6: ("fd00:10:244::99", "fd00:10:244:1::99", "2001:db8:113::9", "2001:db8:2::77"),
    }[version]
    # The second of them is a load balancer's now and then.
    own = [text for text in ADDRESSES if (":" in text) == (version == 6) and text not in ("127.0.0.1", "::1")]
    return [
        Client(here, "cni0"),
        Client(here, "veth0123"),
        Client(there, "eth0"),
        Client(outside, "eth0"),
        Client(stranger, "eth0"),
        *(Client(text, None) for text in own),
    ]


def _again(random: Random, former: Object, number: int) -> Object:
    """Another version of a Service: quite different, or with a change somewhere."""
    other = service(random, number if random.random() < 0.7 else number + 50)
    metadata = other["metadata"] | {key: former["metadata"][key] for key in ("name", "namespace")}
    return other | {"metadata": metadata}


def _of_another(random: Random, former: Object, services: list[Object]) -> Object:
    """The same slice when it belonged to another Service."""
    labels = {SERVICE_NAME: random.choice(services)["metadata"]["name"]}
    return former | {"metadata": former["metadata"] | {"labels": labels}}


def _crowd(random: Random, services: list[Object]) -> Object:
    """A slice with more endpoints than a large cluster has, or than are chosen from one by one."""
    obj = endpoint_slice(random, services)
    number = random.choice((130, 300, 1001))
    is_wide = obj["addressType"] == "IPv6"
    texts = (
        f"fd00:10:244:2::{index:x}" if is_wide else f"10.244.{8 + index // 200}.{index % 200 + 1}"
        for index in range(1, number)
    )
    return obj | {"endpoints": [{"addresses": [text], "conditions": {"ready": True}} for text in texts]}


def _node(random: Random, name: str) -> Object:
    labels = maybe(random, 0.8, {ZONE: random.choice((*ZONES, *ZONES, ""))}) | maybe(random, 0.1, {"x": hostile.LONG})
    if random.random() < 0.02:
        labels[ZONE] = random.choice(hostile.NAMES)
    status = {"addresses": [{"type": "InternalIP", "address": text} for text in PRIMARY if random.random() < 0.9]}
    spec = maybe(random, 0.8, {"podCIDRs": ["10.244.0.0/24", "fd00:10:244::/64"][: random.choice((1, 2, 2))]})
    spec |= maybe(random, 0.1, {"podCIDR": "10.244.0.0/24"})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": status if random.random() < 0.9 else None,
    }


def _flags(random: Random) -> tuple[str, ...]:
    words: list[str] = [*random.choice(_LOCAL_MODES), *random.choice(_NODE_PORTS)]
    if random.random() < 0.2:
        words.append("--masquerade-all")
    if random.random() < 0.3:
        words.append("--iptables-localhost-nodeports=false")
    if random.random() < 0.3:
        words.append(f"--iptables-masquerade-bit={random.choice((0, 15, 31))}")
    if random.random() < 0.1:
        words.append("--feature-gates=AllowServiceExternalIPs=false")
    return tuple(words)
