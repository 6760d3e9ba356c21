"""Objects from files and folders, watched for changes: a Service proxy without a cluster.

Files are looked at by their metadata several times a second, and read again once they have come to rest, so that a
file caught while it is being written is not taken for its new content. While a manifest cannot be read, its objects
stay as they were last read.
"""

import sys
from collections.abc import Iterable, Iterator
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
    """What changes when a file does."""

    modified_ns: int
    size: int
    inode: int


class _File(msgspec.Struct):
    """A manifest: what it looked like when it was read, and the objects it gave."""

    signature: _Signature | None = None
    objects: dict[ObjectId, Object] = {}


class Manifests:
    """The objects of some files and folders. `poll` tells what has changed since the last time."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = [Path(path) for path in paths]
        self._files: dict[Path, _File] = {}
        self._seen: dict[Path, _Signature] = {}
        self._current: dict[ObjectId, Object] = {}
        self._notes: list[Note] = []
        self._is_unreachable = False
        for path in self._paths:
            if not path.exists() and str(path) != STDIN:
                raise SourceError(f"{path}: no such file or folder")

    def load(self) -> Change:
        """Read everything now: for the first time, or for commands that look once."""
        return self._update(self._look(), settled_only=False)

    def poll(self) -> Change:
        """Read what has changed and come to rest since the last call; mostly that is nothing."""
        return self._update(self._look(), settled_only=True)

    def _look(self) -> dict[Path, _Signature] | None:
        """What the files look like now; None if a path cannot be listed, so that nothing can be said to be gone."""
        try:
            found = {file: _signature(file) for path in self._paths for file in _manifests_in(path)}
        except OSError as error:
            if not self._is_unreachable:
                self._notes.append(Note(f"{error.filename}: {error.strerror}; its objects stay as last read"))
            self._is_unreachable = True
            return None
        self._is_unreachable = False
        return found

    def _update(self, found: dict[Path, _Signature] | None, *, settled_only: bool) -> Change:
        if found is None:
            return self._flush_notes()
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
            text = sys.stdin.read() if str(path) == STDIN else path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            self._notes.append(Note(f"{path}: cannot be read: {error}; its objects stay as last read"))
            return
        parsed = parse_manifest(text, "stdin" if str(path) == STDIN else str(path))
        kept = dict(_still_valid(file.objects, parsed))
        self._notes.extend(parsed.notes)
        if kept:
            self._notes.append(Note(f"{path}: kept as last read: {', '.join(map(str, kept))}", is_error=False))
        file.objects = kept | parsed.objects

    def _diff(self) -> Change:
        """The objects of all files against those that were told last; a later file wins over an earlier one."""
        merged: dict[ObjectId, Object] = {}
        for path in sorted(self._files):
            for name, obj in self._files[path].objects.items():
                if name in merged and merged[name] != obj:
                    self._notes.append(Note(f"{path}: {name} is defined in another file as well; this one is used"))
                merged[name] = obj
        put = tuple(obj for name, obj in merged.items() if self._current.get(name) != obj)
        removed = tuple(name for name in self._current if name not in merged)
        self._current = merged
        return Change(put=put, removed=removed, notes=self._flush_notes().notes)

    def _flush_notes(self) -> Change:
        notes, self._notes = tuple(self._notes), []
        return Change(notes=notes)


def _still_valid(before: dict[ObjectId, Object], parsed: Parsed) -> Iterator[tuple[ObjectId, Object]]:
    """The objects of the last reading that this one could not replace."""
    for name, obj in before.items():
        if name not in parsed.objects and (parsed.is_broken or name in parsed.bad):
            yield name, obj


def _manifests_in(path: Path) -> Iterator[Path]:
    """The files to read for a path; of a folder, those that look like manifests."""
    if str(path) == STDIN or not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir()):
        if entry.suffix in SUFFIXES and not entry.name.startswith(".") and entry.is_file():
            yield entry


def _signature(path: Path) -> _Signature:
    if str(path) == STDIN:
        return _Signature(0, 0, 0)
    status = path.stat()
    return _Signature(status.st_mtime_ns, status.st_size, status.st_ino)
