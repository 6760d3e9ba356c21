"""Objects from files and folders, watched for changes: a Service proxy without a cluster.

The metadata of the files is polled several times a second. A file that has changed is read when two polls in a row
find the same metadata, so that a file is not read while it is being written. While a file cannot be read, its objects
stay as they were last read, and no object of any file counts as deleted: it may have moved to the unreadable file.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from pykubeproxy.cluster import input_notes
from pykubeproxy.cluster.documents import ManifestContent, parse_manifest
from pykubeproxy.cluster.resources import FOLLOWED, Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.model.errors import ReportedError
from pykubeproxy.model.snapshot import Object, ObjectId

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "-"

# Seconds between two polls. A change is read at most half a second after it was made.
POLL_INTERVAL = 0.2

# At the start, files are read once they have not been written to for the first number of seconds; that is waited for
# up to the second number of seconds.
_SETTLED_AFTER = 1.0
_SETTLING_TIMEOUT = 5.0


class SourceError(ReportedError):
    """A path that cannot be used as a source at all."""


class _Signature(msgspec.Struct, frozen=True):
    """Metadata that changes with a file; `changed_ns` also when it becomes readable, or is put there by a rename."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int


class _File(msgspec.Struct):
    """A manifest: what it looked like when it was read, and the objects it gave; more, perhaps, if it is broken.

    `unread` says what of it could not be read.
    """

    signature: _Signature | None = None
    objects: dict[ObjectId, Object] = {}
    is_broken: bool = False
    unread: tuple[str, ...] = ()


