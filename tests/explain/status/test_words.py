"""Each kind of observation has words of its own, and advice if it is not well; and it stands in the documentation."""

from typing import Any

import pytest

from pykubeproxy.explain.status.node_state import NodeState
from pykubeproxy.explain.status.observations import Level, Observation, Topic
from pykubeproxy.explain.status.observations.of_kernel import NftablesLeft
from pykubeproxy.explain.status.observations.of_proxy import ApiAway, BothBackendsUsed
from pykubeproxy.explain.status.words import duration_text, words
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable
from tests.documented import DOCS, assert_documented, leaves, structs_in
from tests.explain.test_every_value_has_words import built

KINDS = leaves(Observation)
OBJECTS = sorted(set(structs_in(NodeState)), key=lambda kind: kind.__name__)
DOCUMENT = "status-json.md"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_has_words_and_advice_where_it_is_not_well(kind: type[Observation]) -> None:
    says, advice = words(built(kind))
    assert says
    assert bool(advice) == (kind.level is not Level.OK), advice


def test_no_two_kinds_share_their_words() -> None:
    said = [(kind.topic, words(built(kind)).says) for kind in KINDS]
    assert len(set(said)) == len(said)


def test_there_is_something_to_say_on_each_topic() -> None:
    assert {kind.topic for kind in KINDS} == set(Topic)


@pytest.mark.parametrize("kind", [*KINDS, *OBJECTS], ids=lambda kind: kind.__name__)
def test_it_is_documented(kind: type[Any]) -> None:
    assert_documented(kind, DOCUMENT)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_its_topic_and_level_are_documented(kind: type[Observation]) -> None:
    lines = (DOCS / DOCUMENT).read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| `{kind.__name__}` |"))
    assert f" | {kind.topic} | {kind.level} | " in row


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0 ms"),
        (0.012, "12 ms"),
        (0.9996, "1000 ms"),
        (1.4, "1 s"),
        (75, "1 min 15 s"),
        (3600, "1 h"),
        (11_520, "3 h 12 min"),
        (86_400 * 5 + 59, "5 d"),
    ],
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
