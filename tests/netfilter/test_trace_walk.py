"""The way of a packet: hooks, tables, chains and targets, and what is known at each of them."""

from typing import Any

import pytest

from pykubeproxy.explain.event_words import event_text
from pykubeproxy.netfilter import Action, Outcome, Verdict
from tests.netfilter.asking import ESTABLISHED, INVALID, RELATED, follow, only, reason_of

ACCEPT, DROP, REJECT, UNDECIDED = Verdict.ACCEPT, Verdict.DROP, Verdict.REJECT, Verdict.UNDECIDED
TO_NODE: dict[str, Any] = {"destination": "10.0.0.1"}
OWN: dict[str, Any] = {"source": "10.0.0.1", "from_node": True}
COMING_BACK_IN: dict[str, Any] = {**OWN, "destination": "10.244.0.1"}

TABLES = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
COUNTING = {table: "\n".join(hooks) for table, hooks in TABLES.items()}

IN = ["raw PREROUTING", "mangle PREROUTING", "nat PREROUTING"]
THROUGH = ["mangle FORWARD", "filter FORWARD", "security FORWARD", "mangle POSTROUTING", "nat POSTROUTING"]
INPUT = ["mangle INPUT", "filter INPUT", "security INPUT", "nat INPUT"]
OUT = ["raw OUTPUT", "mangle OUTPUT", "nat OUTPUT", "filter OUTPUT", "security OUTPUT", *THROUGH[3:]]
AGAIN = ["raw PREROUTING", "mangle PREROUTING", *INPUT[:3]]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, IN + THROUGH),
        (TO_NODE, IN + INPUT),
        ({"family": "6", "destination": "fd00::1"}, IN + INPUT),
        ({"destination": "10.0.0.255"}, IN + INPUT),
        *(
            ({"ctstate": state}, [table for table in IN + THROUGH if "nat" not in table])
            for state in (ESTABLISHED, RELATED, INVALID)
        ),
        (OWN, OUT),
        (COMING_BACK_IN, OUT + AGAIN),
        ({**OWN, "destination": "127.0.0.1"}, OUT + AGAIN),
    ],
)
def test_the_order_of_hooks_and_tables(fields: dict[str, Any], expected: list[str]) -> None:
    found = only(follow(dump=COUNTING, **fields))
    assert [f"{step.table} {step.hook}" for step in found.path if step.rule] == expected


DROPPING = ":INPUT DROP [0:0]\n"


@pytest.mark.parametrize(
    ("dump", "fields", "verdict"),
    [
        ({"filter": "FORWARD -j DROP"}, {}, DROP),
        ({}, {}, ACCEPT),
        ({}, {"destination": "224.0.0.251", "protocol": "udp"}, UNDECIDED),
        # To accept is for one table only.
        ({"mangle": "FORWARD -j ACCEPT", "filter": "FORWARD -j DROP"}, {}, DROP),
        ({"filter": "INPUT -j REJECT --reject-with icmp-port-unreachable"}, TO_NODE, REJECT),
        # Policies, and returns to them.
        ({"filter": f"{DROPPING}INPUT -j RETURN\nINPUT -j ACCEPT"}, TO_NODE, DROP),
        # A goto returns to the caller of the chain, and a chain may be named like a target.
        ({"filter": "INPUT -j one\none -g two\ntwo -p udp\none -j ACCEPT\nINPUT -j DROP"}, TO_NODE, DROP),
        ({"filter": "INPUT -j TRACE\nTRACE -j DROP"}, TO_NODE, DROP),
        # The new destination decides where the packet goes.
        ({"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1:22", "filter": "INPUT -j DROP"}, {}, DROP),
        ({"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5:22", "filter": "INPUT -j DROP"}, TO_NODE, ACCEPT),
        # Interfaces at each hook.
        ({"filter": "INPUT -i cni0 ! -o eth0 -j DROP"}, {**TO_NODE, "in_interface": "cni0"}, DROP),
        ({"filter": "OUTPUT ! -i eth0 -o eth0 -j DROP"}, {**OWN, "out_interface": "eth0"}, DROP),
        ({"filter": "INPUT -i lo -j DROP"}, COMING_BACK_IN, DROP),
        ({"filter": "OUTPUT -o lo -j DROP"}, COMING_BACK_IN, DROP),
        # After DNAT, OUTPUT still names the first interface.
        (
            {
                "nat": "OUTPUT -p tcp -j DNAT --to-destination 10.244.0.1:22",
                "filter": "OUTPUT -o lo -j DROP\nINPUT -i lo -j REJECT",
            },
            {**OWN, "out_interface": "eth0"},
            REJECT,
        ),
        # Packets that come back in keep their new connection, even in raw.
        ({"raw": "PREROUTING -m conntrack --ctstate NEW -j DROP"}, COMING_BACK_IN, DROP),
        ({"raw": "PREROUTING -m conntrack --ctstate NEW -j DROP"}, {"destination": "10.244.0.1"}, ACCEPT),
        # After conntrack it is too late for notrack.
        (
            {"mangle": "INPUT -j CT --notrack", "filter": "INPUT -m conntrack --ctstate UNTRACKED -j DROP"},
            TO_NODE,
            ACCEPT,
        ),
    ],
)
def test_verdicts(dump: dict[str, str], fields: dict[str, Any], verdict: Verdict) -> None:
    assert only(follow(dump=dump, **fields)).verdict is verdict


