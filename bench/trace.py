"""`trace` and `diff` as their users run them: whole processes, on the dump of a large node and of a small one."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure, Target, timed
from bench.harness import Run, Sample, Timing, clocked
from bench.in_process import options
from bench.program import as_installed
from bench.synthetic import CLUSTER_CIDR, Shape, cluster_ip, objects, write_manifest
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import compile_ruleset, in_print_order
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render

LARGE, SMALL = Shape(13_600, 5), Shape(20, 3)
_ANSWER = Target(text="≤ 3 s", limit=3.0)
_SMALL_TRACE = Target(text="≤ 500 ms", limit=0.5)


def figures(run: Run) -> Iterator[Figure]:
    """Measure every question on both nodes."""
    run.say("trace and diff: dumps of a large node and of a small one")
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder:
        manifest, live = Path(folder, "objects.json"), Path(folder, "live.save")
        for shape in (LARGE, SMALL):
            write_manifest(manifest, shape)
            case = f"{write_dump(live, shape):,} rules"
            for question, command in questions(shape, manifest, live):
                samples = [ask(command) for _ in range(run.choose(1, 5) + 1)][1:]
                target = _SMALL_TRACE if shape == SMALL and question.startswith("trace") else _ANSWER
                title = f"{question}, whole process"
                yield timed(title, case, Timing(samples), services=shape.services, target=target)


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

    def run() -> None:
        argv = as_installed([sys.executable, "-m", "pykubeproxy", *command])
        status = subprocess.run(argv, capture_output=True, check=False).returncode
        # 0: the packet gets through, or nothing differs; 1: it does not, or something does.
        if status not in (0, 1):
            raise RuntimeError(f"{' '.join(argv)}: status {status}")

    return clocked(run)
