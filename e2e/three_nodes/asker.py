"""Services that change while they are asked: who asks from anywhere, and waits until answers are as they should be."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from e2e.asking import Destination, Fate, Outcome, Resident
from e2e.cases import Target
from e2e.cluster import Cluster
from e2e.judging import SILENCE_SECONDS, resolve
from e2e.netns import LabError, Namespace
from e2e.objects import NAMESPACE, JsonObject, Member, slices

AGAIN_SECONDS = 0.5  # what was asked too early is lost, and asked again
TIMES = 20  # of two endpoints, one in 10^6 such bursts leaves one out

Question = tuple[str, Destination]


class Asker:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._residents: dict[str, Resident] = {}

    def place(self, origin: str) -> Namespace:
        return self._cluster.lab.place(origin)

    def at(self, origin: Namespace) -> Resident:
        """The client that lives there, and moves in if there is none."""
        if origin.name not in self._residents:
            self._residents[origin.name] = Resident(origin)
        return self._residents[origin.name]

    def put(
        self, origin: str, destination: Destination, times: int = 1, *, seconds: float = 5.0, kept: bool = False
    ) -> list[Outcome]:
        """Ask so many times from a place, as Resident does."""
        return self.at(self.place(origin)).put(destination, times, seconds=seconds, kept=kept)

    def ask(self, origin: Namespace, destination: Destination, seconds: float) -> Outcome:
        """Ask once, as `asking.ask` does."""
        return self.at(origin).put(destination, seconds=seconds)[0]

    def who(
        self, origin: str, destination: Destination, *, seconds: float = SILENCE_SECONDS, kept: bool = False
    ) -> str:
        """The name of the pod that answers a new connection, or one on the kept socket; or what becomes of it."""
        return self.put(origin, destination, seconds=seconds, kept=kept)[0].who

    def until_all(self, questions: Collection[Question], pods: Collection[str]) -> None:
        """Wait until new connections are answered by all of these pods and no other. Raises LabError.

        Of a fate in the place of pods, one such connection is enough.
        """
        wanted = set(pods)
        self._wait(lambda origin, where: self._answering(origin, where, wanted), questions, wanted)

    def until_all_keep(self, questions: Collection[Question], pod: str) -> None:
        """Wait until this pod answers on every kept socket, all of which are used on meanwhile. Raises LabError."""
        self._wait(lambda origin, where: {self.who(origin, where, seconds=AGAIN_SECONDS, kept=True)}, questions, {pod})

    def _answering(self, origin: str, destination: Destination, wanted: set[str]) -> set[str]:
        """Who answers, asked until that is clear; the first one that is not wanted is enough."""
        seen: set[str] = set()
        seconds = SILENCE_SECONDS if wanted <= set(Fate) else AGAIN_SECONDS
        for number in range(1, 4 * TIMES):
            seen.add(self.who(origin, destination, seconds=seconds))
            if seen - wanted or (seen == wanted and (number >= TIMES or seen <= set(Fate))):
                break
        return seen

    def _wait(
        self,
        answering: Callable[[str, Destination], set[str]],
        questions: Collection[Question],
        wanted: set[str],
    ) -> None:
        others: list[str] = []

        def is_so() -> bool:
            seen = [(origin, where, answering(origin, where)) for origin, where in questions]
            others[:] = [f"{origin} at {where}: {_listed(who)}" for origin, where, who in seen if who != wanted]
            return not others

        try:
            self._cluster.wait(is_so, f"answers from {_listed(wanted)} alone")
        except LabError as error:
            raise LabError(f"{'; '.join(others)}: {error}") from error


class Exposed:
    """A Service in the cluster's API, and the slices of its endpoints."""

    def __init__(self, cluster: Cluster, made: JsonObject) -> None:
        self._cluster = cluster
        self._made = made
        self._slices: dict[str, JsonObject] = {}
        self._is_deleted = False
        self.name: str = made["metadata"]["name"]
        cluster.api.load([made])

    def serve(self, *members: Member, name: str = "") -> None:
        """Let these be the endpoints, or those of further slices called `name`."""
        made = {each["metadata"]["name"]: each for each in slices(self._made, members, name=name)}
        self._cluster.api.load(made.values())
        self._slices |= made

    def withdraw(self, name: str) -> None:
        for each in [each for each in self._slices if each.startswith(f"{name}-ipv")]:
            self._cluster.api.delete("EndpointSlice", NAMESPACE, each)
            del self._slices[each]

    def change(self, **spec: Any) -> None:
        """Change fields of the Service; None takes one away."""
        self._cluster.api.patch("Service", NAMESPACE, self.name, {"spec": spec})
        merged = self._made["spec"] | spec
        self._made = self._made | {"spec": {key: value for key, value in merged.items() if value is not None}}

    def at(self, target: Target) -> Destination:
        return resolve(self._cluster.lab.topology, self._made, target)

    def delete(self) -> None:
        if not self._is_deleted:
            self._is_deleted = True
            self._cluster.api.delete("Service", NAMESPACE, self.name)
            for each in self._slices:
                self._cluster.api.delete("EndpointSlice", NAMESPACE, each)


@contextmanager
def exposed(cluster: Cluster, made: JsonObject, *members: Member) -> Iterator[Exposed]:
    its = Exposed(cluster, made)
    its.serve(*members)
    try:
        yield its
    finally:
        its.delete()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
