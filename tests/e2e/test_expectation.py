"""The judge of a case, on plain values."""

import pytest

from e2e.asking import Fate, Outcome, Reply
from e2e.expectation import Answers, ClientSeen, Expectation, Fails, complaint, settled
from e2e.topology import Protocol

OWN = {"10.244.0.100"}
BOTH = Answers(pods=frozenset({"a", "b"}))
KEPT = Answers(pods=frozenset({"a"}), client=ClientSeen.OWN)
HIDDEN = Answers(pods=frozenset({"a"}), client=ClientSeen.MASQUERADED)
STICKY = Answers(pods=frozenset({"a", "b"}), sticky=True)
REFUSED = Fails(fate=Fate.REFUSED)


def answer(pod: str, client: str = "10.244.0.100") -> Outcome:
    reply = Reply(pod=pod, node="node-a", client=client, path="/", protocol=Protocol.TCP, port=8080)
    return Outcome(fate=Fate.ANSWERED, reply=reply)


def failure(fate: Fate, seconds: float = 0.0) -> Outcome:
    return Outcome(fate=fate, seconds=seconds)


@pytest.mark.parametrize(
    ("expect", "outcomes"),
    [
        (BOTH, [answer("a"), answer("a"), answer("b")]),
        (KEPT, [answer("a")]),
        (HIDDEN, [answer("a", "172.31.0.11")]),
        (STICKY, [answer("b"), answer("b")]),
        (REFUSED, [failure(Fate.REFUSED, 0.9)]),
        (Fails(fate=Fate.DROPPED), [failure(Fate.DROPPED, 9.0)]),
    ],
)
def test_what_was_expected_is_no_reason_to_complain(expect: Expectation, outcomes: list[Outcome]) -> None:
    assert complaint(expect, outcomes, OWN, refused_within=1.0) is None


@pytest.mark.parametrize(
    ("expect", "outcomes", "says"),
    [
        (BOTH, [answer("a"), answer("c")], "answered by c, not one of a, b"),
        (BOTH, [answer("a"), answer("a")], "b answered none of 2 questions"),
        (BOTH, [answer("a"), failure(Fate.DROPPED)], "dropped instead of answered"),
        (KEPT, [answer("a", "172.31.0.11")], "a saw 172.31.0.11 instead of the client's own address"),
        (HIDDEN, [answer("a")], "a saw the client's own address 10.244.0.100, which should be masqueraded"),
        (STICKY, [answer("a"), answer("b")], "answered by a, b, not always by the same pod"),
        (STICKY, [answer("c"), answer("c")], "answered by c, not one of a, b"),
        (REFUSED, [failure(Fate.DROPPED)], "dropped instead of refused"),
        (REFUSED, [answer("a")], "answered instead of refused"),
        (REFUSED, [failure(Fate.REFUSED, 1.2)], "refused after 1.2 s, not within 1 s"),
        (REFUSED, [], "nothing was asked"),
    ],
)
def test_anything_else_is(expect: Expectation, outcomes: list[Outcome], says: str) -> None:
    assert complaint(expect, outcomes, OWN, refused_within=1.0) == says


@pytest.mark.parametrize(
    ("expect", "outcomes", "end"),
    [
        (BOTH, [], False),
        (BOTH, [answer("a")], False),
        (BOTH, [answer("a"), answer("b")], True),
        (BOTH, [answer("a"), failure(Fate.DROPPED)], True),
        (BOTH, [answer("a")] * 5, True),
        (STICKY, [answer("a")] * 4, False),
        (STICKY, [answer("a")] * 5, True),
        (REFUSED, [failure(Fate.REFUSED)], True),
    ],
)
def test_questions_end_when_they_can_bring_nothing_new(
    expect: Expectation,
    outcomes: list[Outcome],
    end: bool,  # noqa: FBT001 - a row of the table above
) -> None:
    assert settled(expect, outcomes, attempts=5) is end
