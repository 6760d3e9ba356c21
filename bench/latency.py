"""What a new connection waits for: connect() through the first, the middle and the last Service, and past all of them.

A client and a node are two network namespaces with a cable between them; the node is also the only endpoint, so that
nothing but its rules lies on the way. A TCP connection is set up within the call of connect(), by the kernel alone:
the listener is asked to accept only after each batch. All variants are measured in turns, a batch of each at a time.
"""

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from msgspec import Struct

from bench.figures import Figure, Floor, at_most
from bench.harness import Run, quantile
from bench.in_process import loop_for, proxy_for, real_host
from bench.namespaces import namespace, run_inside
from bench.synthetic import (
    FIRST_NODE_PORT,
    SERVICE_PORT,
    TARGET_PORT,
    Shape,
    cluster_ip,
    in_short,
    service,
    service_name,
    slices,
)
from e2e.netns import enter
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.host.backend import Backend
from pykubeproxy.rules.options import Dispatch

TITLE = "connect()"

NODE, CLIENT = "192.0.2.1", "192.0.2.2"
_PREFIX = 24
_MOST_NODE_PORTS = 2000
_BATCH, _COLD = 40, 4
# Closing sends a reset, so that no connection lingers and no port is kept back.
_ABORT = struct.pack("ii", 1, 0)


class Variant(Struct, frozen=True, kw_only=True):
    """A node to measure."""

    backend: Backend
    dispatch: Dispatch
    services: int

    @property
    def shape(self) -> Shape:
        """Its cluster; as many Services have node ports as there is room for, and no more than 2,000."""
        return Shape(self.services, 1, min(self.services, _MOST_NODE_PORTS))


class Way(Struct, frozen=True):
    """Where to connect to; from the client, or (`is_outgoing`) from the node to the client."""

    title: str
    address: str
    port: int
    is_outgoing: bool = False


class Bed(Struct, frozen=True, kw_only=True):
    """A variant's two namespaces, by name."""

    variant: Variant
    client: str
    node: str


Nanoseconds = list[int]


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes, layouts and backends in turns."""
    sizes = run.choose((10, 1000), (10, 1000, 10_000))
    variants = [
        Variant(backend=backend, dispatch=dispatch, services=size)
        for backend in run.backends
        for dispatch in (Dispatch.TREE, Dispatch.LINEAR)
        for size in sizes
    ]
    with ExitStack() as stack:
        beds = []
        for variant in variants:
            run.say(f"connect(): {variant.backend}, {variant.dispatch}, {in_short(variant.services)} Services: set up")
            beds.append(_bed(stack, variant))
        run.say(f"connect(): {len(beds)} variants in turns")
        samples = run_inside(beds[0].client, measure, beds, run.choose(12, 60))
    small: dict[str, Nanoseconds] = {}
    for variant, its in zip(variants, samples, strict=True):
        small = its if variant.services == sizes[0] else small
        for title, measured in its.items():
            floor = Floor(what="10 Services", value=quantile(small[title], 0.5) / 1e9)
            is_held = variant.services == sizes[-1] and variant.dispatch is Dispatch.TREE
            yield Figure(
                measurement=TITLE,
                case=f"{variant.dispatch}, {in_short(variant.services)}, {title}",
                backend=variant.backend,
                services=variant.services,
                value=quantile(measured, 0.5) / 1e9,
                p99=quantile(measured, 0.99) / 1e9,
                floor=floor if its is not small else None,
                target=at_most(1.15, floor) if is_held else None,
            )


def ways(shape: Shape) -> tuple[Way, ...]:
    """First, middle and last in the order of rules that linear dispatch has, which is that of the Services' names."""
    addresses = [cluster_ip(number) for number in sorted(range(shape.services), key=_port_name)]
    ports = [FIRST_NODE_PORT + number for number in sorted(range(shape.node_ports), key=_port_name)]
    return (
        Way("first Service", addresses[0], SERVICE_PORT),
        Way("middle Service", addresses[len(addresses) // 2], SERVICE_PORT),
        Way("last Service", addresses[-1], SERVICE_PORT),
        Way("first node port", NODE, ports[0]),
        Way("last node port", NODE, ports[-1]),
        Way("no Service, to the node", NODE, TARGET_PORT),
        Way("no Service, from the node", CLIENT, TARGET_PORT, is_outgoing=True),
    )


def _port_name(number: int) -> str:
    return f"{service_name(number)}:http"


def _bed(stack: ExitStack, variant: Variant) -> Bed:
    client, node = (stack.enter_context(namespace(label)) for label in ("client", "node"))
    node.ip([f"link add eth0 type veth peer name eth0 netns {client.name}"])
    for end, address in ((client, CLIENT), (node, NODE)):
        end.ip([f"addr add {address}/{_PREFIX} dev eth0", "link set eth0 up"])
    client.ip([f"route add default via {NODE}"])
    run_inside(node.name, _write_rules, variant)
    return Bed(variant=variant, client=client.name, node=node.name)


def _write_rules(variant: Variant) -> None:
    loop = loop_for(proxy_for(real_host(variant.backend), variant.backend, variant.dispatch))
    for number in range(variant.services):
        endpoints = slices(number, variant.shape, address=NODE)
        loop.take(ObjectsChanged(ObjectChanges(put=(service(number, variant.shape), *endpoints))))
    assert loop.sync(), "the first sync failed"


def measure(beds: Sequence[Bed], rounds: int) -> list[dict[str, Nanoseconds]]:
    """Nanoseconds that connect() took, by variant and way; in a process of its own, which enters all namespaces."""
    listeners = [{way.is_outgoing: _listener(bed, way) for way in ways(bed.variant.shape)} for bed in beds]
    taken: list[dict[str, Nanoseconds]] = [{} for _ in beds]
    for _ in range(rounds):
        for bed, listening, its in zip(beds, listeners, taken, strict=True):
            for way in ways(bed.variant.shape):
                enter(bed.node if way.is_outgoing else bed.client)
                its.setdefault(way.title, []).extend(_batch(way, listening[way.is_outgoing])[_COLD:])
    return taken


def _listener(bed: Bed, way: Way) -> socket.socket:
    enter(bed.client if way.is_outgoing else bed.node)
    listener = socket.create_server(("", TARGET_PORT), backlog=2 * _BATCH, reuse_port=True)
    listener.setblocking(False)
    return listener


def _batch(way: Way, listener: socket.socket) -> Nanoseconds:
    """Connect a number of times, in the namespace that the thread is in, and then take the connections down."""
    where = (way.address, way.port)
    clock = time.perf_counter_ns
    taken = []
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(_BATCH)]
    for each in sockets:
        begun = clock()
        each.connect(where)
        taken.append(clock() - begun)
    for _ in sockets:
        listener.accept()[0].close()
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        each.close()
    return taken
