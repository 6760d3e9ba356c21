"""A cluster's API from inside a test: the same calls on the test server and on a real one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.apiserver import kubeconfig, patches
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import Faults
from tests.apiserver.journal import Journal
from tests.apiserver.kubeconfig import Access, Auth
from tests.apiserver.resources import Resource, by_kind

JsonObject = dict[str, Any]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUFFIXES = (".yaml", ".yml", ".json")


class Cluster(ABC):
    """An API server that a test can change. Objects are dicts with kind and apiVersion; failures raise ApiError.

    ``kind`` arguments take a kind, or ``group/version/Kind`` where two groups have it.
    """

    access: Access

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.access.url

    @property
    @abstractmethod
    def faults(self) -> Faults:
        """What goes wrong on demand; a real server skips the test."""

    @property
    @abstractmethod
    def requests(self) -> Journal:
        """What clients have asked; a real server skips the test."""

    @abstractmethod
    def close(self) -> None:
        """Stop the server, and leave nothing behind."""

    @abstractmethod
    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """Return an object; ``namespace`` is empty for cluster-scoped kinds."""

    @abstractmethod
    def objects(self, kind: str, namespace: str = "") -> list[JsonObject]:
        """Return all objects of a kind, in the namespace or in all."""

    @abstractmethod
    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""

    @abstractmethod
    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        content_type: str = patches.MERGE,
        subresource: str = "",
    ) -> JsonObject:
        """Change an object, with a JSON merge patch if not said otherwise."""

    @abstractmethod
    def _post(self, resource: Resource, obj: JsonObject) -> JsonObject: ...

    @abstractmethod
    def _put(self, resource: Resource, obj: JsonObject, subresource: str = "") -> JsonObject: ...

    def create(self, obj: JsonObject) -> JsonObject:
        """Create an object, with its status if it has one; return it as stored."""
        resource = resource_of(obj)
        return self._with_status(resource, obj, self._post(resource, obj))

    def replace(self, obj: JsonObject) -> JsonObject:
        """Replace an object, and its status if one is given; conflicts only if ``obj`` has a resourceVersion."""
        resource = resource_of(obj)
        return self._with_status(resource, obj, self._put(resource, obj))

    def apply(self, obj: JsonObject) -> JsonObject:
        """Create or replace an object, whatever its present version."""
        metadata = {k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "uid")}
        obj = obj | {"metadata": metadata}
        try:
            return self.create(obj)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        return self.replace(obj)

    def load(self, source: Path | Iterable[JsonObject]) -> list[JsonObject]:
        """Apply objects, or those of a YAML or JSON file or folder; kinds that are not served are left out."""
        objects = read_objects(source) if isinstance(source, Path) else source
        return [self.apply(obj) for obj in objects if is_served(obj)]

    def kubeconfig(self, path: Path, *, auth: Auth = "token") -> Path:
        """Write a kubeconfig; return ``path``."""
        return kubeconfig.write(path, self.access, auth)

    def service_account(self, folder: Path) -> Path:
        """Write what a pod finds in its service account folder; return ``folder``."""
        return kubeconfig.write_service_account(folder, self.access)

    def _with_status(self, resource: Resource, wanted: JsonObject, stored: JsonObject) -> JsonObject:
        status = wanted.get("status")
        if not resource.status or not status or status == stored.get("status"):
            return stored
        return self._put(resource, stored | {"status": status}, "status")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def resource_of(obj: JsonObject) -> Resource:
    """Return the resource that an object is of. KeyError if it is not served."""
    return by_kind(obj["kind"], obj.get("apiVersion", ""))


def resource_named(kind: str) -> Resource:
    """Return the resource of ``Kind`` or ``group/version/Kind``. KeyError if it is not served."""
    api_version, _, name = kind.rpartition("/")
    return by_kind(name, api_version)


def is_served(obj: JsonObject) -> bool:
    """Whether the server has this kind of object."""
    try:
        resource_of(obj)
    except KeyError:
        return False
    return True


def read_objects(path: Path) -> Iterator[JsonObject]:
    """Yield the objects of a YAML or JSON file, or of all such files in a folder, in name order; lists are unfolded."""
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.suffix in _SUFFIXES:
                yield from read_objects(each)
        return
    for document in yaml.load_all(path.read_bytes(), Loader=_LOADER):
        if isinstance(document, dict):
            yield from _unfolded(document)


def _unfolded(document: JsonObject) -> Iterator[JsonObject]:
    kind = str(document.get("kind", ""))
    if not kind.endswith("List") or "items" not in document:
        yield document
        return
    implied = {} if kind == "List" else {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")}
    for each in document["items"]:
        yield implied | each
