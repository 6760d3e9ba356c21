"""Commands as their users run them: `trace` and `diff` on the dump of a large node and of a small one, and small ones.

Beside them, in turns: the same dump read and parsed, and Python with the two packages that every command needs.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure, Target, at_most, floor_of, timed
from bench.harness import Run, Sample, Timing, clocked
from bench.in_process import options
from bench.namespaces import namespace, run_inside
from bench.program import as_installed
from bench.synthetic import CLUSTER_CIDR, Shape, cluster_ip, objects, write_manifest
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import compile_ruleset, in_print_order
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render

LARGE, SMALL = Shape(13_600, 5), Shape(20, 3)
START = "small commands, user and system time"

_ANSWER = Target(text="≤ 3 s", limit=3.0)
_PARSE = "import sys, pykubeproxy.rules.parse as p; p.parse(open(sys.argv[1]))"
_LEAST = ("-c", "import click, msgspec")


def figures(run: Run) -> Iterator[Figure]:
    """Measure every question on both nodes, and what a command takes that has little to do."""
    run.say("trace and diff: dumps of a large node and of a small one")
    rounds = run.choose(1, 5) + 1
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder, namespace() as node:
        manifest, live = Path(folder, "objects.json"), Path(folder, "live.save")
        for shape in (LARGE, SMALL):
            write_manifest(manifest, shape)
            case = f"{write_dump(live, shape):,} rules"
            for question, command in questions(shape, manifest, live):
                pairs = [(ask(command), python("-c", _PARSE, str(live))) for _ in range(rounds)][1:]
                parse = floor_of("reading and parsing the dump", Timing([pair[1] for pair in pairs]))
                timing = Timing([pair[0] for pair in pairs])
                target = at_most(2.0, parse) if question == "diff" and shape == LARGE else _ANSWER
                title = f"{question}, whole process"
                yield timed(title, case, timing, services=shape.services, floor=parse, target=target)
        yield from _small(node.name, dict(questions(SMALL, manifest, live))["trace by address"], 2 * rounds)


def _small(node: str, trace: Sequence[str], rounds: int) -> Iterator[Figure]:
    least: list[Sample] = []
    found: dict[str, list[Sample]] = {}
    for _ in range(rounds):
        least.append(_cpu(python(*_LEAST)))
        for name, command in (("version", ("version",)), ("--help", ("--help",)), ("trace", trace)):
            found.setdefault(name, []).append(_cpu(ask(command)))
        found.setdefault("status", []).append(_cpu(run_inside(node, ask, ("status",))))
    floor = floor_of("python -c 'import click, msgspec'", Timing(least[1:]))
    for name, samples in found.items():
        yield timed(START, name, Timing(samples[1:]), floor=floor, target=at_most(2.5, floor))


def _cpu(sample: Sample) -> Sample:
    return Sample(sample.cpu, sample.cpu)


def questions(shape: Shape, manifest: Path, live: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """What is asked: about the Service in the middle, by name and by address, and what differs."""
    number = shape.services // 2
    client = ("trace", "--from", "10.128.200.1", "--live", str(live))
    yield "trace by address", (*client, "--to", f"{cluster_ip(number)}:80")
    yield "trace by name", (*client, "--to", f"default/service-{number}:http")
    node = ("--hostname-override", "node-0", "--cluster-cidr", CLUSTER_CIDR, "--dispatch", "linear", "--family", "ipv4")
    yield "diff", ("diff", "-f", str(manifest), *node, "--live", str(live))


def write_dump(path: Path, shape: Shape) -> int:
    """The rules of a node in kube-proxy's layout, as iptables-save prints them; returns how many there are."""
    snapshot = Snapshot()
    for obj in objects(shape):
        snapshot.put(obj)
    ruleset = in_print_order(compile_ruleset(snapshot, options(Dispatch.LINEAR)))
    path.write_text("".join(f"{line}\n" for line in render(ruleset)))
    return sum(table.rule_count() for table in ruleset.tables.values())


def ask(command: Sequence[str]) -> Sample:
    """What one run of the program costs. Raises RuntimeError if it has no answer."""
    return python("-m", "pykubeproxy", *command)


def python(*arguments: str) -> Sample:
    """What one run of Python costs. Raises RuntimeError if it ends with an error."""
    argv = as_installed([sys.executable, *arguments])

    def run() -> None:
        done = subprocess.run(argv, capture_output=True, check=False)
        # 0: the packet gets through, or nothing differs; 1: it does not, or something does.
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.decode()[-500:]}")

    return clocked(run)
