"""Each kind of value that `trace` or `diff` finds has words of its own, and stands in the documentation of the JSON."""

from collections.abc import Callable
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from pykubeproxy.explain import service_causes
from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.chain_diff import OrderProblem
from pykubeproxy.explain.change_words import change_text, change_texts, order_text
from pykubeproxy.explain.changes import OnlyOrderDiffers, RefusalBegan, ServiceChange, TrafficKind
from pykubeproxy.explain.event_words import event_text, question_text, routing_failure_text
from pykubeproxy.explain.finding_words import absence_text, finding_text
from pykubeproxy.explain.findings import Absence, Finding
from pykubeproxy.netfilter.causes import Cause
from pykubeproxy.netfilter.events import Event
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.routing import RoutingFailure
from pykubeproxy.rules.routing import Refusal
from tests.documented import assert_documented, leaves

WORDS: dict[Any, Callable[[Any], str]] = {
    Absence: absence_text,
    Cause: cause_text,
    Event: event_text,
    Finding: finding_text,
    Question: question_text,
    ServiceChange: change_text,
    RoutingFailure: lambda why: routing_failure_text("10.0.0.1", why),
}
assert service_causes, "its kinds are below Cause"


def sample(wanted: Any) -> Any:
    """Some value of a type."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted in WORDS:
        return built(next(leaf for leaf in leaves(wanted) if "AllHold" not in leaf.__name__))
    if origin in (Union, UnionType):
        return sample(arguments[0])
    if origin is tuple:
        return (sample(arguments[0]),) if arguments[-1] is ... else tuple(map(sample, arguments))
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return next(iter(wanted))
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return built(wanted)
    return {str: "something", int: 7, float: 2.5, bool: True}[wanted]


def built(kind: type[Any]) -> Any:
    return kind(**{field.name: sample(field.type) for field in msgspec.structs.fields(kind)})


def name(base: Any) -> str:
    """A name for a kind of values; that of a union is the name of its first member."""
    return str(getattr(base, "__name__", None) or get_args(base)[0].__name__)


CASES = [(base, leaf) for base in WORDS for leaf in leaves(base)]


@pytest.mark.parametrize(("base", "leaf"), CASES, ids=name)
def test_it_has_words(base: Any, leaf: type[Any]) -> None:
    words = WORDS[base](built(leaf))
    assert words
    assert leaf.__name__ not in words, "a name of the program is not a word"


@pytest.mark.parametrize("base", WORDS, ids=name)
def test_no_two_kinds_share_their_words(base: Any) -> None:
    words = [WORDS[base](built(leaf)) for leaf in leaves(base)]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(("base", "leaf"), CASES, ids=name)
def test_it_is_documented(base: Any, leaf: type[Any]) -> None:
    assert_documented(leaf, "diff-json.md" if base is ServiceChange else "trace-json.md")


def test_every_problem_of_order_has_words() -> None:
    assert len({order_text(problem) for problem in OrderProblem}) == len(OrderProblem)


def test_what_two_changes_have_in_common_is_said_once() -> None:
    internal, external = (
        RefusalBegan(traffic, Refusal.NO_ENDPOINTS, has_lost_endpoints=True) for traffic in TrafficKind
    )
    other = RefusalBegan(TrafficKind.EXTERNAL, Refusal.NO_LOCAL_ENDPOINTS, has_lost_endpoints=True)
    assert list(change_texts([internal, external, OnlyOrderDiffers()])) == [
        "no endpoints any more: refused",
        "only the order of its rules differs",
    ]
    assert list(change_texts([internal])) == ["no endpoints any more: refused"]
    assert list(change_texts([internal, other])) == [
        "no endpoints any more: refused at the cluster IP",
        "no local endpoints any more: dropped without an answer from outside",
    ]
