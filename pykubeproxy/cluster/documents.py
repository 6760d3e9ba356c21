"""Manifest text to model objects: YAML or JSON, several documents, lists.

Each document is read on its own, so that a mistake in one does not take the others with it, and each problem names its
document and field.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from pykubeproxy.cluster import input_notes
from pykubeproxy.cluster.resources import FOLLOWED, Resource
from pykubeproxy.cluster.translate import BadObject, Ignored
from pykubeproxy.cluster.validation import field_first
from pykubeproxy.model.snapshot import Object, ObjectId, identify

DEFAULT_NAMESPACE = "default"

# A document begins at a line `---`, which YAML allows nowhere else in the first column.
_DOCUMENT_START = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_LINE = re.compile(r"[^\n]+")


class ManifestContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a text holds. `bad` names objects that could not be used; `is_broken` means that more may be missing.

    `unread` lists what could not be used: the file, the document, and the object if its name is known.
    """

    objects: dict[ObjectId, Object]
    bad: frozenset[ObjectId]
    is_broken: bool
    notes: tuple[input_notes.InputNote, ...]
    unread: tuple[str, ...] = ()


def parse_manifest(text: str, where: str, resources: Sequence[Resource] = FOLLOWED) -> ManifestContent:
    """Read all objects of a manifest that are of these kinds; `where`, the file's name, begins every note."""
    reader = _ManifestReader(where, resources)
    for number, (line, document) in enumerate(_documents(text), 1):
        reader.read(document, number, line)
    return ManifestContent(
        objects=reader.objects,
        bad=frozenset(reader.bad),
        is_broken=reader.is_broken,
        notes=tuple(reader.notes),
        unread=tuple(reader.unread),
    )


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """The documents of a YAML stream, or the one of a JSON file, each with the number of lines before it.

    Those without content are left out.
    """
    line = 0
    # Searching for the marks of a stream takes long, and large files are in JSON, mostly.
    for document in _DOCUMENT_START.split(text) if "---" in text else [text]:
        if any(_is_content(found[0]) for found in _LINE.finditer(document)):
            yield line, document
        line += document.count("\n")


def _is_content(line: str) -> bool:
    return line.strip() not in ("", "...") and not line.lstrip().startswith("#")


