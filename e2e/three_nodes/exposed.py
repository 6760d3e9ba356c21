"""Services that change while they are asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from e2e.asking import Destination
from e2e.cluster import Cluster
from e2e.expectation import Target
from e2e.making import NAMESPACE, JsonObject, Member, slices
from e2e.objects import Service
from e2e.running import resolve


class Exposed:
    """A Service in the cluster's API, and the slices of its endpoints."""

    def __init__(self, cluster: Cluster, made: JsonObject) -> None:
        self._cluster = cluster
        self._made = made
        self._slices: dict[str, JsonObject] = {}
        self._is_deleted = False
        self.name: str = made["metadata"]["name"]
        cluster.load([made])

    def serve(self, *members: Member, name: str = "") -> None:
        """Let these be the endpoints, or those of further slices called `name`."""
        made = {each["metadata"]["name"]: each for each in slices(self._made, members, name=name)}
        self._cluster.load(made.values())
        self._slices |= made

    def withdraw(self, name: str) -> None:
        """Delete the slices called `name`."""
        for each in [each for each in self._slices if each.startswith(f"{name}-ipv")]:
            self._cluster.api.delete("EndpointSlice", NAMESPACE, each)
            del self._slices[each]

    def change(self, **spec: Any) -> None:
        """Change fields of the Service; None takes one away."""
        self._cluster.api.patch("Service", NAMESPACE, self.name, {"spec": spec})
        merged = self._made["spec"] | spec
        self._made = self._made | {"spec": {key: value for key, value in merged.items() if value is not None}}

    def at(self, target: Target) -> Destination:
        """The address and port that a target of this Service means."""
        return resolve(self._cluster.lab.topology, msgspec.convert(self._made, Service), target)

    def delete(self) -> None:
        """Delete the Service and its slices, if that has not been done."""
        if not self._is_deleted:
            self._is_deleted = True
            self._cluster.api.delete("Service", NAMESPACE, self.name)
            for each in self._slices:
                self._cluster.api.delete("EndpointSlice", NAMESPACE, each)


@contextmanager
def exposed(cluster: Cluster, made: JsonObject, *members: Member) -> Iterator[Exposed]:
    """Create a Service with these endpoints, and delete it at the end of the block."""
    its = Exposed(cluster, made)
    its.serve(*members)
    try:
        yield its
    finally:
        its.delete()
