"""`trace` and `diff` as their users run them: whole processes, on the dump of a large node and of a small one.

    python -m bench.trace                        # a table
    python -m bench.trace --json                 # for programs

Needs neither root nor iptables. `make bench` has the same figures.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.figures import Figure, Target, timed, written
from bench.harness import Sample, Timing, clocked
from bench.in_process import options
from bench.program import as_installed
from bench.runs import Run
from bench.synthetic import CLUSTER_CIDR, Shape, cluster_ip, objects, write_manifest
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import compile_ruleset, in_print_order
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render

LARGE, SMALL = Shape(13_600, 5), Shape(20, 3)
_ANSWER = Target(text="≤ 3 s", limit=3.0)
_SMALL_TRACE = Target(text="≤ 500 ms", limit=0.5)

# 0: the packet gets through, or nothing differs; 1: it does not, or something does.
_ANSWERS = (0, 1)


def figures(run: Run) -> Iterator[Figure]:
    """Measure with as many rounds as there is time for."""
    run.say("trace and diff: dumps of a large node and of a small one")
    yield from measured(1 if run.is_quick else 5)


def measured(rounds: int) -> Iterator[Figure]:
    """Measure every question on both nodes."""
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder:
        for shape, target in ((LARGE, _ANSWER), (SMALL, _SMALL_TRACE)):
            manifest, live = Path(folder, "objects.json"), Path(folder, "live.save")
            write_manifest(manifest, shape)
            count = write_dump(live, shape)
            for question, command in questions(shape, manifest, live):
                samples = [ask(command) for _ in range(rounds + 1)][1:]
                limit = target if shape == LARGE or question.startswith("trace") else _ANSWER
                yield timed(
                    f"{question}, whole process",
                    f"{count:,} rules",
                    Timing(tuple(samples)),
                    services=shape.services,
                    target=limit,
                )


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
    statuses: list[int] = []
    argv = as_installed([sys.executable, "-m", "pykubeproxy", *command])
    sample = clocked(lambda: statuses.append(subprocess.run(argv, capture_output=True, check=False).returncode))
    if statuses[0] not in _ANSWERS:
        raise RuntimeError(f"{' '.join(argv)}: status {statuses[0]}")
    return sample


def main() -> int:
    """Measure; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="Ask trace and diff about dumps.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found = list(measured(arguments.rounds))
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        for figure in found:
            print(_line(figure))
    return int(any(figure.is_reached is False for figure in found))


def _line(figure: Figure) -> str:
    verdict = {None: "", True: "reached", False: "MISSED"}[figure.is_reached]
    target = figure.target.text if figure.target is not None else ""
    cpu = f"(CPU {written(figure.cpu, figure.unit)})"
    value = written(figure.value, figure.unit)
    return f"{figure.measurement:18} {figure.case:16} {value:>10} {cpu:16} {target:>10} {verdict}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
