"""Many changes: a thousand at once, and ten a second for a while.

The loop runs in the measuring process, as it does in the daemon: its own thread, fed by another, with kube-proxy's
intervals (at most one sync a second).
"""

import threading
import time
from collections.abc import Iterable, Iterator
from queue import SimpleQueue

from bench.figures import Figure, Unit, floor_of, timed
from bench.harness import Sample, Timing, clocked, cpu_seconds, tool
from bench.in_process import real_host, restore_command, synced_loop
from bench.namespaces import run_in_fresh
from bench.runs import Run
from bench.synthetic import Shape, slices
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import Message, ObjectsChanged
from pykubeproxy.host.backend import Backend

BURST = "burst of 1,000 changes, event to kernel"
STEADY = "CPU at 10 changes a second, in process"

_BURST = 1000
_RATE = 10


def figures(run: Run) -> Iterator[Figure]:
    """Measure all backends."""
    shape = Shape(1000, 5) if run.is_quick else Shape(10_000, 5)
    for backend in run.backends:
        run.say(f"{BURST}: {backend}, {shape}")
        done, alone = run_in_fresh(burst, shape, backend, 3 if run.is_quick else 7)
        floor = floor_of("the same restore", alone)
        yield timed(BURST, str(shape), done, backend=backend, services=shape.services, floor=floor)
        run.say(f"{STEADY}: {backend}, {shape}")
        yield Figure(
            measurement=STEADY,
            case=str(shape),
            backend=backend,
            services=shape.services,
            unit=Unit.CORES,
            value=run_in_fresh(steady, shape, backend, 5.0 if run.is_quick else 20.0),
        )


def burst(shape: Shape, backend: Backend, rounds: int) -> tuple[Timing, Timing]:
    """Samples of a thousand changes that come at once, and of their input given to the tool alone."""
    host = real_host(backend)
    loop = synced_loop(shape, host, backend)
    command = restore_command(backend)
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
        alone.append(tool(command, host.last_payload()))
    return Timing(tuple(done)), Timing(tuple(alone))


def steady(shape: Shape, backend: Backend, seconds: float) -> float:
    """CPU seconds a second, children included, while ten endpoints a second change."""
    loop = synced_loop(shape, real_host(backend), backend)
    warm_up = 2 * _RATE
    count = warm_up + int(seconds * _RATE)
    changes = [ObjectsChanged(ObjectChanges(put=tuple(slices(number, shape, number + 1)))) for number in range(count)]
    threading.Thread(target=loop.run, daemon=True).start()
    _feed(loop.inbox, changes[:warm_up])
    before, begun = cpu_seconds(), time.monotonic()
    _feed(loop.inbox, changes[warm_up:])
    return (cpu_seconds() - before) / (time.monotonic() - begun)


def _feed(inbox: "SimpleQueue[Message]", changes: Iterable[ObjectsChanged]) -> None:
    for change in changes:
        inbox.put(change)
        time.sleep(1 / _RATE)
