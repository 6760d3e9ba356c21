"""Who asks from anywhere, and waits until the answers are as they should be."""

from collections.abc import Callable, Collection, Iterable

from e2e.asking import Destination, Fate, Outcome
from e2e.cluster import Cluster
from e2e.expectation import Origin
from e2e.netns import LabError, Namespace
from e2e.resident import Resident, Residents
from e2e.running import ANSWER_SECONDS, SILENCE_SECONDS, place

AGAIN_SECONDS = 0.5  # what was asked too early is lost, and asked again
TIMES = 20  # of two endpoints, one in 10^6 such bursts leaves one out


class Asker:
    """Asks from any place of a cluster, and waits until answers are as they should be."""

    def __init__(self, cluster: Cluster, residents: Residents) -> None:
        self._cluster = cluster
        self._residents = residents

    def place(self, origin: Origin) -> Namespace:
        """The place of that name."""
        return place(self._cluster.lab, origin)

    def at(self, origin: Origin) -> Resident:
        """The client that lives there."""
        return self._residents.at(self.place(origin))

    def who(self, origin: Origin, destination: Destination, *, seconds: float = SILENCE_SECONDS) -> str:
        """The name of the pod that answers a new connection; or what becomes of it."""
        return _name(self.at(origin).ask(destination, seconds=seconds))

    def who_keeps(self, origin: Origin, destination: Destination, *, seconds: float = ANSWER_SECONDS) -> str:
        """The same of the one socket that is kept for this destination."""
        return _name(self.at(origin).ask_kept(destination, seconds=seconds))

    def until(self, origin: Origin, destination: Destination, *pods: str) -> None:
        """Wait until new connections are answered by all of these pods and no other. Raises LabError."""
        self.until_all([(origin, destination)], pods)

    def until_all(self, questions: Collection[tuple[Origin, Destination]], pods: Collection[str]) -> None:
        """The same for several; of a fate in the place of pods, one such connection is enough."""
        wanted = set(pods)
        self._wait(lambda origin, where: self._answering(origin, where, wanted), questions, wanted)

    def until_all_keep(self, questions: Collection[tuple[Origin, Destination]], pod: str) -> None:
        """Wait until this pod answers on every kept socket, all of which are used on meanwhile. Raises LabError."""
        self._wait(lambda origin, where: {self.who_keeps(origin, where, seconds=AGAIN_SECONDS)}, questions, {pod})

    def _answering(self, origin: Origin, destination: Destination, wanted: set[str]) -> set[str]:
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
        answering: Callable[[Origin, Destination], set[str]],
        questions: Collection[tuple[Origin, Destination]],
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


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _name(outcome: Outcome) -> str:
    return outcome.reply.pod if outcome.reply else outcome.fate
