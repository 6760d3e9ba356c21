"""The fuzzer's command line: `python -m fuzz`, or `make fuzz`. Exits with 1 if anything was found."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from e2e.signals import termination_as_exit
from fuzz import peer
from fuzz.checks import CHECKS, kernel_check
from fuzz.kernel import open_kernel, why_no_kernel
from fuzz.running import Run, run

KERNEL, PEER = "kernel", "peer"


@click.command(epilog="Example: python -m fuzz --states 10000 --json build/fuzz.json")
@click.option("--states", default=200, show_default=True, help="How many states to check.")
@click.option("--seed", default=0, show_default=True, help="The number of the first one.")
@click.option("--only", multiple=True, type=click.Choice([*CHECKS, KERNEL, PEER]), help="Only this. Repeatable.")
@click.option("--kernel-every", default=25, show_default=True, help="Load every so manieth state into the kernel.")
@click.option("--peer-every", default=100, show_default=True, help="The same for kube-proxy, where there is one.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file.")
def main(  # noqa: PLR0913  one for each option
    *, states: int, seed: int, only: tuple[str, ...], kernel_every: int, peer_every: int, json_file: Path | None
) -> None:
    """Check random states, each made from its number; tell the number and a small example of what is found."""
    checks = {name: check for name, check in CHECKS.items() if not only or name in only}
    with ExitStack() as stack:
        stack.enter_context(termination_as_exit())
        if not only or KERNEL in only:
            lack = why_no_kernel()
            if lack is None:
                checks[KERNEL] = kernel_check(stack.enter_context(open_kernel()), 1 if only else kernel_every)
            else:
                click.echo(f"{KERNEL}: left out: {lack}", err=True)
        if not only or PEER in only:
            lack = peer.why_no_peer()
            if lack is None:
                checks[PEER] = stack.enter_context(peer.open_peer()).check_of(1 if only else peer_every)
            else:
                click.echo(f"{PEER}: left out: {lack}", err=True)
        done = run(checks, seed, states, lambda text: click.echo(text, err=True))
    click.echo(done.summary())
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(figures(done))))
    sys.exit(1 if done.failures else 0)


def figures(done: Run) -> dict[str, object]:
    """What a run has found, for a file."""
    return {
        "states": done.states,
        "first": done.first,
        "seconds": round(done.seconds, 1),
        "states_per_second": round(done.rate, 2),
        "seconds_by_check": {name: round(seconds, 1) for name, seconds in done.by_check.items()},
        "findings": [str(failure) for failure in done.failures],
        "processors": os.cpu_count(),
    }


if __name__ == "__main__":
    main()