def filtered(rules: str, **fields: Any) -> Outcome:
    return only(follow(dump={"filter": rules}, **TO_NODE, **fields))


IN_A_CIRCLE = "chain one jumps in a circle, which no kernel accepts"


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("FORWARD -o eth0 -j DROP", "cannot decide: -o eth0"),
        ("FORWARD -j missing", "cannot decide: -j missing lets the packet pass"),
        ("FORWARD -j one\none -j one", IN_A_CIRCLE),
        ("FORWARD -g one\none -g two\ntwo -g one", IN_A_CIRCLE),
        ("FORWARD -j one\none -j two\none -j two\ntwo -j one\ntwo -j one", IN_A_CIRCLE),
        *(
            (f"FORWARD -j {target}\nFORWARD -j DROP", f"cannot decide: -j {target} lets the packet pass")
            for target in (
                *("TPROXY --on-port 15006 --on-ip 0.0.0.0", "MIRROR"),
                *("MARK --set-mark red", "MARK", "DNAT --to-destination example.org"),
            )
        ),
    ],
)
def test_what_cannot_be_followed_for_certain(rules: str, reason: str) -> None:
    found = only(follow(dump={"filter": rules}))
    assert (found.verdict, reason_of(found)) == (UNDECIDED, reason)


def test_an_unknown_target_lets_the_packet_pass_or_ends_its_way() -> None:
    found = only(follow(dump={"mangle": "PREROUTING -j SYNPROXY\nPREROUTING -j DROP"}))
    sides = [(side.holds, [each.verdict for each in side.outcomes]) for side in found.alternatives]
    assert sides == [(True, [DROP]), (False, [UNDECIDED])]
    queued = filtered("INPUT -j NFQUEUE --queue-num 0\nINPUT -j DROP")
    verdicts = [each.verdict for each in queued.alternatives[0].outcomes]
    assert verdicts == [ACCEPT], "what a program accepts from a queue has passed the table"


def test_a_tower_of_chains_ends_too() -> None:
    rules = "\n".join(["INPUT -j c0", *(f"c{number} -j c{number + 1}" for number in range(500)), "c500 -j ACCEPT"])
    assert filtered(rules).verdict is UNDECIDED


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
    found = only(follow(dump={"mangle": f"INPUT {target}", "filter": "INPUT -j DROP"}, **TO_NODE))
    assert found.verdict is DROP
    assert any(step.table == "mangle" and step.position == 1 for step in found.path)


@pytest.mark.parametrize(
    ("before", "target", "after"),
    [
        (0, "--set-xmark 0x4000/0x4000", 0x4000),
        (0xF0, "--set-mark 0x1/0xf", 0xF1),
        (0x10, "--set-xmark 0x10/0xf", 0x0),
        (0xFF, "--and-mark 0xf", 0xF),
        (0xF0, "--or-mark 0xf", 0xFF),
        (0xFF, "--xor-mark 0xf", 0xF0),
        (0x0, "--or-mark 0x80000000", 0x80000000),
    ],
)
def test_marks(before: int, target: str, after: int) -> None:
    found = filtered(f"INPUT -j MARK {target}\nINPUT -m mark ! --mark {after:#x} -j DROP", mark=before)
    step = found.path[1]
    assert (found.verdict, step.action) == (ACCEPT, Action.MARK)
    assert event_text(step.event) == f"mark {before:#x} → {after:#x}"


def test_marks_restored_from_an_old_connection_are_not_known() -> None:
    rules = "INPUT -j CONNMARK --restore-mark\nINPUT -m mark --mark 0x1 -j DROP"
    assert reason_of(filtered(rules, ctstate=ESTABLISHED)) == "cannot decide: --mark 0x1"
    known = rules.replace("INPUT -m", "INPUT -j MARK --set-mark 0x2\nINPUT -m")
    assert filtered(known, ctstate=ESTABLISHED).verdict is ACCEPT
