"""The host in memory, on which other tests rely, takes and refuses what a kernel takes and refuses."""

import pytest

from pykubeproxy.host.errors import RestoreError
from pykubeproxy.rules.ruleset import Ruleset, is_builtin
from tests.kernel.node import Node
from tests.kernel.stand_ins import host_in
from tests.memory_host import MemoryHost

START = ["*nat", ":A - [0:0]", ":B - [0:0]", ":C - [0:0]", "-A A -j B", "-A OUTPUT -p tcp -j A", "COMMIT"]

INPUTS = {
    "create": [":D - [0:0]", "-A D -j A"],
    "empty by chain line": [":A - [0:0]"],
    "replace": [":A - [0:0]", "-A A -j C"],
    "insert first": ["-I OUTPUT 1 -j C"],
    "insert last": ["-I OUTPUT 2 -j C"],
    "insert too far": ["-I OUTPUT 3 -j C"],
    "delete rule": ["-D OUTPUT -p tcp -j A"],
    "delete missing rule": ["-D OUTPUT -p udp -j A"],
    "flush": ["-F A"],
    "delete chain": ["-X C"],
    "delete chain with rules": ["-X A"],
    "delete chain in use": ["-X B"],
    "delete chain no longer used": [":A - [0:0]", "-X B"],
    "delete chain whose user goes as well": [":A - [0:0]", ":B - [0:0]", "-D OUTPUT -p tcp -j A", "-X A", "-X B"],
    "delete missing chain": ["-X D"],
    "delete built-in chain": ["-X OUTPUT"],
    "append to missing chain": ["-A D -j A"],
    "jump to missing chain": ["-A C -j D"],
    "jump to chain that goes": ["-A OUTPUT -j C", "-X C"],
    "unknown command": ["-Y C"],
}


@pytest.mark.parametrize("body", INPUTS.values(), ids=INPUTS.keys())
def test_both_take_or_refuse_the_same(node4: Node, body: list[str]) -> None:
    real, imagined = host_in(node4.machine, node4.kind, node4.folder), MemoryHost()
    outcomes = []
    for host in (real, imagined):
        host.restore(START)
        try:
            host.restore(["*nat", *body, "COMMIT"])
        except RestoreError:
            outcomes.append("refused")
        else:
            outcomes.append("taken")
    assert outcomes[0] == outcomes[1]
    assert chains(imagined.save()) == chains(real.save())


def chains(rules: Ruleset) -> dict[tuple[str, str], tuple[str, ...]]:
    """All chains; built-in ones only if there is a rule in them, since the tools do not always have their table."""
    return {
        (table, chain): lines
        for table, content in rules.tables.items()
        for chain, lines in content.chains.items()
        if lines or not is_builtin(table, chain)
    }
