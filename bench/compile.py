"""From objects to rules, without a kernel: time, memory, and what one changed Service costs.

    python -m bench.compile                      # a table
    python -m bench.compile --json               # for programs
    python -m bench.compile --services 50000 --dispatch linear

Needs neither root nor iptables. Everything runs in a process that is started for it, so that memory is what it takes.
"""

import argparse
import multiprocessing
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.figures import Figure, Target, Unit, timed, written
from bench.harness import Sample, Timing, clocked
from bench.in_process import options
from bench.synthetic import Shape, objects, service, slices
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot, identify
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.options import Dispatch

COMPILE = "compiling from nothing"
RECOMPILE = "one endpoint changed"
REMOVE = "one Service removed"
ADD = "one Service added"
PEAK = "peak memory (RSS)"

_TARGET_SHAPE = Shape(10_000, 5)
_TARGETS = {
    COMPILE: Target(text="≤ 1.5 s", limit=1.5),
    **dict.fromkeys((RECOMPILE, REMOVE, ADD), Target(text="≤ 5 ms", limit=0.005)),
    PEAK: Target(text="≤ 150 MB", limit=150.0),
}

# A prime number, so that one Service after the other is far from the one before.
_STRIDE = 7919


class Measured(Struct, frozen=True, kw_only=True):
    """`times` by measurement; `idle_megabytes` is the process with the objects, before anything is compiled."""

    times: dict[str, Timing]
    idle_megabytes: float
    peak_megabytes: float


def figures(shape: Shape, dispatch: Dispatch, rounds: int) -> Iterator[Figure]:
    """Measure a cluster of one size."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        measured = process.submit(measure, shape, dispatch, rounds).result()
    targets = _TARGETS if shape == _TARGET_SHAPE else {}
    case = f"{shape}, {dispatch}"
    for name, timing in measured.times.items():
        yield timed(name, case, timing, services=shape.services, target=targets.get(name))
    for name, megabytes in ((PEAK, measured.peak_megabytes), ("objects alone (RSS)", measured.idle_megabytes)):
        yield Figure(
            measurement=name,
            case=case,
            services=shape.services,
            unit=Unit.MEGABYTES,
            value=megabytes,
            target=targets.get(name),
        )


def measure(shape: Shape, dispatch: Dispatch, rounds: int) -> Measured:
    """Compile a cluster a few times, the first one not counted; then change one Service after the other."""
    snapshot = Snapshot()
    for obj in objects(shape):
        snapshot.put(obj)
    idle = _megabytes("VmRSS")
    compiler = Compiler(options(dispatch))
    compiler.update(snapshot, snapshot.services)
    peak = _megabytes("VmHWM")
    whole = [clocked(lambda: Compiler(options(dispatch)).update(snapshot, snapshot.services)) for _ in range(rounds)]
    single: dict[str, list[Sample]] = {RECOMPILE: [], REMOVE: [], ADD: []}
    for number in range(20 * rounds):
        for name, sample in _change(compiler, snapshot, shape, number):
            single[name].append(sample)
    times = {name: Timing(tuple(samples[rounds:])) for name, samples in single.items()}
    return Measured(times={COMPILE: Timing(tuple(whole)), **times}, idle_megabytes=idle, peak_megabytes=peak)


def _change(compiler: Compiler, snapshot: Snapshot, shape: Shape, number: int) -> Iterator[tuple[str, Sample]]:
    """Another pod stands behind one Service, then the Service goes, then it is back: what each asks of the compiler."""
    index = number * _STRIDE % shape.services
    touched: set[ServiceKey] = set()
    for slice_ in slices(index, shape, generation=number + 1):
        touched |= snapshot.put(slice_)
    assert touched
    yield RECOMPILE, clocked(lambda: compiler.update(snapshot, touched))
    obj = service(index, shape)
    snapshot.remove(identify(obj))
    yield REMOVE, clocked(lambda: compiler.update(snapshot, [obj.key]))
    snapshot.put(obj)
    yield ADD, clocked(lambda: compiler.update(snapshot, [obj.key]))


def _megabytes(field: str) -> float:
    """A figure of this process, not of the one that it was forked from, as getrusage would tell."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description="Compile a synthetic cluster.")
    parser.add_argument("--services", type=int, default=_TARGET_SHAPE.services)
    parser.add_argument("--endpoints", type=int, default=_TARGET_SHAPE.endpoints, help="of each Service")
    parser.add_argument("--dispatch", type=Dispatch, choices=list(Dispatch), help="default: both")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    shape = Shape(arguments.services, arguments.endpoints)
    layouts = [arguments.dispatch] if arguments.dispatch else list(Dispatch)
    found = [figure for dispatch in layouts for figure in figures(shape, dispatch, arguments.rounds)]
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        for figure in found:
            print(_line(figure))


def _line(figure: Figure) -> str:
    verdict = {None: "", True: "reached", False: "MISSED"}[figure.is_reached]
    target = figure.target.text if figure.target is not None else ""
    value = written(figure.value, figure.unit)
    cpu = f"(CPU {written(figure.cpu, figure.unit)})" if figure.cpu is not None else ""
    return f"{figure.measurement:24} {figure.case:18} {value:>10} {cpu:16} {target:>10} {verdict}".rstrip()


if __name__ == "__main__":
    main()
