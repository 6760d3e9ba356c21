"""A cluster's API that can be reached from within a network namespace only."""

from functools import partial
from typing import Any

from tests.apiserver import patches
from tests.apiserver.cluster import Cluster
from tests.apiserver.faults import Faults
from tests.apiserver.journal import Journal
from tests.apiserver.resources import Resource
from tests.host.namespace import Namespace

JsonObject = dict[str, Any]


class Inside(Cluster):
    """The calls of a cluster, each made in the namespace."""

    def __init__(self, cluster: Cluster, namespace: Namespace) -> None:
        self._cluster = cluster
        self._run = namespace.run
        self.access = cluster.access

    @property
    def faults(self) -> Faults:
        return self._cluster.faults

    @property
    def requests(self) -> Journal:
        return self._cluster.requests

    def close(self) -> None:
        self._cluster.close()

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        return self._run(partial(self._cluster.get, kind, namespace, name))

    def objects(self, kind: str, namespace: str = "") -> list[JsonObject]:
        return self._run(partial(self._cluster.objects, kind, namespace))

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self._run(partial(self._cluster.delete, kind, namespace, name))

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
        change = partial(self._cluster.patch, kind, namespace, name, patch)
        return self._run(partial(change, content_type=content_type, subresource=subresource))

    def _post(self, resource: Resource, obj: JsonObject) -> JsonObject:
        return self._run(partial(self._cluster._post, resource, obj))

    def _put(self, resource: Resource, obj: JsonObject, subresource: str = "") -> JsonObject:
        return self._run(partial(self._cluster._put, resource, obj, subresource))
