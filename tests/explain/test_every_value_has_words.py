"""Each kind of value that `trace`, `diff` or `status` finds has words of its own, and is documented as JSON."""

from collections.abc import Callable
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from pykubeproxy.cli.diff_json import DiffDocument
from pykubeproxy.explain import service_causes
from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.chain_diff import OrderProblem
from pykubeproxy.explain.change_words import change_text, order_text
from pykubeproxy.explain.changes import ServiceChange
from pykubeproxy.explain.event_words import event_text, question_text, routing_failure_text
from pykubeproxy.explain.finding_words import absence_text, finding_text
from pykubeproxy.explain.findings import Absence, Finding
from pykubeproxy.explain.node_answer_words import no_answer_text
from pykubeproxy.explain.node_answers import NoAnswer, NodeStatus
from pykubeproxy.explain.service_view import ServiceView, UnequalServices
from pykubeproxy.explain.status.node_state import NodeState
from pykubeproxy.explain.status.observations import Level, Observation
from pykubeproxy.explain.status.observations.of_kernel import NftablesLeft
from pykubeproxy.explain.status.observations.of_proxy import ApiAway, BothBackendsUsed
from pykubeproxy.explain.status.words import duration_text, words
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.netfilter.causes import Cause
from pykubeproxy.netfilter.events import Event
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.routing import RoutingFailure
from tests.documented import DOCS, assert_documented, leaves, structs_in

WORDS: dict[Any, Callable[[Any], str]] = {
    Absence: absence_text,
    Cause: cause_text,
    Event: event_text,
    Finding: finding_text,
    NoAnswer: no_answer_text,
    Question: question_text,
    Observation: lambda observation: f"{observation.topic}: {words(observation).says}",
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
    said = WORDS[base](built(leaf))
    assert said
    assert leaf.__name__ not in said, "a name of the program is not a word"


@pytest.mark.parametrize("base", WORDS, ids=name)
def test_no_two_kinds_share_their_words(base: Any) -> None:
    said = [WORDS[base](built(leaf)) for leaf in leaves(base)]
    assert len(set(said)) == len(said)


PAGES = {ServiceChange: "diff-json.md", Observation: "status-json.md", NoAnswer: "kubectl-plugin.md"}
DOCUMENTS = {
    "diff-json.md": (DiffDocument,),
    "services-json.md": (ServiceView, UnequalServices),
    "status-json.md": (NodeState,),
    "kubectl-plugin.md": (NodeStatus,),
}
PLACES = {
    *((PAGES.get(base, "trace-json.md"), leaf) for base, leaf in CASES),
    *((page, kind) for page, documents in DOCUMENTS.items() for each in documents for kind in structs_in(each)),
}
# What objects add to a refusal is the same as in `trace`.
PLACES -= {(page, kind) for page, kind in PLACES if page == "services-json.md" and "findings" in kind.__module__}


@pytest.mark.parametrize(("page", "kind"), sorted(PLACES, key=str), ids=lambda value: getattr(value, "__name__", value))
def test_it_is_documented(page: str, kind: type[Any]) -> None:
    assert_documented(kind, page)


@pytest.mark.parametrize("kind", leaves(Observation), ids=name)
def test_an_observation_has_advice_where_it_is_not_well_and_its_topic_and_level_are_documented(
    kind: type[Observation],
) -> None:
    assert bool(words(built(kind)).advice) == (kind.level is not Level.OK)
    lines = (DOCS / "status-json.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| `{kind.__name__}` |"))
    assert f" | {kind.topic} | {kind.level} | " in row


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004, "0 ms"), (0.012, "12 ms"), (1.4, "1 s"), (3600, "1 h"), (11_520, "3 h 12 min")]
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_advice_works_while_a_proxy_runs() -> None:
    """Without --force, `cleanup` refuses to work beside a running proxy."""
    _, advice = words(BothBackendsUsed(family=Family.IPV4, wrong="legacy"))
    assert advice == "remove the idle ones: `pykubeproxy cleanup --backend legacy --force`"
    tables = (NftTable("ip", "kube-proxy", ()), NftTable("ip6", "kube-proxy", ()))
    _, advice = words(NftablesLeft(tables=tables))
    assert advice.startswith("`nft delete table ip kube-proxy; nft delete table ip6 kube-proxy`; ")


def test_what_others_have_said_cannot_drive_a_terminal() -> None:
    says, _ = words(ApiAway(server="\x1b[2J", seconds=1.0, error="one\ntwo"))
    assert says == r"API server \x1b[2J cannot be followed for 1 s: one\ntwo"


def test_every_problem_of_order_has_words_and_is_documented() -> None:
    assert [problem for problem in OrderProblem if f"`{problem}`" not in (DOCS / "diff-json.md").read_text()] == []
    assert len({order_text(problem) for problem in OrderProblem}) == len(OrderProblem)
