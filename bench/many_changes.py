"""A thousand changes at once, in the daemon's loop within the measuring process."""

from collections.abc import Iterator

from bench.figures import Figure, floor_of, timed
from bench.harness import Run, Sample, Timing, clocked, tool
from bench.in_process import real_host, restore_command, synced_loop
from bench.namespaces import run_in_fresh
from bench.synthetic import Shape, slices
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.host.backend import Backend

BURST = "burst of 1,000 changes, event to kernel"

_BURST = 1000


def figures(run: Run) -> Iterator[Figure]:
    """Measure all backends."""
    shape = Shape(run.choose(1000, 10_000), 5)
    for backend in run.backends:
        run.say(f"{BURST}: {backend}, {shape}")
        done, alone = run_in_fresh(burst, shape, backend, run.choose(3, 7))
        floor = floor_of("the same restore", alone)
        yield timed(BURST, str(shape), done, backend=backend, services=shape.services, floor=floor)


def burst(shape: Shape, backend: Backend, rounds: int) -> tuple[Timing, Timing]:
    """Samples of a thousand changes that come at once, and of their input given to the tool alone."""
    host = real_host(backend)
    loop = synced_loop(shape, host, backend)
    done: list[Sample] = []
    alone: list[Sample] = []
    for generation in range(1, rounds + 1):
        changes = [
            ObjectsChanged(ObjectChanges(put=tuple(slices(number % shape.services, shape, generation))))
            for number in range(_BURST)
        ]

        def take_and_sync(changes: list[ObjectsChanged] = changes) -> None:
            for change in changes:
                loop.take(change)
            loop.sync()

        done.append(clocked(take_and_sync))
        alone.append(tool(restore_command(backend), host.last_payload()))
    return Timing(done), Timing(alone)
