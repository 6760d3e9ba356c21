"""A list in parts says what the whole says, wherever the network and its own text would have it divided."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.cluster import list_parts as module
from pykubeproxy.cluster.list_parts import list_parts

METADATA = {"resourceVersion": "7", "continue": "next"}
# Texts that look like places to cut at; such keys and objects within objects, too.
TRAPS = st.sampled_from(['},{"metadata":{', '"items":[', "]}", '\\"', "é", "}"])
VALUES = st.recursive(
    TRAPS | st.integers(),
    lambda inner: (
        st.lists(st.fixed_dictionaries({"metadata": st.dictionaries(TRAPS, inner, max_size=2)}), max_size=3)
        | st.dictionaries(TRAPS | st.just("items"), inner, max_size=2)
    ),
    max_leaves=8,
)
OBJECTS = st.lists(st.fixed_dictionaries({"metadata": st.dictionaries(TRAPS, VALUES, max_size=2), "spec": VALUES}))


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PART_BYTES", 150)
        yield


def text_of(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def divide(text: bytes, size: int) -> list[bytes]:
    parts = list(list_parts(text[at : at + size] for at in range(0, len(text), size)))
    assert [is_last for _, is_last in parts] == [False] * (len(parts) - 1) + [True]
    return [part for part, _ in parts]


@given(objects=OBJECTS, size=st.integers(1, 400))
def test_the_parts_have_all_objects_in_their_order_and_the_metadata_of_the_whole(
    objects: list[object], size: int
) -> None:
    whole = {"kind": "ServiceList", "metadata": METADATA, "items": objects}
    parts = [json.loads(part) for part in divide(text_of(whole), size)]
    assert [each for part in parts for each in part.pop("items")] == objects
    assert parts == [{"kind": "ServiceList", "metadata": METADATA}] * len(parts)


def test_a_large_list_comes_in_parts_of_about_the_wanted_size() -> None:
    objects = [{"metadata": {"name": f"n{number}"}, "spec": {}} for number in range(50)]
    parts = divide(text_of({"metadata": METADATA, "items": objects}), 40)
    assert len(parts) > 10
    assert max(map(len, parts)) < 300


@pytest.mark.parametrize(
    "text",
    [
        text_of({"items": [{"metadata": {"name": "a" * 100}}] * 9, "metadata": METADATA}),
        text_of({"metadata": {}, "items": [{"metadata": {"name": "a" * 100}}] * 9}),
        text_of([{"metadata": METADATA, "items": [{"metadata": {"name": "a" * 100}}] * 9}]),
        json.dumps({"metadata": METADATA, "items": [{"metadata": {"name": "a" * 100}}] * 9}).encode(),
        b'{"metadata":{"resourceVersion":"1"},"items":[' + b'},{"metadata":{' * 40,
        b"<html>" * 99,
        b"",
    ],
    ids=["version last", "no version", "no list", "white space", "no objects", "no JSON", "nothing"],
)
def test_what_is_written_in_another_way_stays_whole(text: bytes) -> None:
    assert divide(text, 64) == [text]
