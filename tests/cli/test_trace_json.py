"""`trace --output json`: the contract that other programs rely on."""

import json
from typing import Any

import pytest

from tests.cli.tracing import POD, STRANGER, example

FIELDS = ("probability", "verdict", "lost", "dnat", "masquerade", "cause", "says", "path")


def document(client: str, target: str, *arguments: str, node: str = "node-a") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(example(client, target, *arguments, "--output", "json", node=node).stdout)
    return found


def test_the_fields() -> None:
    found = document(POD, "default/web")
    assert set(found) == {"version", "packet", "outcomes"}
    assert found["version"] == 1
    assert found["packet"]["destination"] == "10.96.0.10"
    for outcome in found["outcomes"]:
        assert set(outcome) == {*FIELDS, "endpoint"}
        assert outcome["endpoint"]["node"] in ("node-a", "node-b")
        assert outcome["cause"]["kind"] == "Arrives"
        assert outcome["verdict"] == "ACCEPT"
        assert {"hook", "table", "chain", "rule"} <= set(outcome["path"][0])


def test_pods_and_nodes() -> None:
    found = document("10.244.0.11", "default/web")
    assert found["client"] == {"pod": "default/web-1", "node": "node-a"}
    endpoints = {outcome["dnat"]: outcome["endpoint"] for outcome in found["outcomes"]}
    assert endpoints["10.244.1.11:8080"] == {"pod": "default/web-3", "node": "node-b"}


def test_probabilities_add_up() -> None:
    outcomes = document(POD, "default/web")["outcomes"]
    assert sum(outcome["probability"] for outcome in outcomes) == pytest.approx(1)
    assert {outcome["dnat"] for outcome in outcomes} == {"10.244.0.11:8080", "10.244.0.12:8080", "10.244.1.11:8080"}


def test_a_refusal() -> None:
    (outcome,) = document(STRANGER, "172.31.0.12:30084", node="node-b")["outcomes"]
    assert (outcome["verdict"], outcome["dnat"], outcome["masquerade"]) == ("DROP", None, False)
    assert outcome["says"].startswith("externalTrafficPolicy: Local and no endpoint on this node")
    assert {**outcome["cause"], "finding": None} == {
        "kind": "NoLocalEndpoints",
        "policy": "externalTrafficPolicy",
        "port": outcome["cause"]["port"],
        "finding": None,
    }


def test_a_lost_packet() -> None:
    (outcome,) = document(POD, "10.96.0.10:81")["outcomes"]
    assert (outcome["verdict"], outcome["lost"], outcome["cause"]["kind"]) == ("LOST", True, "Lost")
    assert outcome["cause"]["finding"] == {
        "kind": "HasOtherPorts",
        "address": "10.96.0.10",
        "port": 81,
        "protocol": "tcp",
        "ports": [{"port": 80, "protocol": "tcp", "service": "default/web:http"}],
    }


def test_equal_endings_are_merged() -> None:
    tree = document(POD, "default/web", "--dispatch", "tree")["outcomes"]
    linear = document(POD, "default/web", "--dispatch", "linear")["outcomes"]
    assert [(each["dnat"], each["probability"]) for each in tree] == [
        (each["dnat"], each["probability"]) for each in linear
    ]


def test_affinity_is_named() -> None:
    assert document(POD, "default/cart")["affinity"] == ["10.244.0.11:8080", "10.244.0.12:8080", "10.244.1.11:8080"]
