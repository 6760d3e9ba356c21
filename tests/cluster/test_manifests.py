"""Files and folders as a source: what changes there is told, and what cannot be read stays as it was."""

import io
import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.manifests import Manifests, SourceError
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.model.snapshot import ObjectId, identify
from tests.cluster.manifest_text import as_json, as_yaml, endpoint_slice, list_of, node, service

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes objects, or text, into a file of the folder; every time with another time of change."""
    times = count(1_000_000_000, 1_000_000_000)

    def write_to(name: str, *content: Any) -> Path:
        path = tmp_path / name
        text = content[0] if content and isinstance(content[0], str) else as_yaml(*content)
        path.write_text(text, encoding="utf-8")
        moment = next(times)
        os.utime(path, ns=(moment, moment))
        return path

    return write_to


def settled(source: Manifests) -> ObjectChanges:
    """What a source tells about files that have come to rest: at the second look."""
    first, second = source.poll(), source.poll()
    return ObjectChanges(
        put=first.put + second.put, removed=first.removed + second.removed, notes=first.notes + second.notes
    )


def told(change: ObjectChanges) -> tuple[list[str], list[str], list[str]]:
    """Names of objects put, of those removed, and notes."""
    return (
        sorted(identify(obj).name for obj in change.put),
        sorted(name.name for name in change.removed),
        [input_note_text(note) for note in change.notes],
    )


def test_a_folder(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"))
    write("b.yml", service("b"), endpoint_slice("b-1"))
    write("c.json", as_json(service("c")))
    write("notes.txt", "not: [a manifest")
    write(".hidden.yaml", service("hidden"))
    (tmp_path / "folder.yaml").mkdir()
    assert told(Manifests([str(tmp_path)]).load()) == (["a", "b", "b-1", "c"], [], [])


def test_files_whatever_their_names_and_several_paths(tmp_path: Path, write: Write) -> None:
    first, second = write("a.txt", service("a")), write("b", service("b"))
    assert told(Manifests([str(first), str(second)]).load())[0] == ["a", "b"]
    assert told(Manifests([str(tmp_path)]).load())[0] == []


def test_nothing_new_is_nothing_to_tell(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    assert not source.load().is_empty
    assert source.poll().is_empty
    assert source.poll().is_empty


def test_a_change_is_told_once_it_has_come_to_rest(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"), service("b"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", service("a", clusterIP="10.96.0.9"), service("c"))
    assert source.poll().is_empty, "it may still be written to"
    assert told(source.poll()) == (["a", "c"], ["b"], [])
    assert source.poll().is_empty


def test_a_file_that_keeps_changing_is_not_read(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    source.load()
    for number in range(5):
        write("a.yaml", service("a", clusterIP=f"10.96.0.{number + 2}"))
        assert source.poll().is_empty
    (obj,) = source.poll().put
    assert obj.cluster_ip == "10.96.0.6"  # type: ignore[union-attr]


def test_the_same_objects_in_other_words_are_no_change(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", "# a comment\n" + as_yaml(service("a")))
    assert settled(source).is_empty


def test_files_come_go_and_are_renamed(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    source.load()
    new = write("b.yaml", service("b"))
    assert told(settled(source)) == (["b"], [], [])
    new.rename(tmp_path / "c.yaml")
    assert told(settled(source))[1:] in [([], []), (["b"], [])], "gone at the first look, back at the second"
    (tmp_path / "c.yaml").unlink()
    assert told(settled(source)) == ([], ["b"], [])
    assert told(settled(source)) == ([], [], [])


def test_a_file_put_in_the_place_of_another_is_noticed(tmp_path: Path, write: Write) -> None:
    """Same name, size and time of change, as copying tools leave it."""
    old = write("a.yaml", service("a", clusterIP="10.96.0.1"))
    source = Manifests([str(tmp_path)])
    source.load()
    new = write("a.tmp", service("a", clusterIP="10.96.0.2"))
    os.utime(new, ns=(old.stat().st_mtime_ns,) * 2)
    new.replace(old)
    assert told(settled(source))[0] == ["a"]


def test_a_broken_file_keeps_its_objects(tmp_path: Path, write: Write) -> None:
    path = write("a.yaml", service("a"), service("b"))
    write("c.yaml", service("c"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", as_yaml(service("a", clusterIP="10.96.0.9")) + "---\nkind: [\n")
    write("c.yaml", service("c", clusterIP="10.96.0.8"))
    change = settled(source)
    assert told(change) == (
        ["a", "c"],
        [],
        [
            f"{path}: document 2: not valid YAML: did not find expected node content (line 14, column 1)",
            f"{path}: kept as last read: Service ns/b",
        ],
    )
    write("a.yaml", service("a", clusterIP="10.96.0.9"))
    assert told(settled(source)) == ([], ["b"], [f"{path}: all of it can be used again"])


def test_a_bad_object_keeps_its_last_good_version(tmp_path: Path, write: Write) -> None:
    path = write("a.yaml", service("a"), service("b"), service("c"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", service("a", clusterIP="bogus"), service("c", clusterIP="10.96.0.9"))
    assert told(settled(source)) == (
        ["c"],
        ["b"],
        [
            (
                f"{path}: document 1: Service ns/a: "
                "spec.clusterIP: 'bogus' is not an IP address, \"None\" or empty; skipped"
            ),
            f"{path}: kept as last read: Service ns/a",
        ],
    )
    write("a.yaml", service("a", clusterIP="still bogus"), service("c", clusterIP="10.96.0.9"))
    assert told(settled(source))[:2] == ([], [])
    write("a.yaml", service("c", clusterIP="10.96.0.9"))
    assert told(settled(source)) == ([], ["a"], [f"{path}: all of it can be used again"])


def test_a_bad_object_that_never_was_good_is_just_missing(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a", clusterIP="bogus"), service("b"))
    change = Manifests([str(tmp_path)]).load()
    assert told(change)[:2] == (["b"], [])
    assert len(change.notes) == 1


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_emptied_file_keeps_its_objects(tmp_path: Path, write: Write, text: str) -> None:
    path = write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", text)
    assert told(settled(source)) == (
        [],
        [],
        [f"{path}: empty; its objects stay as last read until it has any, or is deleted"],
    )
    write("a.yaml", service("b"))
    assert told(settled(source)) == (["b"], ["a"], [f"{path}: all of it can be used again"])
    new = write("new.yaml", text)
    note = f"{new}: empty; nothing is taken for deleted until it has any, or is deleted"
    assert told(settled(source)) == ([], [], [note])


def test_a_file_cut_short_keeps_what_is_missing(tmp_path: Path, write: Write) -> None:
    text = as_json(list_of([service("a"), service("b"), service("c")]))
    write("a.json", text)
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.json", text[: len(text) // 2])
    change = settled(source)
    assert (change.put, change.removed) == ((), ())
    assert len(change.notes) == 2
    path = write("a.json", text)
    assert told(settled(source)) == ([], [], [f"{path}: all of it can be used again"])


def test_a_comment_in_the_place_of_objects_takes_them_away(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", "# nothing for now\n")
    assert told(settled(source)) == ([], ["a"], [])


def test_a_file_that_is_not_text_keeps_its_objects(tmp_path: Path, write: Write) -> None:
    path = write("a.yaml", service("a"))
    source = Manifests([str(tmp_path)])
    source.load()
    path.write_bytes(b"kind: \xff\xfe")
    put, removed, notes = told(settled(source))
    assert (put, removed) == ([], [])
    assert [note.startswith(f"{path}: cannot be read: ") for note in notes] == [True]


def test_what_never_could_be_read_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"kind: \xff\xfe")
    source = Manifests([str(tmp_path)])
    assert told(source.load()) == ([], [], [f"{path}: cannot be read: not UTF-8 text: byte 6 is 0xff"])


@pytest.mark.parametrize("broken", [b"kind: \xff\xfe", b"kind: [\n"], ids=["not text", "not YAML"])
def test_no_objects_and_unreadable_are_not_the_same(tmp_path: Path, write: Write, broken: bytes) -> None:
    source = Manifests([str(tmp_path)])
    source.load()
    assert not source.is_unreadable, "an empty folder"
    path = tmp_path / "broken.yaml"
    path.write_bytes(broken)
    settled(source)
    assert source.is_unreadable
    write("good.yaml", service("a"))
    settled(source)
    assert not source.is_unreadable, "others are served"
    path.unlink()
    (tmp_path / "good.yaml").write_text("# nothing\n")
    settled(source)
    assert not source.is_unreadable


def test_a_folder_that_goes_takes_nothing_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()
    (folder / "a.yaml").write_text(as_yaml(service("a")))
    source = Manifests([str(folder)])
    source.load()
    folder.rename(tmp_path / "elsewhere")
    assert told(source.poll()) == ([], [], [f"{folder}: no such file or folder; its objects stay as last read"])
    assert source.poll().is_empty, "that is said once"
    (tmp_path / "elsewhere").rename(folder)
    assert settled(source).removed == ()
    (folder / "a.yaml").unlink()
    assert told(settled(source)) == ([], ["a"], [])
    folder.rmdir()
    assert len(source.poll().notes) == 1, "that is another time"


def test_a_file_that_was_named_and_goes_takes_nothing_with_it(write: Write) -> None:
    path = write("a.yaml", service("a"))
    source = Manifests([str(path)])
    source.load()
    path.unlink()
    assert told(settled(source)) == ([], [], [f"{path}: no such file or folder; its objects stay as last read"])
    write("a.yaml", service("b"))
    assert told(settled(source)) == (["b"], ["a"], [])


def test_a_path_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"/nowhere: no such file or folder$"):
        Manifests([str(tmp_path / "nowhere")])
    with pytest.raises(SourceError, match="File name too long"):
        Manifests([str(tmp_path / ("x" * 5000))])


def test_a_path_that_goes_before_it_is_read_is_an_error_too(tmp_path: Path, write: Write) -> None:
    path = write("a.yaml", service("a"))
    source = Manifests([str(path)])
    path.unlink()
    with pytest.raises(SourceError):
        source.load()


def test_what_is_defined_in_two_files_is_taken_from_the_later_one(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("x", clusterIP="10.96.0.1"))
    last = write("b.yaml", service("x", clusterIP="10.96.0.2"))
    source = Manifests([str(tmp_path)])
    change = source.load()
    assert [obj.cluster_ip for obj in change.put] == ["10.96.0.2"]  # type: ignore[union-attr]
    note = f"{last}: Service ns/x is defined in another file as well; this one is used"
    assert [input_note_text(its) for its in change.notes] == [note]

    write("c.yaml", service("y"))
    assert told(settled(source)) == (["y"], [], []), "that is said once"
    last.unlink()
    (obj,) = settled(source).put
    assert obj.cluster_ip == "10.96.0.1"  # type: ignore[union-attr]
    write("b.yaml", service("x", clusterIP="10.96.0.2"))
    assert told(settled(source)) == (["x"], [], [note])


def test_twice_the_same_is_nothing_to_talk_about(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("x"))
    write("b.yaml", service("x"))
    assert told(Manifests([str(tmp_path)]).load()) == (["x"], [], [])


def test_an_object_that_moves_to_another_file_stays(tmp_path: Path, write: Write) -> None:
    write("a.yaml", service("x"), service("y"))
    write("b.yaml", node())
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", service("x"))
    write("b.yaml", node(), service("y"))
    assert told(settled(source)) == ([], [], [])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(as_yaml(service("a")) + "---\n[\n"))
    source = Manifests(["-"])
    change = source.load()
    assert told(change)[:2] == (["a"], [])
    assert [input_note_text(note).partition(": not valid")[0] for note in change.notes] == ["stdin: document 2"]
    assert source.poll().is_empty


def test_standard_input_that_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    source = Manifests(["-"])
    change = source.load()
    assert [input_note_text(note) for note in change.notes] == ["stdin: empty: nothing came in"]
    assert (change.put, source.is_unreadable) == ((), False)


def test_a_config_map_mounted_as_a_folder(tmp_path: Path) -> None:
    """Its files are links through `..data`, which is put in the place of the old one at a change."""
    for version, address in (("v1", "10.96.0.1"), ("v2", "10.96.0.2")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "web.yaml").write_text(as_yaml(service(clusterIP=address)))
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / "..data").symlink_to(tmp_path / "v1")
    (mount / "web.yaml").symlink_to("..data/web.yaml")
    source = Manifests([str(mount)])
    assert told(source.load()) == (["web"], [], [])
    (mount / "..data_tmp").symlink_to(tmp_path / "v2")
    (mount / "..data_tmp").replace(mount / "..data")
    assert [obj.cluster_ip for obj in settled(source).put] == ["10.96.0.2"]  # type: ignore[union-attr]


def test_nodes_are_removed_by_name(tmp_path: Path, write: Write) -> None:
    write("a.yaml", node("n1"), node("n2"))
    source = Manifests([str(tmp_path)])
    source.load()
    write("a.yaml", node("n2"))
    assert settled(source).removed == (ObjectId("Node", "", "n1"),)
