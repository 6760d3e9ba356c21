from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver import patches
from tests.apiserver.errors import ApiError

SERVICE: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"a": "1", "b": "2"}, "finalizers": ["x"]},
    "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}], "externalIPs": ["192.0.2.1"]},
}


def test_merge_patch_merges_maps_removes_nulls_and_replaces_lists() -> None:
    patch = {"metadata": {"labels": {"a": None, "c": "3"}}, "spec": {"ports": [{"port": 53}]}}
    patched = patches.apply(patches.MERGE, SERVICE, patch)
    assert patched["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert patched["spec"] == {"ports": [{"port": 53}], "externalIPs": ["192.0.2.1"]}
    assert SERVICE["metadata"]["labels"] == {"a": "1", "b": "2"}


def test_strategic_merge_merges_lists_by_their_key() -> None:
    patch = {
        "metadata": {"finalizers": ["y", "x"]},
        "spec": {"ports": [{"port": 443, "nodePort": 30443}, {"port": 53}], "externalIPs": ["192.0.2.2"]},
    }
    patched = patches.apply(patches.STRATEGIC, SERVICE, patch)
    assert patched["spec"]["ports"] == [
        {"port": 80, "name": "http"},
        {"port": 443, "name": "https", "nodePort": 30443},
        {"port": 53},
    ]
    assert patched["spec"]["externalIPs"] == ["192.0.2.2"]
    assert patched["metadata"]["finalizers"] == ["y", "x"]


@pytest.mark.parametrize(
    ("patched", "expected"),
    [
        ([53], [53, 80, 443, 8080]),
        ([443], [80, 443, 8080]),
        ([443, 53], [80, 443, 53, 8080]),
        ([53, 443], [53, 80, 443, 8080]),
        ([8080, 80], [443, 8080, 80]),
        ([54, 53, 54], [54, 53, 80, 443, 8080]),
    ],
)
def test_the_order_after_a_strategic_merge_is_that_of_a_real_server(patched: list[int], expected: list[int]) -> None:
    target = {"spec": {"ports": [{"port": number} for number in (80, 443, 8080)]}}
    patch = {"spec": {"ports": [{"port": number} for number in patched]}}
    merged = patches.apply(patches.STRATEGIC, target, patch)
    assert [port["port"] for port in merged["spec"]["ports"]] == expected


def test_what_an_applied_configuration_adds_goes_last() -> None:
    merged = patches.apply(patches.APPLY, SERVICE, {"spec": {"ports": [{"port": 53}, {"port": 80}]}})
    assert [port["port"] for port in merged["spec"]["ports"]] == [80, 443, 53]


def test_json_patch() -> None:
    patch = [
        {"op": "test", "path": "/metadata/name", "value": "web"},
        {"op": "add", "path": "/metadata/labels/x~1y", "value": "4"},
        {"op": "remove", "path": "/spec/ports/0"},
        {"op": "add", "path": "/spec/ports/-", "value": {"port": 53}},
        {"op": "replace", "path": "/spec/externalIPs/0", "value": "192.0.2.9"},
        {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/a"},
        {"op": "move", "from": "/metadata/labels/b", "path": "/metadata/labels/z"},
    ]
    patched = patches.apply(patches.JSON, SERVICE, patch)
    assert patched["metadata"]["labels"] == {"a": "web", "x/y": "4", "z": "2"}
    assert patched["spec"] == {"ports": [{"port": 443, "name": "https"}, {"port": 53}], "externalIPs": ["192.0.2.9"]}


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        (patches.JSON, [{"op": "remove", "path": "/spec/nothing"}]),
        (patches.JSON, [{"op": "test", "path": "/metadata/name", "value": "db"}]),
        (patches.JSON, [{"op": "jump", "path": "/"}]),
        (patches.JSON, 5),
        (patches.MERGE, ["a"]),
        (patches.STRATEGIC, "a"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(content_type: str, patch: object) -> None:
    with pytest.raises(ApiError) as caught:
        patches.apply(content_type, SERVICE, patch)
    assert caught.value.code == 400
