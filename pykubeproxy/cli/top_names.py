"""The names that objects add to what `top` shows: the pods and nodes of endpoints.

Addresses change hands while `top` runs, so that objects are looked at again before each picture.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from pykubeproxy.cli.errors import print_stderr
from pykubeproxy.cli.inputs import PATIENCE, open_manifests, print_notes
from pykubeproxy.cli.progress import READING_OBJECTS, progress
from pykubeproxy.cluster.resources import ALL
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import Completed
from pykubeproxy.explain.cluster_view import AddressHolder, ClusterView, address_of_endpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.traffic.rates import Rates, ServiceRate


class Names:
    """The pods and nodes of endpoints. `changes` returns what has changed of the objects since the call before."""

    def __init__(self, changes: Callable[[], Iterable[ObjectChanges]] = tuple) -> None:
        self._changes = changes
        self._snapshot = Snapshot()
        self._pods: dict[str, AddressHolder] = {}

    def take(self, changes: Iterable[ObjectChanges]) -> None:
        """Take in changes of objects."""
        for change in changes:
            for name in change.removed:
                self._snapshot.remove(name)
            for obj in change.put:
                self._snapshot.put(obj)
            self._pods = self._view().pod_holders()

    def add_to(self, rates: Rates) -> Rates:
        """`rates`, with the pod and node that the objects name for each endpoint now."""
        self.take(self._changes())
        return replace(rates, services=tuple(map(self._with_names, rates.services)))

    def _with_names(self, service: ServiceRate) -> ServiceRate:
        known = self._view(service.family).endpoint_holders(service.service)
        endpoints = []
        for each in service.endpoints:
            address = address_of_endpoint(each.endpoint)
            holder = known.get(address) or self._pods.get(address) or AddressHolder()
            endpoints.append(replace(each, pod=holder.pod, node=holder.node))
        return replace(service, endpoints=tuple(endpoints))

    def _view(self, family: Family = Family.IPV4) -> ClusterView:
        return ClusterView(snapshot=self._snapshot, family=family)


@contextmanager
def names_from(objects: tuple[str, ...], completed: Completed | None) -> Iterator[Names]:
    """Names by the objects in files, or by those of the API server if `completed` says where that is; or none.

    If the API server does not answer, a note says so, and names are there once it does. Raises SourceError for files.
    """
    if completed is not None:
        # It takes long to import.
        from pykubeproxy.cluster.followed_slices import FollowedSlices  # noqa: PLC0415

        followed = FollowedSlices(completed)
        try:
            with progress(READING_OBJECTS):
                why = followed.start(PATIENCE)
            if why:
                print_stderr(f"note: cannot list EndpointSlices: {why}; endpoints have no names")
            yield Names(followed.changes)
        finally:
            followed.stop()
    elif objects:
        manifests, first = open_manifests(objects, ALL)
        print_notes(first.notes)
        names = Names(lambda: (manifests.poll(),))
        names.take([first])
        yield names
    else:
        yield Names()
