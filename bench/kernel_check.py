"""What the kernel adds to every change with the nft tools: its walk through all rules that packets can reach.

One endpoint's chain is written again, with the very rules that it has. Once as it is; then with the jumps to our
chains taken out of PREROUTING, and out of OUTPUT as well, so that the kernel finds nothing to walk through; and at last
a rule that sends nowhere is added to a chain of its own, which asks for no walk. The input is alike: what
the times differ in is the kernel's own (`nft_table_validate` of Linux).
"""

from collections.abc import Iterator

from msgspec import Struct

from bench.figures import Figure, floor_of, timed
from bench.harness import Sample, Timing, tool
from bench.in_process import real_host, restore_command, synced_loop
from bench.namespaces import run_in_fresh
from bench.runs import Run
from bench.synthetic import Shape
from pykubeproxy.host.backend import Backend
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

TITLE = "one chain written again, by the tool alone"

_HOOKS = ("PREROUTING", "OUTPUT")


class Case(Struct, frozen=True):
    """What was done, and the samples of it."""

    title: str
    timing: Timing


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes; the legacy tools have no such walk."""
    if Backend.NFT not in run.backends:
        return
    for size in (1000, 5000) if run.is_quick else (1000, 10_000, 50_000):
        shape = Shape(size, 5)
        run.say(f"{TITLE}: {shape}")
        cases = run_in_fresh(measure, shape, 5 if run.is_quick else 15)
        floor = floor_of("no walk", cases[-1].timing)
        for case in cases:
            its = None if case is cases[-1] else floor
            title = f"{shape}, {case.title}"
            yield timed(TITLE, title, case.timing, backend=Backend.NFT, services=size, floor=its)


def measure(shape: Shape, rounds: int) -> list[Case]:
    """Each case in turn; in a process and a namespace of its own."""
    host = real_host(Backend.NFT)
    synced_loop(shape, host, Backend.NFT)
    live = host.save()
    again = _again(live)
    cases = [Case("reached from PREROUTING and OUTPUT", _samples(again, rounds))]
    for hook, title in zip(_HOOKS, ("reached from OUTPUT alone", "reached from nowhere"), strict=True):
        _restore(_unhook(live, hook))
        cases.append(Case(title, _samples(again, rounds)))
    _restore(_hook(live))
    nowhere = b"*nat\n:BENCH - [0:0]\n-A BENCH -d 192.0.2.77/32\nCOMMIT\n"
    return [*cases, Case("a rule that sends nowhere", _samples(nowhere, rounds))]


def _samples(text: bytes, rounds: int) -> Timing:
    _restore(text)
    return Timing(tuple(_restore(text) for _ in range(rounds)))


def _restore(text: bytes) -> Sample:
    return tool(restore_command(Backend.NFT), text)


def _again(live: Ruleset) -> bytes:
    """The chain in the middle of all endpoints', with its rules."""
    chains = [chain for chain in live.tables["nat"].chains if chain.startswith(names.ENDPOINT)]
    chain = chains[len(chains) // 2]
    return _text(f":{chain} - [0:0]", *live.tables["nat"].chains[chain])


def _unhook(live: Ruleset, hook: str) -> bytes:
    return _text(*(f"-D{rule[2:]}" for rule in live.tables["nat"].chains[hook]))


def _hook(live: Ruleset) -> bytes:
    return _text(*(rule for hook in _HOOKS for rule in live.tables["nat"].chains[hook]))


def _text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in ("*nat", *lines, "COMMIT")).encode()
