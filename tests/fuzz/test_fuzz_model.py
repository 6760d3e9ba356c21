"""The fuzzer's model of what Services promise holds for the rules that kube-proxy was measured to write."""

from functools import cache
from typing import Any

import pytest
import yaml

from fuzz.meaning import check_meaning
from fuzz.states import State
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.parse import parse
from tests.corpus import GOLDEN, MORE_GOLDEN, Example, examples

KINDS = ("Node", "Service", "EndpointSlice")
# Each number draws other packets.
NUMBERS = range(5)


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("example", examples(GOLDEN, MORE_GOLDEN), ids=str)
def test_it_agrees_with_what_was_measured(example: Example, family: Family) -> None:
    measured = parse(example.saved(family.lower()).splitlines())
    asked = sum(check_meaning(state(example, number), family, measured) for number in NUMBERS)
    is_served = any("KUBE-SEP" in line for line in example.saved(family.lower()).splitlines())
    assert asked or not is_served


def state(example: Example, number: int) -> State:
    """An example as the fuzzer has its states."""
    return State(
        number=number, flags=example.flags, objects=tuple(objects(example)), history=(), has_small_limits=False
    )


@cache
def objects(example: Example) -> list[dict[str, Any]]:
    """The objects of an example that have to do with Services."""
    documents = yaml.safe_load_all(example.folder.joinpath("objects.yaml").read_text())
    each = [item for document in documents if document for item in document.get("items", [document])]
    return [obj for obj in each if obj["kind"] in KINDS]
