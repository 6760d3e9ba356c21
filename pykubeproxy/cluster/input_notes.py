"""Remarks on input that was not used as it is, such as a mistake in a manifest: values, and the text of each.

The texts are here and not in `pykubeproxy.explain`, since the values name files, documents and fields of
the API, of which no package below this one knows.
"""

from pathlib import Path
from typing import assert_never

import msgspec

from pykubeproxy.cluster.translate import Ignored
from pykubeproxy.model.printable import printable
from pykubeproxy.model.snapshot import ObjectId

_LONGEST_TEXT = 1000


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about some input. `place` is the file and the document in it (`web.yaml: document 2`), if it is a file."""

    place: str = ""

    @property
    def is_error(self) -> bool:
        """True for a mistake in the input, False for a remark: a file may hold anything, and a mistake is one note."""
        if isinstance(self, PartIgnored):
            return self.part.is_error
        return not isinstance(self, UnusedKind | ObjectsKept | ObjectsInNoFile)


class UnusedKind(_Note, frozen=True, kw_only=True):
    """An object of a kind that a Service proxy has no use for."""

    kind: str


class UnreadableDocument(_Note, frozen=True, kw_only=True):
    """A document, or an item of a list in it, that is no Kubernetes object."""

    problem: str


class BadObjectSkipped(_Note, frozen=True, kw_only=True):
    """An object that cannot be used; `problem` begins with the field that is wrong."""

    name: ObjectId
    problem: str


class PartIgnored(_Note, frozen=True, kw_only=True):
    """A part of an object was left out, or spoils its use."""

    name: ObjectId
    part: Ignored


class DefinedTwice(_Note, frozen=True, kw_only=True):
    """A file has two objects of one name; the later one is used."""

    name: ObjectId


class DefinedInOtherFile(_Note, frozen=True, kw_only=True):
    """Two files have different objects of one name; that of the file `place` is used."""

    name: ObjectId


class PathUnreadable(_Note, frozen=True, kw_only=True):
    """A path that was given can no longer be listed, for example because it is gone."""

    problem: str


class FileUnreadable(_Note, frozen=True, kw_only=True):
    """A file cannot be read. With `has_objects`, those that it had before are still used."""

    path: Path
    problem: str
    has_objects: bool


class FileEmpty(_Note, frozen=True, kw_only=True):
    """A file has nothing in it. With `has_objects`, those that it had before are still used."""

    path: Path
    has_objects: bool


class StdinEmpty(_Note, frozen=True, kw_only=True):
    """Nothing came in from standard input."""


class FileMended(_Note, frozen=True, kw_only=True):
    """All of a file can be used again, of which something could not."""

    path: Path

    @property
    def is_error(self) -> bool:
        """False: it is good news."""
        return False


class FolderEmpty(_Note, frozen=True, kw_only=True):
    """A folder has no file in it that looks like a manifest; folders below it are not looked into."""

    path: Path


class FileBesideApi(_Note, frozen=True, kw_only=True):
    """A file or folder was not read, since objects come from the API server."""

    path: Path


class ServiceLeftOut(_Note, frozen=True, kw_only=True):
    """A Service has no rules, since the API server has not given it a clusterIP yet."""

    name: ObjectId

    @property
    def is_error(self) -> bool:
        """False: nobody has to mend it."""
        return False


class ObjectsKept(_Note, frozen=True, kw_only=True):
    """Objects that a file had before, and of which it cannot be read any more whether they are there."""

    path: Path
    names: tuple[ObjectId, ...]


class ObjectsInNoFile(_Note, frozen=True, kw_only=True):
    """Objects that are in no file any more, but may be in one that cannot be read."""

    names: tuple[ObjectId, ...]


InputNote = (
    UnusedKind
    | UnreadableDocument
    | BadObjectSkipped
    | PartIgnored
    | DefinedTwice
    | DefinedInOtherFile
    | PathUnreadable
    | FileUnreadable
    | FileEmpty
    | StdinEmpty
    | FileMended
    | FolderEmpty
    | FileBesideApi
    | ServiceLeftOut
    | ObjectsKept
    | ObjectsInNoFile
)


def input_note_text(note: InputNote) -> str:
    """A note on one line of at most some 1,000 characters.

    Line breaks and other control characters, which the input may have brought along, are shown as escapes; of a text
    that is too long, the middle is left out.
    """
    text = printable(f"{note.place}: {_text(note)}" if note.place else _text(note))
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[: _LONGEST_TEXT // 2]}...{text[-_LONGEST_TEXT // 2 :]}"


def _text(note: InputNote) -> str:  # noqa: C901, PLR0911, PLR0912  one sentence for each kind of note
    match note:
        case UnusedKind(kind=kind):
            return f"{kind} is not used here; skipped"
        case UnreadableDocument(problem=problem):
            return problem
        case BadObjectSkipped(name=name, problem=problem):
            return f"{name}: {problem}; skipped"
        case PartIgnored(name=name, part=part):
            return f"{name}: {part}" if part.is_error else f"{name}: {part}; left out"
        case DefinedTwice(name=name):
            return f"{name}: defined twice; this one is used"
        case DefinedInOtherFile(name=name):
            return f"{name} is defined in another file as well; this one is used"
        case PathUnreadable(problem=problem):
            return f"{problem}; its objects stay as last read"
        case FileUnreadable(path=path, problem=problem, has_objects=has_objects):
            kept = "; its objects stay as last read" if has_objects else ""
            return f"{path}: cannot be read: {problem}{kept}"
        case FileEmpty(path=path, has_objects=has_objects):
            kept = "its objects stay as last read" if has_objects else "nothing is taken for deleted"
            return f"{path}: empty; {kept} until it has any, or is deleted"
        case StdinEmpty():
            return "stdin: empty: nothing came in"
        case FileMended(path=path):
            return f"{path}: all of it can be used again"
        case FolderEmpty(path=path):
            return f"{path}: no manifest in this folder (.yaml, .yml, .json; folders in it are not looked into)"
        case FileBesideApi(path=path):
            return f"{path}: not read: objects come from the API server"
        case ServiceLeftOut(name=name):
            return f"left out: {name}, it has no clusterIP yet"
        case ObjectsKept(path=path, names=names):
            return f"{path}: kept as last read: {', '.join(map(str, names))}"
        case ObjectsInNoFile(names=names):
            return f"in no file any more, but kept until all can be read: {', '.join(map(str, names))}"
        case _:
            assert_never(note)
