"""Each kind of event, cause, question and finding has words of its own, and stands in the documentation of the JSON."""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from pykubeproxy.explain import service_causes
from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.event_words import event_text, question_text, routing_failure_text
from pykubeproxy.explain.finding_words import absence_text, finding_text
from pykubeproxy.explain.findings import Absence, Finding
from pykubeproxy.netfilter.causes import Cause
from pykubeproxy.netfilter.events import Event
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.routing import RoutingFailure

WORDS: dict[type[Any], Callable[[Any], str]] = {
    Absence: absence_text,
    Cause: cause_text,
    Event: event_text,
    Finding: finding_text,
    Question: question_text,
    RoutingFailure: lambda why: routing_failure_text("10.0.0.1", why),
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "trace-json.md"


def leaves(kind: type[Any]) -> list[type[Any]]:
    """All kinds of values below a base, wherever they are defined."""
    assert service_causes
    found = kind.__subclasses__()
    return sorted({*found, *(leaf for each in found for leaf in leaves(each))}, key=lambda each: each.__name__)


def sample(wanted: Any) -> Any:
    """Some value of a type."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return sample(arguments[0])
    if origin is tuple:
        return (sample(arguments[0]),) if arguments[-1] is ... else tuple(map(sample, arguments))
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return next(iter(wanted))
    if wanted in WORDS:
        return built(next(leaf for leaf in leaves(wanted) if "AllHold" not in leaf.__name__))
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return built(wanted)
    return {str: "something", int: 7, bool: True}[wanted]


def built(kind: type[Any]) -> Any:
    return kind(**{field.name: sample(field.type) for field in msgspec.structs.fields(kind)})


CASES = [(base, leaf) for base in WORDS for leaf in leaves(base)]


@pytest.mark.parametrize(("base", "leaf"), CASES, ids=lambda each: each.__name__)
def test_it_has_words(base: type[Any], leaf: type[Any]) -> None:
    words = WORDS[base](built(leaf))
    assert words
    assert leaf.__name__ not in words, "a name of the program is not a word"


@pytest.mark.parametrize("base", WORDS, ids=lambda each: each.__name__)
def test_no_two_kinds_share_their_words(base: type[Any]) -> None:
    words = [WORDS[base](built(leaf)) for leaf in leaves(base)]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(("base", "leaf"), CASES, ids=lambda each: each.__name__)
def test_it_is_documented(base: type[Any], leaf: type[Any]) -> None:
    row = next((line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| `{leaf.__name__}` |")), "")
    fields = msgspec.structs.fields(leaf)
    assert row, f"{base.__name__} {leaf.__name__} is not in {DOCUMENT.name}"
    assert all(f"`{field.encode_name}`" in row for field in fields), row
