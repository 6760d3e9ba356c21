"""The running daemon's memory, and what it does when there is nothing to do."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, Target, Unit
from bench.namespaces import namespace
from bench.program import FIRST_LOOK, daemon
from bench.runs import Run
from bench.synthetic import Shape, write_manifest
from pykubeproxy.host.backend import Backend

PEAK = "peak memory (RSS)"
RESTING = "memory at rest (RSS)"
IDLE = "CPU when idle"

_LIMIT = Target(text="≤ 150 MB", limit=150.0)
_TARGET_SHAPE = Shape(10_000, 5)


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes with all backends."""
    shapes = (Shape(10, 5), Shape(1000, 5)) if run.is_quick else (Shape(10, 5), Shape(1000, 5), _TARGET_SHAPE)
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder:
        source = Path(folder, "cluster.json")
        for shape in shapes:
            write_manifest(source, shape)
            for backend in run.backends:
                run.say(f"{PEAK}: {backend}, {shape}, manifests")
                yield from _figures_of(run, shape, backend, source)


def _figures_of(run: Run, shape: Shape, backend: Backend, source: Path) -> Iterator[Figure]:
    with namespace() as node, daemon(node, backend, ("--source", str(source))) as program:
        program.wait_until_synced()
        if not run.is_quick:
            program.idle(FIRST_LOOK)
        idle = program.idle(3.0 if run.is_quick else 15.0)
        spent = program.spent()
    case = f"{shape}, manifests"
    for measurement, value, its in ((PEAK, spent.peak_megabytes, limit(shape)), (RESTING, spent.megabytes, None)):
        yield Figure(
            measurement=measurement,
            case=case,
            backend=backend,
            services=shape.services,
            unit=Unit.MEGABYTES,
            value=value,
            target=its,
        )
    yield Figure(measurement=IDLE, case=case, backend=backend, services=shape.services, unit=Unit.CORES, value=idle)


def limit(shape: Shape) -> Target | None:
    """What the peak must not exceed, for the cluster that a limit is set for."""
    return _LIMIT if shape == _TARGET_SHAPE else None
