"""What `render` prints, loaded into a kernel and read back, is what kube-proxy left in one."""

from collections.abc import Iterator

import pytest

from tests.corpus import GOLDEN, GOLDEN_NODE, Example, canonical, examples, host_addresses, rendered, sorted_dispatch
from tests.kernel.machine import Kind, Machine, machine, why_no_machine

CORPUS = examples(GOLDEN)


@pytest.fixture(name="node", scope="module")
def fixture_node() -> Iterator[Machine]:
    if lack := why_no_machine():
        pytest.skip(lack)
    with machine() as node:
        yield node


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) >= 54


@pytest.mark.parametrize("example", CORPUS, ids=str)
def test_rendered_rules_are_read_back_as_measured(node: Machine, kind: Kind, example: Example) -> None:
    documents = rendered(example, "--dispatch", "linear", *host_addresses(GOLDEN_NODE))
    node.clear(kind)
    node.load(kind, documents[kind.family.lower()])
    assert canonical(sorted_dispatch(node.dump(kind))) == canonical(example.saved(kind.family.lower()))
