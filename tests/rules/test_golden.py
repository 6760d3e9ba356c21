"""kube-proxy's own output, reproduced to the letter by `render --dispatch linear`."""

import subprocess
import sys

import pytest

from tests.corpus import (
    GOLDEN,
    GOLDEN_NODE,
    MORE_GOLDEN,
    Example,
    canonical,
    examples,
    host_addresses,
    rendered,
    sorted_dispatch,
)

NODE = host_addresses(GOLDEN_NODE)
EXAMPLES = examples(GOLDEN, MORE_GOLDEN)


def ordered(dump: str) -> str:
    """A dump as the corpus has it, which no longer tells the order in the chains that all Services share."""
    return canonical(sorted_dispatch(dump))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_render_equals_what_kube_proxy_left(example: Example, family: str) -> None:
    assert len(EXAMPLES) >= 54
    assert ordered(rendered(example, "--dispatch", "linear", *NODE)[family]) == canonical(example.saved(family))


def test_the_installed_command_prints_the_same() -> None:
    example = Example(GOLDEN / "dual-stack")
    command = [sys.executable, "-m", "pykubeproxy", "render", "-f", example.objects, "--dispatch", "linear"]
    printed = subprocess.run(
        [*command, *example.flags, *NODE, "--family", "ipv6"], check=True, capture_output=True, text=True
    ).stdout
    assert ordered(printed) == canonical(example.saved("ipv6"))
