"""What is said about input that was not used as it is."""

from pathlib import Path
from typing import get_args

import pytest

from pykubeproxy.cluster import input_notes as notes
from pykubeproxy.cluster.input_notes import InputNote, input_note_text
from pykubeproxy.cluster.translate import Ignored
from pykubeproxy.model.snapshot import ObjectId

NAME = ObjectId("Service", "default", "web")
PLACE = "f.yaml: document 2"
PATH = Path("f.yaml")
WORDS: dict[InputNote, tuple[str, bool]] = {
    notes.UnusedKind(place=PLACE, kind="Pod"): (f"{PLACE}: Pod is not used here; skipped", False),
    notes.UnreadableDocument(place=PLACE, problem="nested too deeply"): (f"{PLACE}: nested too deeply", True),
    notes.BadObjectSkipped(name=NAME, problem="x: y"): ("Service default/web: x: y; skipped", True),
    notes.PartIgnored(name=NAME, part=Ignored("x", "y")): ("Service default/web: x: y; left out", False),
    notes.PartIgnored(name=NAME, part=Ignored("x", "y", is_error=True)): ("Service default/web: x: y", True),
    notes.DefinedTwice(place=PLACE, name=NAME): (
        f"{PLACE}: Service default/web: defined twice; this one is used",
        True,
    ),
    notes.DefinedInOtherFile(place="f.yaml", name=NAME): (
        "f.yaml: Service default/web is defined in another file as well; this one is used",
        True,
    ),
    notes.PathUnreadable(problem="d: no such file or folder"): (
        "d: no such file or folder; its objects stay as last read",
        True,
    ),
    notes.FileUnreadable(path=PATH, problem="Permission denied", has_objects=True): (
        "f.yaml: cannot be read: Permission denied; its objects stay as last read",
        True,
    ),
    notes.FileEmpty(path=PATH, has_objects=False): (
        "f.yaml: empty; nothing is taken for deleted until it has any, or is deleted",
        True,
    ),
    notes.StdinEmpty(): ("stdin: empty: nothing came in", True),
    notes.FileMended(path=PATH): ("f.yaml: all of it can be used again", False),
    notes.FolderEmpty(path=PATH): (
        "f.yaml: no manifest in this folder (.yaml, .yml, .json; folders in it are not looked into)",
        True,
    ),
    notes.FileBesideApi(path=PATH): ("f.yaml: not read: objects come from the API server", True),
    notes.ServiceLeftOut(name=NAME): ("left out: Service default/web, it has no clusterIP yet", False),
    notes.ObjectsKept(path=PATH, names=(NAME, NAME)): (
        "f.yaml: kept as last read: Service default/web, Service default/web",
        False,
    ),
    notes.ObjectsInNoFile(names=(NAME,)): (
        "in no file any more, but kept until all can be read: Service default/web",
        False,
    ),
}


@pytest.mark.parametrize(("note", "expected"), WORDS.items())
def test_the_words_for_a_note(note: InputNote, expected: tuple[str, bool]) -> None:
    assert (input_note_text(note), note.is_error) == expected


def test_every_kind_of_note_has_words_here() -> None:
    assert {type(note) for note in WORDS} == set(get_args(InputNote))
