"""Files and folders as a source: what changes there is told, and what cannot be read stays as it was."""

import io
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.manifests import Manifests, SourceError
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.model.snapshot import identify
from tests.cluster.manifest_text import as_json, as_yaml, endpoint_slice, node, service

NOT_TEXT = b"kind: \xff\xfe"

Told = tuple[list[str], list[str], list[str]]
"""Names of objects put, of those removed, and notes."""

NOTHING: Told = ([], [], [])


def told(change: ObjectChanges) -> Told:
    """A Service that is put is named with the end of its address, if that is not the usual one."""
    put = [f"{identify(obj).name}{getattr(obj, 'cluster_ip', '').removeprefix('10.96.0')}" for obj in change.put]
    removed = sorted(name.name for name in change.removed)
    return sorted(name.removesuffix(".1") for name in put), removed, [input_note_text(note) for note in change.notes]


class Folder:
    """A folder, and a source that reads it, or some paths of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._times = count(1_000_000_000, 1_000_000_000)

    def write(self, name: str, *content: Any) -> Path:
        """Write objects, text or bytes into a file; every time with another time of change."""
        path, first = self.path / name, content[0] if content else ""
        text = first if isinstance(first, str | bytes) else as_yaml(*content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, ns=(next(self._times),) * 2)
        return path

    def load(self, *paths: Path) -> Told:
        self.source = Manifests([str(path) for path in paths or (self.path,)])
        return told(self.source.load())

    def poll(self) -> Told:
        return told(self.source.poll())

    def settled(self) -> Told:
        """What the source tells of files that have come to rest: at the second look."""
        first, second = self.poll(), self.poll()
        return first[0] + second[0], first[1] + second[1], first[2] + second[2]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty one."""
    return Folder(tmp_path)


@pytest.fixture
def with_a(folder: Folder) -> Folder:
    """One that has been read, with the Service a in a.yaml."""
    folder.write("a.yaml", service("a"))
    assert folder.load() == (["a"], [], [])
    return folder


def test_a_folder_and_files_whatever_their_names(folder: Folder) -> None:
    folder.write("a.yaml", service("a"))
    folder.write("b.yml", service("b"), endpoint_slice("b-1"))
    folder.write("c.json", as_json(service("c")))
    text = folder.write("notes.txt", service("text"))
    folder.write(".hidden.yaml", service("hidden"))
    (folder.path / "folder.yaml").mkdir()
    assert folder.load() == (["a", "b", "b-1", "c"], [], [])
    assert folder.load(text, folder.path / ".hidden.yaml") == (["hidden", "text"], [], [])


def test_a_change_is_told_once_it_has_come_to_rest(folder: Folder) -> None:
    folder.write("a.yaml", service("a"), service("b"), node("n1"))
    folder.load()
    assert folder.settled() == NOTHING
    for number in range(5):
        folder.write("a.yaml", service("a", clusterIP=f"10.96.0.{number + 2}"), service("c"))
        assert folder.poll() == NOTHING, "it may still be written to"
    assert folder.poll() == (["a.6", "c"], ["b", "n1"], [])
    folder.write("a.yaml", "# a comment\n" + as_yaml(service("a", clusterIP="10.96.0.6"), service("c")))
    assert folder.settled() == NOTHING, "the same in other words"


def test_files_come_go_and_are_renamed(with_a: Folder) -> None:
    new = with_a.write("b.yaml", service("b"))
    assert with_a.settled() == (["b"], [], [])
    new.rename(with_a.path / "c.yaml")
    assert with_a.settled()[1:] in [([], []), (["b"], [])], "gone at the first look, back at the second"
    (with_a.path / "c.yaml").unlink()
    assert with_a.settled() == ([], ["b"], [])
    assert with_a.settled() == NOTHING
    with_a.write("a.yaml", "# nothing for now\n")
    assert with_a.settled() == ([], ["a"], []), "that is meant, unlike an empty file"


def test_a_file_put_in_the_place_of_another_is_noticed(with_a: Folder) -> None:
    """Same name, size and time of change, as copying tools leave it."""
    old = with_a.path / "a.yaml"
    new = with_a.write("a.tmp", service("a", clusterIP="10.96.0.2"))
    os.utime(new, ns=(old.stat().st_mtime_ns,) * 2)
    new.replace(old)
    assert with_a.settled() == (["a.2"], [], [])


def test_a_broken_file_keeps_its_objects(folder: Folder) -> None:
    path = folder.write("a.yaml", service("a"), service("b"))
    folder.write("c.yaml", service("c"))
    folder.load()
    folder.write("a.yaml", as_yaml(service("a", clusterIP="10.96.0.9")) + "---\nkind: [\n")
    folder.write("c.yaml", service("c", clusterIP="10.96.0.8"))
    notes = [
        f"{path}: document 2: not valid YAML: did not find expected node content (line 16, column 1)",
        f"{path}: kept as last read: Service ns/b",
    ]
    assert folder.settled() == (["a.9", "c.8"], [], notes)
    folder.write("a.yaml", service("a", clusterIP="10.96.0.9"))
    assert folder.settled() == ([], ["b"], [f"{path}: all of it can be used again"])


