"""The running daemon's memory, and what it does when there is nothing to do."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, Target, Unit
from bench.harness import Run
from bench.namespaces import namespace
from bench.program import FIRST_LOOK, Daemon, daemon
from bench.synthetic import Shape, write_manifest

PEAK = "peak memory (RSS)"
RESTING = "memory at rest (RSS)"
IDLE = "CPU when idle"

_LIMITS = {
    (10, "manifests"): Target(text="≤ 45 MB", limit=45.0),
    (10_000, "API"): Target(text="≤ 120 MB", limit=120.0),
}


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes with all backends."""
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder:
        source = Path(folder, "cluster.json")
        for size in run.choose((10, 1000), (10, 1000, 10_000)):
            shape = Shape(size, 5)
            write_manifest(source, shape)
            for backend in run.backends:
                run.say(f"{PEAK}: {backend}, {shape}, manifests")
                with namespace() as node, daemon(node, backend, ("--source", str(source))) as program:
                    yield from at_rest(run, program, shape, "manifests", backend)


def at_rest(run: Run, program: Daemon, shape: Shape, source: str, backend: str = "") -> Iterator[Figure]:
    """What a daemon has taken for its first sync, and takes when it has nothing to do after that."""
    program.wait_until_synced()
    if not run.is_quick:
        program.idle(FIRST_LOOK)
    idle = program.idle(run.choose(3.0, 15.0))
    spent = program.spent()
    limit = _LIMITS.get((shape.services, source))
    for measurement, unit, value, target in (
        (PEAK, Unit.MEGABYTES, spent.peak_megabytes, limit),
        (RESTING, Unit.MEGABYTES, spent.megabytes, None),
        (IDLE, Unit.CORES, idle, None),
    ):
        yield Figure(
            measurement=measurement,
            case=f"{shape}, {source}",
            backend=backend,
            services=shape.services,
            unit=unit,
            value=value,
            target=target,
        )
