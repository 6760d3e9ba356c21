from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.apiserver.store import Compacted, Snapshot, Store

TABLE = "things"


def write(store: Store, name: str, value: int = 0) -> int:
    return store.put(TABLE, {"metadata": {"name": name}, "value": value}).revision


def state(snapshot: Snapshot) -> dict[str, Any]:
    return {version.key: version.data()["value"] for version in snapshot.versions}


def test_every_write_takes_the_next_revision_whatever_the_table() -> None:
    store = Store(revision=10)
    store.put("a", {"metadata": {"name": "x"}})
    second = store.put("b", {"metadata": {"name": "x"}})
    assert second.revision == 12
    assert second.data()["metadata"]["resourceVersion"] == "12"


def test_a_deletion_carries_its_own_revision() -> None:
    store = Store()
    write(store, "x")
    gone = store.remove(TABLE, "x")
    assert gone.data()["metadata"]["resourceVersion"] == str(store.revision)
    assert store.get(TABLE, "x") is None


def test_lists_are_in_the_order_of_keys_as_etcd_has_them() -> None:
    store = Store()
    for namespace, name in (("a", "z"), ("a-b", "a"), ("b", "a")):
        store.put(TABLE, {"metadata": {"namespace": namespace, "name": name}})
    assert [version.key for version in store.snapshot(TABLE).versions] == ["a-b/a", "a/z", "b/a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_any_revision_can_be_looked_at_again(steps: list[tuple[str, bool]]) -> None:
    store = Store()
    expected: dict[str, int] = {}
    history = {store.revision: dict(expected)}
    for value, (name, remove) in enumerate(steps):
        if remove and name in expected:
            store.remove(TABLE, name)
            del expected[name]
        else:
            write(store, name, value)
            expected[name] = value
        history[store.revision] = dict(expected)
    assert {revision: state(store.snapshot(TABLE, revision)) for revision in history} == history


def test_compaction_loses_every_revision_that_anybody_has_seen() -> None:
    store = Store()
    seen = write(store, "x")
    store.compact()
    with pytest.raises(Compacted) as caught:
        store.changes(TABLE, seen)
    assert (caught.value.wanted, caught.value.oldest) == (seen, store.revision)
    assert store.changes(TABLE, store.revision) == []
    assert state(store.snapshot(TABLE)) == {"x": 0}


def test_compaction_costs_a_reader_who_is_up_to_date_nothing() -> None:
    store = Store()
    up_to_date = write(store, "x")
    store.compact()
    newer = write(store, "y")
    assert [change.revision for change in store.changes(TABLE, up_to_date, following=True)] == [newer]


def test_compaction_is_noticed_by_a_reader_who_lags_behind() -> None:
    store = Store()
    behind = write(store, "x")
    write(store, "y")
    store.compact()
    with pytest.raises(Compacted):
        store.changes(TABLE, behind, following=True)


def test_old_changes_are_forgotten_when_there_are_too_many() -> None:
    store = Store(history=5)
    first = write(store, "x")
    for value in range(20):
        write(store, "x", value)
    assert len(store.changes(TABLE, store.revision - 5)) == 5
    with pytest.raises(Compacted):
        store.changes(TABLE, first)


def test_going_back_to_a_lower_revision_keeps_the_objects_and_renumbers_them() -> None:
    store = Store(revision=1000)
    write(store, "x", 7)
    store.rebase(50)
    version = store.get(TABLE, "x")
    assert version is not None
    assert (version.revision, version.data()["metadata"]["resourceVersion"]) == (50, "50")
    assert write(store, "y") == 51


def test_what_was_lost_before_going_back_does_not_count_any_more() -> None:
    store = Store(revision=1000)
    write(store, "x")
    store.compact()
    store.rebase(50)
    listed = store.snapshot(TABLE)
    assert store.changes(TABLE, listed.revision) == []


def test_waiting_for_a_revision_ends_when_it_is_written() -> None:
    store = Store()
    writer = threading.Timer(0.01, write, (store, "x"))
    writer.start()
    assert store.wait_for(store.revision + 1, 10.0)
    writer.join()
    assert not store.wait_for(store.revision + 1, 0.0)


def test_a_stored_object_cannot_be_changed_from_outside() -> None:
    store = Store()
    write(store, "x", 1)
    version = store.get(TABLE, "x")
    assert version is not None
    version.data()["value"] = 2
    assert version.data()["value"] == 1