def test_a_bad_object_keeps_its_last_good_version(folder: Folder) -> None:
    path = folder.write("a.yaml", service("a"), service("b"), service("c"))
    folder.load()
    folder.write("a.yaml", service("a", clusterIP="bogus"), service("c", clusterIP="10.96.0.9"))
    problem = "spec.clusterIP: 'bogus' is not an IP address, \"None\" or empty; skipped"
    notes = [f"{path}: document 1: Service ns/a: {problem}", f"{path}: kept as last read: Service ns/a"]
    assert folder.settled() == (["c.9"], ["b"], notes)
    folder.write("a.yaml", service("a", clusterIP="still bogus"), service("c", clusterIP="10.96.0.9"))
    assert folder.settled()[:2] == ([], [])
    folder.write("a.yaml", service("c", clusterIP="10.96.0.9"))
    assert folder.settled() == ([], ["a"], [f"{path}: all of it can be used again"])
    folder.write("a.yaml", service("a", clusterIP="bogus"), service("c", clusterIP="10.96.0.9"))
    assert folder.load() == (["c.9"], [], notes[:1]), "one that never was good is just missing"


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_emptied_file_keeps_its_objects(with_a: Folder, text: str) -> None:
    path = with_a.write("a.yaml", text)
    note = f"{path}: empty; its objects stay as last read until it has any, or is deleted"
    assert with_a.settled() == ([], [], [note])
    with_a.write("a.yaml", service("b"))
    assert with_a.settled() == (["b"], ["a"], [f"{path}: all of it can be used again"])
    new = with_a.write("new.yaml", text)
    note = f"{new}: empty; nothing is taken for deleted until it has any, or is deleted"
    assert with_a.settled() == ([], [], [note])


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (NOT_TEXT, "cannot be read: not UTF-8 text: byte 6 is 0xff"),
        (b"kind: [\n", "document 1: not valid YAML: did not find expected node content (line 2, column 1)"),
    ],
    ids=["not text", "not YAML"],
)
def test_no_objects_and_unreadable_are_not_the_same(folder: Folder, broken: bytes, problem: str) -> None:
    folder.load()
    assert not folder.source.is_unreadable, "an empty folder"
    path = folder.write("broken.yaml", broken)
    assert folder.settled() == ([], [], [f"{path}: {problem}"])
    assert folder.source.is_unreadable
    good = folder.write("good.yaml", service("a"))
    folder.settled()
    assert not folder.source.is_unreadable, "others are served"
    path.unlink()
    good.write_text("# nothing\n")
    folder.settled()
    assert not folder.source.is_unreadable


def test_a_folder_that_goes_takes_nothing_with_it(folder: Folder) -> None:
    objects, elsewhere = Folder(folder.path / "objects"), folder.path / "elsewhere"
    objects.path.mkdir()
    path = objects.write("a.yaml", service("a"))
    objects.load()
    note = f"{objects.path}: no such file or folder; its objects stay as last read"
    objects.path.rename(elsewhere)
    assert objects.settled() == ([], [], [note]), "that is said once"
    elsewhere.rename(objects.path)
    assert objects.settled() == NOTHING
    path.unlink()
    assert objects.settled() == ([], ["a"], [])
    objects.path.rmdir()
    assert objects.settled() == ([], [], [note]), "that is another time"


def test_a_path_that_is_not_there_is_an_error_at_once(folder: Folder) -> None:
    with pytest.raises(SourceError, match=r"/nowhere: no such file or folder$"):
        folder.load(folder.path / "nowhere")


def test_what_is_defined_in_two_files_is_taken_from_the_later_one(folder: Folder) -> None:
    folder.write("a.yaml", service("x", clusterIP="10.96.0.2"), service("same"))
    last = folder.write("b.yaml", service("x", clusterIP="10.96.0.3"), service("same"))
    note = f"{last}: Service ns/x is defined in another file as well; this one is used"
    assert folder.load() == (["same", "x.3"], [], [note])
    folder.write("c.yaml", service("y"))
    assert folder.settled() == (["y"], [], []), "that is said once"
    last.unlink()
    assert folder.settled() == (["x.2"], [], [])
    folder.write("b.yaml", service("x", clusterIP="10.96.0.3"))
    assert folder.settled() == (["x.3"], [], [note])


def test_an_object_that_moves_to_another_file_stays(with_a: Folder) -> None:
    with_a.write("b.yaml", node())
    with_a.settled()
    with_a.write("a.yaml", service("x"))
    with_a.write("b.yaml", node(), service("a"))
    assert with_a.settled() == (["x"], [], [])
    with_a.write("b.yaml", "kind: [\n")
    with_a.settled()
    with_a.write("a.yaml", service("y"))
    note = "in no file any more, but kept until all can be read: Service ns/x"
    assert with_a.settled() == (["y"], [], [note]), "it may have moved to the one that cannot be read"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (as_yaml(service("a")) + "---\n[\n", (["a"], [], ["stdin: document 2"])),
        ("\n", ([], [], ["stdin: empty: nothing came in"])),
    ],
    ids=["some", "none"],
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, folder: Folder, text: str, expected: Told) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    put, removed, notes = folder.load(Path("-"))
    assert (put, removed, [note.partition(": not valid")[0] for note in notes]) == expected
    assert not folder.source.is_unreadable
    assert folder.settled() == NOTHING


def test_a_config_map_mounted_as_a_folder(folder: Folder) -> None:
    """Its files are links through `..data`, which is put in the place of the old one at a change."""
    for version in ("v1", "v2"):
        (folder.path / version).mkdir()
        folder.write(f"{version}/web.yaml", service(clusterIP=f"10.96.0.{version[1]}"))
    mount = folder.path / "mount"
    mount.mkdir()
    (mount / "..data").symlink_to(folder.path / "v1")
    (mount / "web.yaml").symlink_to("..data/web.yaml")
    assert folder.load(mount) == (["web"], [], [])
    (mount / "..data_tmp").symlink_to(folder.path / "v2")
    (mount / "..data_tmp").replace(mount / "..data")
    assert folder.settled() == (["web.2"], [], [])
