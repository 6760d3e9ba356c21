"""The daemon as it is deployed: it follows an API server, the test bed's own, in the node's namespace."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.api import api_server, change_at, changes_until_kernel
from bench.figures import Figure, Unit, timed
from bench.memory import PEAK, RESTING, limit
from bench.namespaces import namespace, run_inside
from bench.program import FIRST_LOOK, daemon
from bench.runs import Run
from bench.synthetic import Shape
from pykubeproxy.host.backend import Backend

IDLE = "CPU when idle"
STEADY = "CPU at 10 changes a second"
EVENT = "one change, API server to kernel"

_RATE = 10

# What a namespace of its own may not set; and one sync after the other, without a second's pause.
_UNMANAGED = ("--conntrack-max-per-core", "0", "--conntrack-min", "0", "--conntrack-tcp-timeout-established", "0s")
_AT_ONCE = ("--conntrack-tcp-timeout-close-wait", "0s", "--iptables-min-sync-period", "0s")


def figures(run: Run) -> Iterator[Figure]:
    """Measure with the nft tools, which announce each change; the others make no difference to what is measured."""
    shape = Shape(1000, 5) if run.is_quick else Shape(10_000, 5)
    if Backend.NFT not in run.backends:
        return
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as name, namespace() as node:
        run.say(f"following an API server: {shape}: fill it")
        folder = Path(name)
        with api_server(node, shape, folder) as kubeconfig:
            run.say(f"following an API server: {shape}: memory, idle, changes")
            arguments = ("--kubeconfig", str(kubeconfig), *_UNMANAGED)
            with daemon(node, Backend.NFT, (*arguments, *_AT_ONCE[:2])) as program:
                program.wait_until_synced()
                if not run.is_quick:
                    program.idle(FIRST_LOOK)
                idle = program.idle(3.0 if run.is_quick else 15.0)
                spent = program.spent()
                count = (5 if run.is_quick else 30) * _RATE
                seconds = run_inside(node.name, change_at, _RATE, folder, shape, range(1, count + 1))
                steady = (program.spent().cpu - spent.cpu) / seconds
            with daemon(node, Backend.NFT, (*arguments, *_AT_ONCE)) as program:
                program.wait_until_synced()
                generations = range(count + 1, count + (10 if run.is_quick else 40))
                latency = run_inside(node.name, changes_until_kernel, folder, shape, generations)
    case, size = f"{shape}, API", shape.services
    peak = Figure(
        measurement=PEAK, case=case, services=size, unit=Unit.MEGABYTES, value=spent.peak_megabytes, target=limit(shape)
    )
    yield peak
    yield Figure(measurement=RESTING, case=case, services=size, unit=Unit.MEGABYTES, value=spent.megabytes)
    yield Figure(measurement=IDLE, case=case, services=size, unit=Unit.CORES, value=idle)
    yield Figure(measurement=STEADY, case=case, backend=Backend.NFT, services=size, unit=Unit.CORES, value=steady)
    yield timed(EVENT, str(shape), latency, backend=Backend.NFT, services=size)
