"""Targets: verdicts, marks, and those that do nothing to a packet."""

from typing import Any

import pytest

from pykubeproxy.explain.event_words import event_text
from pykubeproxy.netfilter import Action, Verdict
from tests.netfilter.asking import ESTABLISHED, follow, only, reason_of

TO_NODE = "10.0.0.1"


def filtered(rules: str, **fields: Any) -> Verdict:
    """The verdict of rules in filter INPUT."""
    return only(follow(dump={"filter": rules}, destination=TO_NODE, **fields)).verdict


def test_verdicts() -> None:
    assert filtered("INPUT -j ACCEPT\nINPUT -j DROP") is Verdict.ACCEPT
    assert filtered("INPUT -j DROP\nINPUT -j ACCEPT") is Verdict.DROP
    assert filtered("INPUT -j REJECT --reject-with icmp-port-unreachable") is Verdict.REJECT
    assert filtered("INPUT -j RETURN\nINPUT -j DROP") is Verdict.ACCEPT


@pytest.mark.parametrize(
    "target",
    [
        '-j LOG --log-prefix "in: " --log-level 7',
        "-j NFLOG --nflog-group 1",
        "-j TRACE",
        "-p tcp -j TCPMSS --clamp-mss-to-pmtu",
        "-j DSCP --set-dscp 0x02",
        "-j TTL --ttl-set 64",
        "-j CLASSIFY --set-class 1:1",
        "-j SET --add-set seen src",
        "-j CHECKSUM --checksum-fill",
        "-j CT --helper ftp",
        "-m comment --comment counts",
    ],
)
def test_targets_after_which_the_packet_goes_on(target: str) -> None:
    found = only(follow(dump={"mangle": f"INPUT {target}", "filter": "INPUT -j DROP"}, destination=TO_NODE))
    assert found.verdict is Verdict.DROP
    assert found.path[0].action in (Action.NOTE, Action.MARK) or found.path[0].table != "mangle"
    assert any(step.table == "mangle" and step.position == 1 for step in found.path)


@pytest.mark.parametrize(
    ("before", "target", "after"),
    [
        (0, "--set-xmark 0x4000/0x4000", 0x4000),
        (0x4001, "--set-xmark 0x4000/0x0", 0x1),
        (0x1, "--set-xmark 0x2/0xffffffff", 0x2),
        (0x1, "--set-xmark 0x3", 0x3),
        (0xF0, "--set-mark 0x1/0xf", 0xF1),
        (0xFF, "--set-mark 0x1", 0x1),
        (0x10, "--set-mark 0x10/0xf", 0x10),
        (0x10, "--set-xmark 0x10/0xf", 0x0),
        (0xFF, "--and-mark 0xf", 0xF),
        (0xF0, "--or-mark 0xf", 0xFF),
        (0xFF, "--xor-mark 0xf", 0xF0),
        (0x0, "--or-mark 0x80000000", 0x80000000),
    ],
)
def test_marks(before: int, target: str, after: int) -> None:
    rules = f"INPUT -j MARK {target}\nINPUT -m mark ! --mark {after:#x} -j DROP"
    assert filtered(rules, mark=before) is Verdict.ACCEPT
    step = only(follow(dump={"filter": rules}, destination=TO_NODE, mark=before)).path[1]
    assert (step.action, event_text(step.event)) == (Action.MARK, f"mark {before:#x} → {after:#x}")


def test_connection_marks_are_saved_and_restored() -> None:
    rules = """
        PREROUTING -j MARK --set-xmark 0xf5/0xffffffff
        PREROUTING -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xffffffff
        PREROUTING -j MARK --set-xmark 0x0/0xffffffff
        INPUT -m mark ! --mark 0x0 -j DROP
        INPUT -m connmark ! --mark 0x5 -j DROP
        INPUT -j CONNMARK --set-xmark 0x60/0x0
        INPUT -j CONNMARK --restore-mark --mask 0x6f
        INPUT -m mark ! --mark 0x65 -j DROP
    """
    assert only(follow(dump={"mangle": rules}, destination=TO_NODE)).verdict is Verdict.ACCEPT


def test_marks_restored_from_an_old_connection_are_not_known() -> None:
    rules = "INPUT -j CONNMARK --restore-mark\nINPUT -m mark --mark 0x1 -j DROP"
    found = only(follow(dump={"mangle": rules}, destination=TO_NODE, ctstate=ESTABLISHED))
    assert (found.verdict, reason_of(found)) == (Verdict.UNDECIDED, "cannot decide: --mark 0x1")
    known = rules.replace("INPUT -m", "INPUT -j MARK --set-mark 0x2\nINPUT -m")
    assert only(follow(dump={"mangle": known}, destination=TO_NODE, ctstate=ESTABLISHED)).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("target", ["CT --notrack", "NOTRACK"])
def test_untracked_packets_are_not_translated(target: str) -> None:
    dump = {
        "raw": f"PREROUTING -j {target}",
        "nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.1:80",
        "filter": "FORWARD -m conntrack --ctstate UNTRACKED -j DROP",
    }
    found = only(follow(dump=dump))
    assert (found.verdict, found.dnat) == (Verdict.DROP, None)


def test_after_conntrack_it_is_too_late_for_notrack() -> None:
    dump = {"mangle": "INPUT -j CT --notrack", "filter": "INPUT -m conntrack --ctstate UNTRACKED -j DROP"}
    assert only(follow(dump=dump, destination=TO_NODE)).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("target", ["TPROXY --on-port 15006 --on-ip 0.0.0.0", "SYNPROXY --wscale 7", "MIRROR"])
def test_an_unknown_target_is_a_fork(target: str) -> None:
    found = only(follow(dump={"mangle": f"PREROUTING -j {target}\nPREROUTING -j DROP"}, destination=TO_NODE))
    assert found.verdict is Verdict.UNDECIDED
    assert reason_of(found) == f"cannot decide: -j {target} lets the packet pass"
    passed, stopped = found.alternatives
    assert (passed.holds, [each.verdict for each in passed.outcomes]) == (True, [Verdict.DROP])
    assert (stopped.holds, [each.verdict for each in stopped.outcomes]) == (False, [Verdict.UNDECIDED])


def test_what_a_program_accepts_from_a_queue_has_passed_the_table() -> None:
    rules = "INPUT -j NFQUEUE --queue-num 0\nINPUT -j DROP"
    found = only(follow(dump={"filter": rules}, destination=TO_NODE))
    assert [each.verdict for each in found.alternatives[0].outcomes] == [Verdict.ACCEPT]


@pytest.mark.parametrize("target", ["MARK --set-mark red", "MARK", "DNAT --to-destination example.org"])
def test_a_target_that_makes_no_sense_is_a_fork(target: str) -> None:
    found = only(follow(dump={"mangle": f"PREROUTING -j {target}"}))
    assert reason_of(found) == f"cannot decide: -j {target} lets the packet pass"
