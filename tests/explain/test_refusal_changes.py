"""Refused, and no longer refused: at the cluster IP and from outside, which need not be the same."""

from collections.abc import Sequence

import pytest

from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.options import Dispatch
from tests.explain.comparison import FIRST, NODE_PORT, TITLE, elsewhere, web, without_endpoints, words

LOCAL = {**NODE_PORT, "external_traffic_local": True}
INTERNAL = {"internal_traffic_local": True}

# Before, after, and all that is said about refusals.
CHANGES: dict[str, tuple[Sequence[Object], Sequence[Object], tuple[str, ...]]] = {
    "lost": (web(FIRST), without_endpoints(), ("no endpoints any more: refused",)),
    "back": (without_endpoints(), web(FIRST), ("endpoints again: no longer refused",)),
    "lost, with a node port": (
        web(FIRST, **NODE_PORT),
        without_endpoints(**NODE_PORT),
        ("no endpoints any more: refused",),
    ),
    "back, with a node port": (
        without_endpoints(**NODE_PORT),
        web(FIRST, **NODE_PORT),
        ("endpoints again: no longer refused",),
    ),
    "local ones lost": (
        web(FIRST, **LOCAL),
        elsewhere(FIRST, **LOCAL),
        ("no local endpoints any more: dropped without an answer from outside",),
    ),
    "local ones back": (
        elsewhere(FIRST, **LOCAL),
        web(FIRST, **LOCAL),
        ("local endpoints again: no longer dropped from outside",),
    ),
    "back on another node": (
        without_endpoints(**LOCAL),
        elsewhere(FIRST, **LOCAL),
        (
            "endpoints again: no longer refused at the cluster IP",
            "endpoints again, but no local ones: now dropped without an answer from outside",
        ),
    ),
    "lost on another node": (
        elsewhere(FIRST, **LOCAL),
        without_endpoints(**LOCAL),
        (
            "no endpoints any more: refused at the cluster IP",
            "other nodes have no endpoints any more either: now refused from outside",
        ),
    ),
    "still refused inside": (
        without_endpoints(**INTERNAL),
        elsewhere(FIRST, **INTERNAL),
        ("endpoints again, but no local ones: now dropped without an answer",),
    ),
    "by a policy": (
        elsewhere(FIRST, **NODE_PORT),
        elsewhere(FIRST, **LOCAL),
        ("no local endpoints: dropped without an answer from outside",),
    ),
    "no longer by a policy": (
        elsewhere(FIRST, **LOCAL),
        elsewhere(FIRST, **NODE_PORT),
        ("no longer dropped from outside",),
    ),
    "by an internal policy": (
        elsewhere(FIRST),
        elsewhere(FIRST, **INTERNAL),
        ("no local endpoints: dropped without an answer",),
    ),
    "no longer by an internal policy": (elsewhere(FIRST, **INTERNAL), elsewhere(FIRST), ("no longer dropped",)),
    "a new way in": (
        without_endpoints(),
        without_endpoints(**NODE_PORT),
        ("no endpoints: refused from outside",),
    ),
    "a new way in without local ones": (
        elsewhere(FIRST),
        elsewhere(FIRST, **LOCAL),
        ("no local endpoints: dropped without an answer from outside",),
    ),
    "a way in less": (without_endpoints(**NODE_PORT), without_endpoints(), ()),
    "a way in less without local ones": (elsewhere(FIRST, **LOCAL), elsewhere(FIRST), ()),
}


@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize(("before", "after", "sentences"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_said_about_refusals(
    before: Sequence[Object], after: Sequence[Object], sentences: tuple[str, ...], dispatch: Dispatch
) -> None:
    found = words(before, after, dispatch)[TITLE]
    assert tuple(sentence for sentence in found if "refused" in sentence or "dropped" in sentence) == sentences


def test_a_policy_that_refuses_is_named() -> None:
    assert words(elsewhere(FIRST), elsewhere(FIRST, **INTERNAL))[TITLE] == (
        "internalTrafficPolicy Cluster -> Local",
        "no local endpoints: dropped without an answer",
    )
    assert words(elsewhere(FIRST, **LOCAL), elsewhere(FIRST, **NODE_PORT))[TITLE] == (
        "externalTrafficPolicy Local -> Cluster",
        "no longer dropped from outside",
    )