class _ManifestReader:
    """Collects the objects of one manifest."""

    def __init__(self, where: str, resources: Sequence[Resource]) -> None:
        self.objects: dict[ObjectId, Object] = {}
        self.bad: set[ObjectId] = set()
        self.notes: list[input_notes.InputNote] = []
        self.unread: list[str] = []
        self.is_broken = False
        self._where = where
        self._resources = {resource.kind: resource for resource in resources}

    def read(self, document: str, number: int, line: int = 0) -> None:
        """Read document `number`, which has `line` lines of the file before it."""
        place = f"{self._where}: document {number}"
        try:
            content = _load(document)
        except RecursionError:
            self._break(place, "nested too deeply")
            return
        except Exception as error:  # noqa: BLE001  PyYAML's constructors raise whatever they stumble over
            self._break(place, f"not valid YAML: {_yaml_problem(error, line)}")
            return
        try:
            if content is not None:
                self._take(content, place)
        except RecursionError:
            self._break(place, "nested too deeply")

    def _take(self, content: object, place: str, listed_as: str = "", list_version: object = None) -> None:
        """One object, or a list of them. `listed_as` is the kind that a typed list gives its items."""
        if not isinstance(content, dict):
            self._break(place, f"a Kubernetes object is expected, not {type(content).__name__}")
            return
        kind = content.get("kind") or listed_as
        version = content.get("apiVersion") or list_version
        if not isinstance(kind, str) or not kind:
            self._break(place, "kind: not set; Service, EndpointSlice, Node or List is expected")
        elif kind == "List" or (kind.removesuffix("List") in self._resources and kind.endswith("List")):
            self._take_list(content, place, kind.removesuffix("List"), version)
        elif kind not in self._resources:
            self.notes.append(input_notes.UnusedKind(place=place, kind=kind))
        else:
            self._take_object(content, place, kind, version)

    def _take_list(self, content: Mapping[str, object], place: str, kind: str, version: object) -> None:
        items = content.get("items")
        if not isinstance(items, list):
            self._break(place, "items: a list is expected")
            return
        for i, item in enumerate(items):
            its_place, its_version = f"{place}: items[{i}]", version if kind else None
            if not isinstance(item, msgspec.Raw):
                self._take(item, its_place, kind, its_version)
            elif not self._take_plain(item, its_place, kind, its_version):
                self._take_text(item, its_place, kind, its_version)

    def _take_plain(self, item: msgspec.Raw, place: str, listed_as: str, list_version: object) -> bool:
        """An object of a list in JSON, straight to its own type. False if it has to be read by `_take_text`."""
        with suppress(msgspec.DecodeError, BadObject):
            head = msgspec.json.decode(item, type=_Head)
            kind, version = head.kind or listed_as, head.api_version or list_version
            resource, name = self._resources.get(kind), ObjectId(kind, head.metadata.namespace, head.metadata.name)
            is_named = bool(name.name) and bool(name.namespace) is (resource is not None and resource.is_namespaced)
            if resource is not None and version == resource.api_version and is_named:
                self._keep(name, place, *resource.translate(msgspec.json.decode(item, type=resource.wire)))
                return True
        return False

    def _take_text(self, item: msgspec.Raw, place: str, listed_as: str, list_version: object) -> None:
        try:
            content = msgspec.json.decode(item)
        except msgspec.DecodeError as error:
            self._break(place, f"not valid JSON: {error}")
        else:
            self._take(content, place, listed_as, list_version)

    def _take_object(self, content: dict[str, Any], place: str, kind: str, version: object) -> None:
        resource = self._resources[kind]
        name = _name(content, kind, namespaced=resource.is_namespaced)
        if name is None:
            self._break(place, f"{kind}: metadata.name: not set")
            return
        try:
            _check_version(version, resource.api_version)
            translated = resource.translate(msgspec.convert(content, resource.wire))
        except (BadObject, msgspec.ValidationError) as error:
            self.bad.add(name)
            self.unread.append(f"{place}: {name}")
            problem = str(error) if isinstance(error, BadObject) else field_first(error)
            self.notes.append(input_notes.BadObjectSkipped(place=place, name=name, problem=problem))
            return
        self._keep(name, place, *translated)

    def _keep(self, name: ObjectId, place: str, obj: Object | None, ignored: Iterable[Ignored]) -> None:
        self.notes.extend(input_notes.PartIgnored(place=place, name=name, part=part) for part in ignored)
        if obj is not None:
            if name in self.objects:
                self.notes.append(input_notes.DefinedTwice(place=place, name=name))
            self.objects[identify(obj)] = obj

    def _break(self, place: str, problem: str) -> None:
        self.is_broken = True
        self.unread.append(place)
        self.notes.append(input_notes.UnreadableDocument(place=place, problem=problem))


def _check_version(version: object, expected: str) -> None:
    if version != expected:
        raise BadObject("apiVersion", f"{version!r} is not {expected}")


class _HeadMetadata(msgspec.Struct):
    name: str
    namespace: str = ""


class _Head(msgspec.Struct, rename="camel"):
    """The fields that identify an object."""

    metadata: _HeadMetadata
    kind: str = ""
    api_version: str = ""


class _List(msgspec.Struct, rename="camel"):
    """A list in JSON, whose items are read one after the other: all at once would take five times their text."""

    kind: str
    items: list[msgspec.Raw]
    api_version: str | None = None


def _load(document: str) -> object:
    if document.lstrip().startswith("{"):
        with suppress(msgspec.DecodeError):
            found = msgspec.json.decode(document, type=_List)
            if found.kind.endswith("List"):
                return {"kind": found.kind, "apiVersion": found.api_version, "items": found.items}
        with suppress(msgspec.DecodeError):  # YAML's flow style looks like JSON
            return msgspec.json.decode(document)
    # PyYAML takes long to load, and large manifests are in JSON.
    import yaml  # noqa: PLC0415

    from pykubeproxy.cluster.yaml_loader import Loader  # noqa: PLC0415

    return yaml.load(document, Loader=Loader)  # noqa: S506  a safe loader


def _name(content: dict[str, Any], kind: str, *, namespaced: bool) -> ObjectId | None:
    """The object's identity as written; a namespace that is not given is filled in."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return None
    if not namespaced:
        return ObjectId(kind, "", metadata["name"])
    if metadata.get("namespace") in (None, ""):
        metadata["namespace"] = DEFAULT_NAMESPACE
    return ObjectId(kind, str(metadata["namespace"]), metadata["name"])


def _yaml_problem(error: Exception, line: int) -> str:
    """A YAML error on one line, with its place in the file."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
    return f"{problem} (line {line + mark.line + 1}, column {mark.column + 1})" if mark else problem
