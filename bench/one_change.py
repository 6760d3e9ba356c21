"""One change, from the event to the kernel: a Service added, one endpoint of a Service replaced, a Service deleted.

The loop runs in the measuring process; a change is over when iptables-restore has returned. The floor is the same
input given to iptables-restore alone, right after.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct

from bench.figures import Figure, Floor, Target, Unit, at_most, floor_of, timed
from bench.harness import Run, Sample, Timing, clocked, tool
from bench.in_process import real_host, restore_command, synced_loop
from bench.namespaces import run_in_fresh
from bench.synthetic import Shape, in_short, service, slices
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.snapshot import identify

TITLE = "one change, event to kernel"
GROWTH = "growth of one change"


class Pair(Struct, frozen=True):
    """Samples of a change, and of its input given to the tool alone."""

    change: Timing
    alone: Timing


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes with all backends."""
    for backend in run.backends:
        found = {}
        for size in run.choose((1000, 5000), (1000, 10_000, 50_000)):
            run.say(f"{TITLE}: {backend}, {in_short(size)} Services")
            rounds = run.choose(7, 7 if backend is Backend.LEGACY and size > 10_000 else 25)
            found[size] = run_in_fresh(measure, Shape(size, 5), backend, rounds)
            yield from _of_size(found[size], backend, size)
        yield from _growth(found, backend)


def measure(shape: Shape, backend: Backend, rounds: int) -> dict[str, Pair]:
    """Samples by kind of change; in a process and a namespace of its own."""
    host = real_host(backend)
    loop = synced_loop(shape, host, backend)
    changes: dict[str, Callable[[int], ObjectChanges]] = {
        "Service added": lambda number: _added(shape, shape.services + number),
        "endpoint changed": lambda number: ObjectChanges(put=tuple(slices(number, shape, generation=number + 1))),
        "Service deleted": lambda number: _deleted(shape, shape.services + number),
    }
    samples: dict[str, tuple[list[Sample], list[Sample]]] = {kind: ([], []) for kind in changes}
    for number in range(-1, rounds):
        for kind, make in changes.items():
            loop.take(ObjectsChanged(make(number % shape.services)))
            done = clocked(loop.sync)
            alone = tool(restore_command(backend), host.last_payload())
            if number >= 0:  # the first one warms up
                samples[kind][0].append(done)
                samples[kind][1].append(alone)
    return {kind: Pair(Timing(done), Timing(alone)) for kind, (done, alone) in samples.items()}


def _added(shape: Shape, number: int) -> ObjectChanges:
    return ObjectChanges(put=(service(number, shape), *slices(number, shape)))


def _deleted(shape: Shape, number: int) -> ObjectChanges:
    return ObjectChanges(removed=tuple(identify(obj) for obj in _added(shape, number).put))


def _of_size(pairs: dict[str, Pair], backend: Backend, size: int) -> Iterator[Figure]:
    for kind, pair in pairs.items():
        floor = floor_of("minimal restore", pair.alone)
        limit = Target(text="≤ 50 ms", limit=0.05) if backend is Backend.NFT else at_most(1.15, floor)
        yield timed(
            TITLE,
            f"{in_short(size)} x 5, {kind}",
            pair.change,
            backend=backend,
            services=size,
            floor=floor,
            target=limit if size == 10_000 else None,
        )


def _growth(found: dict[int, dict[str, Pair]], backend: Backend) -> Iterator[Figure]:
    """How many times as long a change takes in the largest cluster as in the smallest, and so the tool alone."""
    small, large = min(found), max(found)
    for kind in found[small]:
        before, after = found[small][kind], found[large][kind]
        own = after.change.median / before.change.median
        tools = after.alone.median / before.alone.median
        floor = Floor(what="the tool's own growth", value=tools, cpu=after.alone.cpu / before.alone.cpu)
        target = Target(text="≤ 1.5 x", limit=1.5) if backend is Backend.NFT else at_most(1.15, floor)
        yield Figure(
            measurement=GROWTH,
            case=f"{in_short(small)} to {in_short(large)}, {kind}",
            backend=backend,
            services=large,
            unit=Unit.TIMES,
            value=own,
            cpu=after.change.cpu / before.change.cpu,
            floor=floor,
            target=target if large >= 50_000 else None,
        )
