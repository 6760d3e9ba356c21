"""The program's own work, without the tool: compiling a cluster from nothing, and one change in clusters of any size.

If any step of a change were in proportion to the cluster, it would show as a growth from 1,000 Services to 50,000.
"""

from collections.abc import Iterator

from bench.figures import Figure, Floor, Target, Unit, timed
from bench.harness import Run, Sample, Timing, clocked
from bench.in_process import NoHost, loop_for, options, proxy_for
from bench.namespaces import run_in_fresh
from bench.synthetic import Shape, in_short, objects, slices
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import Compiler

COMPILE = "compiling from nothing"
STEP = "one endpoint changed, without the tool"
GROWTH = "growth of that"

_WARM_UP = 10
# A prime number, so that one Service after the other is far from the one before.
_STRIDE = 7919


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes; the backend makes no difference here."""
    found = {}
    for size in run.choose((1000, 5000), (1000, 10_000, 50_000)):
        shape = Shape(size, 5)
        run.say(f"{COMPILE}, {STEP}: {shape}")
        compiled, found[size] = run_in_fresh(measure, shape, run.choose(100, 300))
        yield timed(COMPILE, str(shape), compiled, services=size)
        yield timed(STEP, str(shape), found[size], services=size)
    small, large = min(found), max(found)
    before, after = found[small], found[large]
    yield Figure(
        measurement=GROWTH,
        case=f"{in_short(small)} to {in_short(large)}",
        services=large,
        unit=Unit.TIMES,
        value=after.median / before.median,
        cpu=after.cpu / before.cpu,
        floor=Floor(what="none", value=1.0),
        target=Target(text="≤ 1.1 x", limit=1.1),
    )


def measure(shape: Shape, rounds: int) -> tuple[Timing, Timing]:
    """What compiling a whole cluster takes, and samples of changes of one Service after the other."""
    everything = tuple(objects(shape))
    snapshot = Snapshot()
    for obj in everything:
        snapshot.put(obj)
    compiled = clocked(lambda: Compiler(options()).update(snapshot, snapshot.services))
    loop = loop_for(proxy_for(NoHost(), Backend.NFT))
    loop.take(ObjectsChanged(ObjectChanges(put=everything)))
    loop.sync()
    samples = [_change(loop, shape, number) for number in range(rounds + _WARM_UP)]
    return Timing([compiled]), Timing(samples[_WARM_UP:])


def _change(loop: Loop, shape: Shape, number: int) -> Sample:
    """One endpoint of one Service replaced; Services in an order that has nothing to do with where they are kept."""
    service = number * _STRIDE % shape.services
    change = ObjectsChanged(ObjectChanges(put=tuple(slices(service, shape, generation=number + 1))))

    def take_and_sync() -> None:
        loop.take(change)
        loop.sync()

    return clocked(take_and_sync)
