"""Objects from files and folders, watched for changes: a Service proxy without a cluster.

Files are looked at by their metadata several times a second, and read again once they have come to rest, so that a
file caught while it is being written is not taken for its new content. While a manifest cannot be read, its objects
stay as they were last read.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from pykubeproxy.cluster.documents import Parsed, parse_manifest
from pykubeproxy.cluster.source import Change, Note
from pykubeproxy.model.snapshot import Object, ObjectId

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "-"

# Seconds between two looks. A change is read at the second look that finds it the same, half a second later at most.
POLL_INTERVAL = 0.2


class SourceError(Exception):
    """A path that cannot be used as a source at all."""


class _Signature(msgspec.Struct, frozen=True):
    """What changes when a file does. `changed_ns` tells also when it became readable, or was put there by a rename."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int


class _File(msgspec.Struct):
    """A manifest: what it looked like when it was read, and the objects it gave; more, perhaps, if it is broken."""

    signature: _Signature | None = None
    objects: dict[ObjectId, Object] = {}
    is_broken: bool = False


class Manifests:
    """The objects of some files and folders. `poll` tells what has changed since the last time."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = [Path(path) for path in paths]
        self._files: dict[Path, _File] = {}
        self._seen: dict[Path, _Signature] = {}
        self._current: dict[ObjectId, Object] = {}
        self._notes: list[Note] = []
        self._clashes: set[Note] = set()
        self._is_unreachable = False
        self._look()

    def load(self) -> Change:
        """Read everything now: for the first time, or for commands that look once. Raises SourceError."""
        return self._update(self._look(), settled_only=False)

    def poll(self) -> Change:
        """Read what has changed and come to rest since the last call; mostly that is nothing."""
        try:
            found = self._look()
        except SourceError as error:
            # Nothing can be said to be gone while a path cannot be listed.
            if not self._is_unreachable:
                self._notes.append(Note(f"{error}; its objects stay as last read"))
            self._is_unreachable = True
            return self._flush_notes()
        self._is_unreachable = False
        return self._update(found, settled_only=True)

    @property
    def is_unreadable(self) -> bool:
        """True if there are no objects because something could not be read: what there should be is not known."""
        return not self._current and any(file.is_broken for file in self._files.values())

    def _look(self) -> dict[Path, _Signature]:
        """What the files look like now. Raises SourceError if a path is not there or cannot be listed."""
        try:
            return {file: signature for path in self._paths for file, signature in _manifests_in(path)}
        except FileNotFoundError as error:
            raise SourceError(f"{error.filename}: no such file or folder") from None
        except OSError as error:
            raise SourceError(f"{error.filename}: {error.strerror}") from None

    def _update(self, found: dict[Path, _Signature], *, settled_only: bool) -> Change:
        gone = self._files.keys() - found.keys()
        changed = [
            path
            for path, signature in found.items()
            if (path not in self._files or self._files[path].signature != signature)
            and not (settled_only and self._seen.get(path) != signature)
        ]
        self._seen = found
        for path in gone:
            del self._files[path]
        for path in changed:
            self._read(path, found[path])
        return self._diff() if gone or changed else self._flush_notes()

    def _read(self, path: Path, signature: _Signature) -> None:
        """Read one file; of what cannot be read, keep what was there before."""
        file = self._files.setdefault(path, _File(objects={}))
        file.signature = signature
        try:
            text = sys.stdin.read() if str(path) == STDIN else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            kept_note = "; its objects stay as last read" if file.objects else ""
            self._notes.append(Note(f"{path}: cannot be read: {_reading_problem(error)}{kept_note}"))
            file.is_broken = True
            return
        if file.objects and not text.strip():
            # More likely about to be written than meant: a shell empties a file long before it has what goes there.
            self._notes.append(Note(f"{path}: empty; its objects stay as last read until it has any, or is deleted"))
            return
        parsed = parse_manifest(text, "stdin" if str(path) == STDIN else str(path))
        kept = dict(_still_valid(file.objects, parsed))
        self._notes.extend(parsed.notes)
        if kept:
            self._notes.append(Note(f"{path}: kept as last read: {', '.join(map(str, kept))}", is_error=False))
        file.objects = kept | parsed.objects
        file.is_broken = parsed.is_broken

    def _diff(self) -> Change:
        """The objects of all files against those that were told last; a later file wins over an earlier one."""
        merged: dict[ObjectId, Object] = {}
        clashes = set()
        for path in sorted(self._files):
            for name, obj in self._files[path].objects.items():
                if name in merged and merged[name] != obj:
                    clashes.add(Note(f"{path}: {name} is defined in another file as well; this one is used"))
                merged[name] = obj
        self._notes += sorted(clashes - self._clashes, key=str)
        self._clashes = clashes
        put = tuple(obj for name, obj in merged.items() if self._current.get(name) != obj)
        removed = tuple(name for name in self._current if name not in merged)
        self._current = merged
        return Change(put=put, removed=removed, notes=self._flush_notes().notes)

    def _flush_notes(self) -> Change:
        notes, self._notes = tuple(self._notes), []
        return Change(notes=notes)


def _reading_problem(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
    return error.strerror or str(error)


def _still_valid(before: dict[ObjectId, Object], parsed: Parsed) -> Iterator[tuple[ObjectId, Object]]:
    """The objects of the last reading that this one could not replace."""
    for name, obj in before.items():
        if name not in parsed.objects and (parsed.is_broken or name in parsed.bad):
            yield name, obj


def _manifests_in(path: Path) -> Iterator[tuple[Path, _Signature]]:
    """The files to read for a path, and what they look like; of a folder, those that look like manifests."""
    if str(path) == STDIN or not path.is_dir():
        yield path, _signature(path)
        return
    for entry in sorted(path.iterdir()):
        if entry.suffix in SUFFIXES and not entry.name.startswith(".") and entry.is_file():
            # A file may go just when it is looked at: an editor puts a new one in its place.
            with suppress(FileNotFoundError):
                yield entry, _signature(entry)


def _signature(path: Path) -> _Signature:
    if str(path) == STDIN:
        return _Signature(0, 0, 0, 0)
    status = path.stat()
    return _Signature(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
