"""Asking `trace` about examples/, as seen from one of their nodes, or about a dump."""

from pathlib import Path

from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
POD, STRANGER = "10.244.0.99", "198.51.100.7"


def trace(client: str, target: str, *arguments: str, env: dict[str, str] | None = None, color: bool = False) -> Result:
    """`pykubeproxy trace --from client --to target` with further arguments."""
    words = ["trace", "--from", client, "--to", target, *arguments]
    return CliRunner().invoke(main, words, env=env, color=color)


def example(client: str, target: str, *arguments: str, node: str = "node-a", color: bool = False) -> Result:
    """The same with the objects of examples/."""
    flags = ("-f", str(EXAMPLES), "--hostname-override", node, "--cluster-cidr", "10.244.0.0/16,fd00:10:244::/56")
    return trace(client, target, *flags, *arguments, color=color)


def endings(result: Result) -> list[str]:
    """The lines that say how it ends, which are those before the way; without the names of pods and nodes."""
    return [line.partition("  # ")[0] for line in result.stdout.split("\n\n")[1].splitlines()]
