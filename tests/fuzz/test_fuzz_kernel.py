"""Random clusters in a real kernel: each rule is taken, printed back as it was written, and needs no change after."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin, render
from tests.builders import snapshot
from tests.clusters import mixed_clusters
from tests.kernel.machine import KINDS, Kind, Machine, machine, why_no_machine, why_without
from tests.strategies import rule_options

# A cluster in the kernel takes as long as ten others. The first example is always one of nothing.
IN_KERNEL = settings(max_examples=max(settings().max_examples // 10, 4))


@pytest.fixture(name="node", scope="module")
def fixture_node() -> Iterator[Machine]:
    if lack := why_no_machine():
        pytest.skip(lack)
    with machine() as node:
        yield node


def text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def check(written: Ruleset, live: Ruleset) -> None:
    """Every chain reads back as it was written, there are no others, and there is nothing left to do."""
    assert chains(live) == chains(written)
    assert diff(written, live).is_empty


def chains(ruleset: Ruleset) -> dict[ChainId, Lines]:
    return {
        (name, chain): lines
        for name, table in ruleset.tables.items()
        for chain, lines in table.chains.items()
        if lines or not is_builtin(name, chain)
    }


@pytest.mark.parametrize("kind", KINDS, ids=str)
@IN_KERNEL
@given(data=st.data())
def test_kernel(node: Machine, kind: Kind, data: st.DataObject) -> None:
    if lack := why_without(kind):
        pytest.skip(lack)
    # A rule that counts needs a counter, which is the machine's.
    its = replace(data.draw(rule_options(families=st.just(kind.family))), counts_localhost=False)
    old, new = (compile_ruleset(snapshot(*data.draw(mixed_clusters(kind.family))), its) for _ in range(2))
    node.clear(kind)
    node.load(kind, text(render(old)))
    check(old, node.rules(kind))
    node.load(kind, text(Payload(*sections(diff(new, node.rules(kind)), 10))), "--counters")
    check(new, node.rules(kind))
