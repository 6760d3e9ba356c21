"""Matches on what conntrack knows, and on marks."""

from typing import Any

import pytest

from tests.netfilter.asking import ESTABLISHED, INVALID, NEW, RELATED, UNTRACKED, meet

DNATED: dict[str, Any] = {"destination": "10.244.1.7", "destination_port": 8080, "dnat": "10.244.1.7:8080"}
SNATED: dict[str, Any] = {"source": "10.0.0.1"}
LIBERAL = "RELATED,ESTABLISHED,DNAT"


@pytest.mark.parametrize(
    ("states", "packet_state", "changes", "expected"),
    [
        ("NEW", NEW, {}, True),
        ("NEW", ESTABLISHED, {}, False),
        ("RELATED,ESTABLISHED", ESTABLISHED, {}, True),
        ("RELATED,ESTABLISHED", RELATED, {}, True),
        ("RELATED,ESTABLISHED", NEW, {}, False),
        ("INVALID", INVALID, {}, True),
        ("INVALID", NEW, {}, False),
        ("UNTRACKED", UNTRACKED, {}, True),
        ("INVALID", UNTRACKED, {}, False),
        (LIBERAL, NEW, {}, False),
        (LIBERAL, NEW, DNATED, True),
        ("DNAT", NEW, DNATED, True),
        ("DNAT", NEW, {"dnat": "10.96.0.1:80"}, False),
        ("SNAT", NEW, DNATED, False),
        ("SNAT", NEW, SNATED, True),
        ("SNAT", UNTRACKED, SNATED, False),
    ],
)
@pytest.mark.parametrize("inverted", [False, True])
def test_connection_states(states: str, packet_state: Any, changes: Any, *, expected: bool, inverted: bool) -> None:
    match = f"-m conntrack {'! ' if inverted else ''}--ctstate {states}"
    assert meet(match, ctstate=packet_state, state=changes) is (expected != inverted)


def test_whether_an_old_connection_was_translated_is_not_known() -> None:
    assert meet("-m conntrack --ctstate DNAT", ctstate=ESTABLISHED) == "--ctstate DNAT"
    assert meet(f"-m conntrack --ctstate {LIBERAL}", ctstate=ESTABLISHED) is True
    assert meet("-m conntrack --ctstate SNAT", state={"source": None}) == "--ctstate SNAT"


def test_before_conntrack_everything_is_invalid() -> None:
    assert meet("-m conntrack --ctstate INVALID", state={"tracking": None}) is True
    assert meet("-m conntrack --ctstate NEW", state={"tracking": None}) is False


def test_the_state_match_is_the_same() -> None:
    assert meet("-m state --state NEW") is True
    assert meet("-m state ! --state NEW") is False
    assert meet("-m state --state RELATED,ESTABLISHED", ctstate=ESTABLISHED) is True


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--ctorigdst 10.96.0.0/16", True),
        ("! --ctorigdst 10.96.0.0/16", False),
        ("--ctorigsrc 10.244.0.9", True),
        ("--ctorigdstport 80", True),
        ("--ctorigdstport 8080", False),
        ("--ctorigsrcport 40000", True),
        ("--ctreplsrc 10.244.1.7", True),
        ("--ctreplsrcport 8080", True),
        ("--ctrepldst 10.244.0.9", True),
        ("--ctrepldstport 1:39999", False),
        ("--ctproto 6", True),
        ("--ctproto 17", False),
        ("--ctdir ORIGINAL", True),
        ("--ctdir REPLY", False),
        ("--ctstatus ASSURED", False),
        ("! --ctstatus ASSURED", True),
        ("--ctstate NEW,DNAT --ctproto 17", False),
    ],
)
def test_both_directions_of_a_new_connection(options: str, *, expected: bool) -> None:
    assert meet(f"-m conntrack {options}", source_port=40000, state=DNATED) is expected


def test_the_directions_of_an_old_connection_are_not_known() -> None:
    assert meet("-m conntrack --ctorigdst 10.96.0.1", ctstate=ESTABLISHED) == "--ctorigdst 10.96.0.1"
    assert meet("-m conntrack --ctexpire 10") == "--ctexpire 10"


def test_without_a_connection_only_its_state_is_asked() -> None:
    assert meet("-m conntrack --ctstate INVALID --ctproto 17", ctstate=INVALID) is True
    assert meet("-m conntrack --ctproto 6", ctstate=INVALID) is False
    assert meet("-m conntrack ! --ctproto 17", ctstate=UNTRACKED) is False


@pytest.mark.parametrize(("text", "expected"), [("ftp", False), ("! ftp", True)])
def test_a_new_connection_has_no_helper(text: str, *, expected: bool) -> None:
    inverted, _, name = text.rpartition(" ")
    assert meet(f"-m helper {inverted} --helper {name}") is expected


def test_a_related_connection_may_have_a_helper() -> None:
    assert meet("-m helper --helper ftp", ctstate=RELATED) == "-m helper --helper ftp"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--mark 0x4000/0x4000", True),
        ("--mark 0x4001", True),
        ("--mark 0x4000", False),
        ("! --mark 0x4000/0x4000", False),
        ("--mark 0x8000/0x8000", False),
        ("--mark 0x0/0x8000", True),
        ("--mark 16385", True),
    ],
)
def test_marks(text: str, *, expected: bool) -> None:
    assert meet(f"-m mark {text}", mark=0x4001) is expected
    assert meet(f"-m connmark {text}", state={"connection_mark": 0x4001}) is expected


def test_marks_that_are_not_known() -> None:
    assert meet("-m connmark --mark 0x1", ctstate=ESTABLISHED) == "-m connmark --mark 0x1"
    assert meet("-m connmark ! --mark 0x1", ctstate=ESTABLISHED) == "not -m connmark --mark 0x1"
    assert meet("-m mark --mark 0x1", state={"mark": None}) == "--mark 0x1"


def test_what_has_no_connection_has_no_connection_mark() -> None:
    assert meet("-m connmark --mark 0x0", ctstate=UNTRACKED) is False
    assert meet("-m connmark ! --mark 0x0", ctstate=UNTRACKED) is False
