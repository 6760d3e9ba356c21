"""The first sync of a node that has no rules, and a restart on a node that has all of them.

Both are measured as users meet them, `pykubeproxy run --once`, from the start of the process to its end. Beside them,
in the same rounds: the same rules given to iptables-restore alone, in sections of several sizes of which the best
counts (nft) or in one COMMIT (legacy), and one iptables-save of both tables.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from bench.figures import Figure, Floor, Target, at_most, floor_of, timed
from bench.harness import Run, Sample, Timing, tool
from bench.in_process import options, restore_command
from bench.namespaces import namespace, run_inside
from bench.program import Ended, run_once
from bench.synthetic import Shape, objects, write_manifest
from pykubeproxy.host.backend import Backend, find_tools
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.ruleset import Ruleset

TITLE = "first sync, whole process"
SYNC = "first sync, the sync alone"
RESTART = "restart in sync, whole process"
READING = "restart in sync, the sync alone"
SINGLE = "first sync with --commit single"

_QUICK = (Shape(1000, 5),)
_FULL = (Shape(1000, 5), Shape(5000, 5), Shape(10_000, 5), Shape(1000, 50), Shape(100, 1000))
_TARGET_SHAPE = Shape(10_000, 5)
_SECTION_SIZES = (200, 300, 600)


class Round(Struct, frozen=True, kw_only=True):
    """One round: a first sync, a restart, one read, and the restore alone by size of sections (0: one COMMIT)."""

    first: Ended
    restart: Ended
    read: Sample
    alone: Mapping[int, Sample]


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes with all backends."""
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder:
        source = Path(folder, "cluster.json")
        for shape in run.choose(_QUICK, _FULL):
            write_manifest(source, shape)
            inputs = dict(_restore_inputs(shape))
            for backend in run.backends:
                run.say(f"{TITLE}: {backend}, {shape}")
                count = run.choose(2, 5 if shape == _TARGET_SHAPE else 3)
                yield from _figures_of(shape, backend, [_round(backend, source, inputs) for _ in range(count)])
            if shape == _QUICK[0] and Backend.NFT in run.backends:
                with namespace() as node:
                    ended = run_once(node.name, Backend.NFT, source, "--commit", "single")
                single = Timing([ended.process])
                yield timed(SINGLE, str(shape), single, backend=Backend.NFT, services=shape.services)


def _round(backend: Backend, source: Path, inputs: Mapping[int, bytes]) -> Round:
    with namespace() as node:
        first = run_once(node.name, backend, source)
        restart = run_once(node.name, backend, source)
        save = find_tools(Family.IPV4, backend).save
        read = run_inside(node.name, tool, ["sh", "-c", f"{save} | cat"])
    assert first.wrote
    assert not restart.wrote
    alone = {}
    for size, text in inputs.items():
        if (size == 0) == (backend is Backend.LEGACY):
            with namespace() as node:
                alone[size] = run_inside(node.name, tool, restore_command(backend), text)
    return Round(first=first, restart=restart, read=read, alone=alone)


def _restore_inputs(shape: Shape) -> Iterator[tuple[int, bytes]]:
    """The input that writes a whole cluster, by size of sections."""
    snapshot = Snapshot()
    for obj in objects(shape):
        snapshot.put(obj)
    plan = diff(compile_ruleset(snapshot, options()), Ruleset(tables={}))
    for size in (0, *_SECTION_SIZES):
        payload = Payload(*sections(plan, size)) if size else Payload(plan)
        yield size, "".join(f"{line}\n" for line in payload).encode()


def _figures_of(shape: Shape, backend: Backend, rounds: list[Round]) -> Iterator[Figure]:
    """Floors are the fastest way to give the rules to the tool, and one read."""
    timings = {size: Timing([its.alone[size] for its in rounds]) for size in rounds[0].alone}
    best = min(timings, key=lambda size: timings[size].median)
    alone = floor_of(f"sectioned restore ({best})" if best else "one restore", timings[best])
    writing = at_most(1.15 if backend is Backend.NFT else 1.25, alone, plus=1.2)
    read = floor_of("one iptables-save", Timing([its.read for its in rounds]))
    reading = Target(text="no write; ≤ one read + 1 s", limit=read.value + 1.0)
    for title, samples, floor, target in (
        (TITLE, [its.first.process for its in rounds], alone, writing),
        (SYNC, [Sample(its.first.sync_seconds) for its in rounds], _wall(alone), None),
        (RESTART, [its.restart.process for its in rounds], read, reading),
        (READING, [Sample(its.restart.sync_seconds) for its in rounds], _wall(read), None),
    ):
        yield timed(
            title,
            str(shape),
            Timing(samples),
            backend=backend,
            services=shape.services,
            floor=floor,
            target=target if shape == _TARGET_SHAPE else None,
        )


def _wall(floor: Floor) -> Floor:
    """The floor of a time that has no CPU time with it: the program tells only seconds of its syncs."""
    return Floor(what=floor.what, value=floor.value)