class Manifests:
    """The objects of some files and folders, of the kinds in `resources`.

    `poll` returns what has changed since the call before.
    """

    def __init__(self, paths: Iterable[str], resources: Sequence[Resource] = FOLLOWED) -> None:
        self._paths = [Path(path) for path in paths]
        self._resources = resources
        self._files: dict[Path, _File] = {}
        self._seen: dict[Path, _Signature] = {}
        self._current: dict[ObjectId, Object] = {}
        self._notes: list[input_notes.InputNote] = []
        self._clashes: set[input_notes.DefinedInOtherFile] = set()
        self._unreachable = ""
        self._unsettled: tuple[Path, ...] = ()
        self._was_settled = False
        self._was_complete = False
        self._kept: set[ObjectId] = set()
        self._look()

    def load(self) -> ObjectChanges:
        """Read everything now: for the first time, or for commands that look once. Raises SourceError."""
        found = self._look()
        folders = (path for path in self._paths if path.is_dir() and str(path) != STDIN)
        read = {path.parent for path in found}
        self._notes += (input_notes.FolderEmpty(path=path) for path in folders if path not in read)
        return self._update(found, settled_only=False)

    def wait_until_settled(self) -> None:
        """Wait until the files have not been written to for a second, for five seconds at most. Raises SourceError."""
        deadline = time.monotonic() + _SETTLING_TIMEOUT
        found, self._seen = self._look(), {}
        while any(map(_is_recent, found.values())) and found != self._seen and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
            self._seen, found = found, self._look()

    def poll(self) -> ObjectChanges:
        """Read the files that have changed and settled since the last call; mostly there are none."""
        try:
            found = self._look()
        except SourceError as error:
            # While a path cannot be listed, no object counts as deleted.
            if not self._unreachable:
                self._notes.append(input_notes.PathUnreadable(problem=str(error)))
            self._unreachable = str(error)
            return self._flush_notes()
        self._unreachable = ""
        return self._update(found, settled_only=True)

    @property
    def is_unreadable(self) -> bool:
        """True if there are no objects because something could not be read: what there should be is not known."""
        return not self._current and any(file.is_broken for file in self._files.values())

    @property
    def unread(self) -> tuple[str, ...]:
        """What cannot be read now, or was being written when it was first read: its objects are not known.

        Once everything has been read, an object that makes no sense concerns nothing but itself.
        """
        files = [self._files[path] for path in sorted(self._files)]
        unread = [text for file in files if file.is_broken or not self._was_complete for text in file.unread]
        unreachable = [self._unreachable] if self._unreachable else []
        unsettled = () if self._was_settled else self._unsettled
        return (*unreachable, *unread, *(f"{path}: being written" for path in unsettled))

    def _look(self) -> dict[Path, _Signature]:
        """What the files look like now. Raises SourceError if a path is not there or cannot be listed."""
        try:
            return {file: signature for path in self._paths for file, signature in _manifests_in(path)}
        except FileNotFoundError as error:
            raise SourceError(f"{error.filename}: no such file or folder") from None
        except OSError as error:
            raise SourceError(f"{error.filename}: {error.strerror}") from None

    def _update(self, found: dict[Path, _Signature], *, settled_only: bool) -> ObjectChanges:
        gone = self._files.keys() - found.keys()
        different = [
            path
            for path, signature in found.items()
            if path not in self._files or self._files[path].signature != signature
        ]
        unsettled = tuple(path for path in different if self._seen and self._seen.get(path) != found[path])
        changed = [path for path in different if not (settled_only and path in unsettled)]
        has_settled = bool(self._unsettled) and not unsettled
        self._seen, self._unsettled = found, unsettled
        self._was_settled |= not unsettled
        for path in gone:
            del self._files[path]
        for path in changed:
            self._read(path, found[path])
        self._was_complete |= not self.unread
        return self._diff() if gone or changed or has_settled else self._flush_notes()

    def _read(self, path: Path, signature: _Signature) -> None:
        """Read one file; of what cannot be read, keep what was there before."""
        file = self._files.setdefault(path, _File(objects={}))
        file.signature = signature
        try:
            text = sys.stdin.read() if str(path) == STDIN else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            note = input_notes.FileUnreadable(
                path=path, problem=_reading_problem(error), has_objects=bool(file.objects)
            )
            self._notes.append(note)
            file.is_broken, file.unread = True, (str(path),)
            return
        if str(path) != STDIN and not text.strip():
            # More likely about to be written than meant: a shell empties a file long before it has what goes there.
            self._notes.append(input_notes.FileEmpty(path=path, has_objects=bool(file.objects)))
            file.is_broken, file.unread = True, (f"{path}: empty",)
            return
        place = "stdin" if str(path) == STDIN else str(path)
        if not text.strip():
            # A command whose output should have come in has failed, perhaps. No object may be what is meant, too.
            self._notes.append(input_notes.StdinEmpty())
        parsed = parse_manifest(text, place, self._resources)
        if file.unread and not parsed.unread:
            self._notes.append(input_notes.FileMended(path=path))
        kept = dict(_still_valid(file.objects, parsed))
        self._notes.extend(parsed.notes)
        if kept:
            self._notes.append(input_notes.ObjectsKept(path=path, names=tuple(kept)))
        file.objects = kept | parsed.objects
        file.is_broken, file.unread = parsed.is_broken, parsed.unread

    def _diff(self) -> ObjectChanges:
        """The objects of all files compared with those returned before; of two files, the later one by name wins."""
        merged: dict[ObjectId, Object] = {}
        clashes = set()
        for path in sorted(self._files):
            for name, obj in self._files[path].objects.items():
                if name in merged and merged[name] != obj:
                    clashes.add(input_notes.DefinedInOtherFile(place=str(path), name=name))
                merged[name] = obj
        self._notes += sorted(clashes - self._clashes, key=input_notes.input_note_text)
        self._clashes = clashes
        put = tuple(obj for name, obj in merged.items() if self._current.get(name) != obj)
        removed = tuple(name for name in self._current if name not in merged)
        if self.unread:
            self._note_kept(removed)
        if self.unread or self._unsettled:
            merged |= {name: self._current[name] for name in removed}
            removed = ()
        self._kept &= merged.keys()
        self._current = merged
        return msgspec.structs.replace(self._flush_notes(), put=put, removed=removed)

    def _note_kept(self, names: Iterable[ObjectId]) -> None:
        """Say once of each object that it is in no file any more, and stays until all files can be read."""
        new = sorted(set(names) - self._kept)
        self._kept = set(names)
        if new:
            self._notes.append(input_notes.ObjectsInNoFile(names=tuple(new)))

    def _flush_notes(self) -> ObjectChanges:
        notes, self._notes = tuple(self._notes), []
        return ObjectChanges(notes=notes, unread=self.unread)


def _reading_problem(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
    return error.strerror or str(error)


def _still_valid(before: dict[ObjectId, Object], parsed: ManifestContent) -> Iterator[tuple[ObjectId, Object]]:
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
        if entry.suffix in SUFFIXES and not entry.name.startswith("."):
            # A file may go just when it is looked at: an editor puts a new one in its place.
            with suppress(FileNotFoundError):
                if entry.is_file() or _leads_nowhere(entry):
                    yield entry, _signature(entry)


def _signature(path: Path) -> _Signature:
    if str(path) == STDIN:
        return _Signature(0, 0, 0, 0)
    # Of a link that leads nowhere, the link's own.
    status = path.lstat() if _leads_nowhere(path) else path.stat()
    return _Signature(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _is_recent(signature: _Signature) -> bool:
    """True if the file was written to within the last second, by the clock of this machine."""
    return abs(time.time_ns() - max(signature.modified_ns, signature.changed_ns)) < _SETTLED_AFTER * 1e9
