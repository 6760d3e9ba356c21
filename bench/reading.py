"""Reading all live rules of a large node, and comparing them with what should be there: what a start by adoption needs.

The floor is iptables-save of both tables with nobody to understand what it prints.
"""

from collections.abc import Iterator

from bench.figures import Figure, floor_of, timed
from bench.harness import Sample, Timing, clocked, tool
from bench.in_process import real_host, synced_loop
from bench.namespaces import run_in_fresh
from bench.runs import Run
from bench.synthetic import Shape
from pykubeproxy.host.backend import Backend, find_tools
from pykubeproxy.model.ip import Family

TITLE = "reading and comparing all live rules"


def figures(run: Run) -> Iterator[Figure]:
    """Measure all backends."""
    shape = Shape(1000, 5) if run.is_quick else Shape(10_000, 5)
    for backend in run.backends:
        run.say(f"{TITLE}: {backend}, {shape}")
        lines, done, alone = run_in_fresh(measure, shape, backend, 3 if run.is_quick else 7)
        floor = floor_of("iptables-save alone", alone)
        case = f"{shape}: {lines:,} lines"
        yield timed(TITLE, case, done, backend=backend, services=shape.services, floor=floor)


def measure(shape: Shape, backend: Backend, rounds: int) -> tuple[int, Timing, Timing]:
    """The number of chains and rules, samples of reading and comparing, and samples of the tool alone."""
    host = real_host(backend)
    loop = synced_loop(shape, host, backend)
    command = ["sh", "-c", f"{find_tools(Family.IPV4, backend).save} | cat"]
    done: list[Sample] = []
    alone: list[Sample] = []
    for _ in range(rounds):
        done.append(clocked(loop.audit))
        alone.append(tool(command))
    live = host.save()
    lines = sum(len(table.chains) + table.rule_count() for table in live.tables.values())
    return lines, Timing(tuple(done)), Timing(tuple(alone))
