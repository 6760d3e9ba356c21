"""Which objects of a resource are known, and what has changed in them: from wire objects to ObjectChanges.

The objects themselves are not kept, only the name and the last resourceVersion of each. That is enough to leave out
what a new list only repeats, and to notice what is gone from it.
"""

import msgspec

from pykubeproxy.cluster import wire
from pykubeproxy.cluster.input_notes import BadObjectSkipped, InputNote, PartIgnored
from pykubeproxy.cluster.resources import Resource
from pykubeproxy.cluster.shared_text import shared
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.translate import BadObject
from pykubeproxy.cluster.validation import decode, field_first
from pykubeproxy.model.snapshot import Object, ObjectId


class _Identity(msgspec.Struct, frozen=True, rename="camel"):
    """The fields that identify an object, for one whose other fields cannot be read."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _Named(msgspec.Struct):
    metadata: _Identity = _Identity()


_NAMED = msgspec.json.Decoder(_Named)
_UNKNOWN_VERSION = ""


class Tracker:
    """The known objects of one resource, and the changes that have not been taken yet.

    A list lies between `begin_list` and `end_list`. Changes from a list that breaks off and is begun
    again stay valid.
    """

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._decoder = msgspec.json.Decoder(resource.wire)
        self._versions: dict[ObjectId, str] = {}
        self._listed: set[ObjectId] | None = None
        self._pending: dict[ObjectId, Object | None] = {}
        self._notes: list[InputNote] = []
        self.has_listed = False
        """True once a list was complete."""

    @property
    def is_listing(self) -> bool:
        """True between the begin and the end of a list."""
        return self._listed is not None

    @property
    def pending(self) -> int:
        """The number of objects that have changed and have not been taken yet."""
        return len(self._pending)

    def begin_list(self) -> None:
        """What is put from now on is all there is."""
        self._listed = set()

    def end_list(self) -> None:
        """The list is complete: what was not in it is gone."""
        assert self._listed is not None
        for name in self._versions.keys() - self._listed:
            self._forget(name)
        self._listed = None
        self.has_listed = True

    def distrust_versions(self) -> None:
        """Forget all resourceVersions: the server counts them anew, so equal ones need not mean equal objects."""
        for name in self._versions:
            self._versions[name] = _UNKNOWN_VERSION

    def put(self, data: bytes | msgspec.Raw) -> str:
        """Take in an object that is new or different, as JSON; return its resourceVersion.

        Raises msgspec.DecodeError for what is no JSON.
        """
        try:
            obj = decode(self._decoder, data)
        except msgspec.ValidationError as error:
            return self._put_bad(data, field_first(error))
        metadata: wire.Metadata = obj.metadata
        name = self._name(metadata)
        if self._is_new_version(name, metadata.resource_version):
            self._translate(name, obj)
        return metadata.resource_version

    def remove(self, data: bytes | msgspec.Raw) -> str:
        """Take in an object that is gone, as JSON; return its resourceVersion. Raises as `put` does."""
        identity = _identity(data)
        self._forget(self._name(identity))
        return identity.resource_version

    def take(self) -> ObjectChanges:
        """The changes since the last call."""
        pending, self._pending = self._pending, {}
        notes, self._notes = tuple(self._notes), []
        return ObjectChanges(
            put=tuple(obj for obj in pending.values() if obj is not None),
            removed=tuple(name for name, obj in pending.items() if obj is None),
            notes=notes,
        )

    def _is_new_version(self, name: ObjectId, version: str) -> bool:
        """Remember the version of an object; False if it is the one that is known already."""
        if self._listed is not None:
            self._listed.add(name)
        if version and self._versions.get(name) == version:
            return False
        self._versions[name] = version
        return True

    def _translate(self, name: ObjectId, obj: object) -> None:
        try:
            translated, ignored = self._resource.translate(obj)
        except BadObject as error:
            self._note_bad(name, str(error))
            return
        self._notes.extend(PartIgnored(name=name, part=part) for part in ignored)
        self._pending[name] = translated

    def _put_bad(self, data: bytes | msgspec.Raw, problem: str) -> str:
        identity = _identity(data)
        name = self._name(identity)
        if self._is_new_version(name, identity.resource_version):
            self._note_bad(name, problem)
        return identity.resource_version

    def _note_bad(self, name: ObjectId, problem: str) -> None:
        """Note that an object cannot be used. If it could before, its last usable state stays in force."""
        self._notes.append(BadObjectSkipped(name=name, problem=problem))

    def _forget(self, name: ObjectId) -> None:
        if self._versions.pop(name, None) is not None:
            self._pending[name] = None
        if self._listed is not None:
            self._listed.discard(name)

    def _name(self, metadata: wire.Metadata | _Identity) -> ObjectId:
        return ObjectId(self._resource.kind, shared(metadata.namespace), metadata.name)


def _identity(data: bytes | msgspec.Raw) -> _Identity:
    """The identity of an object, as far as it has one."""
    try:
        return decode(_NAMED, data).metadata
    except msgspec.ValidationError:
        return _Identity()
