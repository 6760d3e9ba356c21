"""What the kernel adds to every change with the nft tools: its walk through all rules that packets can reach.

One endpoint's chain is written again, with the very rules that it has. Once as it is; then with the jumps to our
chains taken out of PREROUTING, and out of OUTPUT as well, so that the kernel finds nothing to walk through; and at last
a rule that sends nowhere is added to a chain of its own, which asks for no walk. The input is alike: what
the times differ in is the kernel's own (`nft_table_validate` of Linux).
"""

from collections.abc import Iterator

from bench.figures import Figure, floor_of, timed
from bench.harness import Run, Timing, tool
from bench.in_process import real_host, restore_command, synced_loop
from bench.namespaces import run_in_fresh
from bench.synthetic import Shape
from pykubeproxy.host.backend import Backend
from pykubeproxy.rules import names

TITLE = "one chain written again, by the tool alone"

_NO_WALK = "a rule that sends nowhere"


def figures(run: Run) -> Iterator[Figure]:
    """Measure all sizes; the legacy tools have no such walk."""
    for size in run.choose((1000, 5000), (1000, 10_000, 50_000)) if Backend.NFT in run.backends else ():
        shape = Shape(size, 5)
        run.say(f"{TITLE}: {shape}")
        timings = run_in_fresh(measure, shape, run.choose(5, 15))
        for title, timing in timings.items():
            floor = floor_of("no walk", timings[_NO_WALK]) if title != _NO_WALK else None
            yield timed(TITLE, f"{shape}, {title}", timing, backend=Backend.NFT, services=size, floor=floor)


def measure(shape: Shape, rounds: int) -> dict[str, Timing]:
    """Each case in turn; in a process and a namespace of its own."""
    host = real_host(Backend.NFT)
    synced_loop(shape, host, Backend.NFT)
    chains = host.save().tables["nat"].chains
    endpoints = [chain for chain in chains if chain.startswith(names.ENDPOINT)]
    middle = endpoints[len(endpoints) // 2]
    again = (f":{middle} - [0:0]", *chains[middle])
    found = {"reached from PREROUTING and OUTPUT": _samples(rounds, *again)}
    for hook, title in (("PREROUTING", "reached from OUTPUT alone"), ("OUTPUT", "reached from nowhere")):
        _samples(0, *(f"-D{rule[2:]}" for rule in chains[hook]))
        found[title] = _samples(rounds, *again)
    _samples(0, *chains["PREROUTING"], *chains["OUTPUT"])
    return found | {_NO_WALK: _samples(rounds, ":BENCH - [0:0]", "-A BENCH -d 192.0.2.77/32")}


def _samples(rounds: int, *lines: str) -> Timing:
    """Write these lines, and then as often as asked for with a clock at hand."""
    text = "".join(f"{line}\n" for line in ("*nat", *lines, "COMMIT")).encode()
    command = restore_command(Backend.NFT)
    return Timing([tool(command, text) for _ in range(rounds + 1)][1:])
