"""What other programs change in the rules: how the loop notices it, and when it may repair it."""

from collections.abc import Callable, Iterator
from functools import partial

from pykubeproxy.daemon.follow.contention import Contention
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.daemon.watch.drift import BelievedEntries, DriftPoll

Step = tuple[float, Callable[[], object]]
"""When to do something, in seconds of the clock, and what."""


class ForeignChanges:
    """Remembers one change that is not repaired yet, `pending`: of several, the one that may be repaired first.

    Changes are noticed by messages (`note`) and by polls, which are asked before each sync and when they are due.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never go back."""
        self.contention = Contention(clock)
        self.pending: ForeignChange | None = None
        self._unrepaired: ForeignChange | None = None
        self._clock = clock
        self._polls: list[DriftPoll] = []

    def poll(self, poll: DriftPoll) -> None:
        """Ask `poll` from now on."""
        self._polls.append(poll)

    @property
    def cause(self) -> ForeignChange | None:
        """The change that explains what the next sync repairs: `pending`, or the one whose repair has failed."""
        changes = (each for each in (self.pending, self._unrepaired) if each is not None)
        return min(changes, key=lambda each: not each.program, default=None)

    @property
    def repair_due(self) -> float | None:
        """The time from which the pending change may be repaired; None if there is none."""
        return None if self.pending is None else self.contention.repair_due(self.pending)

    @property
    def steps(self) -> Iterator[Step]:
        """When to ask the polls."""
        return ((poll.due, partial(self._ask, poll)) for poll in self._polls)

    def note(self, change: ForeignChange) -> None:
        """Another program has changed something."""
        now = self._clock()

        def rank(each: ForeignChange) -> tuple[float, bool]:
            return max(self.contention.repair_due(each), now), not each.program

        # Of those that may be repaired now, one by a known program comes first: the log names it.
        if self.pending is None or rank(change) < rank(self.pending):
            self.pending = change

    def begin_sync(self, *, is_first: bool) -> None:
        """Ask the polls: what was changed up to now would pass for our own work after the sync.

        Before the first sync, nothing in the kernel is known, so no change of it counts.
        """
        for poll in self._polls:
            if poll.begin() and not is_first:
                self.note(ForeignChange())

    def conclude(self, *, is_repaired: bool) -> None:
        """A sync has read the live rules, or failed. A failed one is repeated by the schedule of all syncs."""
        self._unrepaired = None if is_repaired else self.cause
        self.pending = None

    def end_sync(self, believed: BelievedEntries) -> None:
        """Have the polls take what is there now for as it should be."""
        for poll in self._polls:
            poll.remember(believed)

    def _ask(self, poll: DriftPoll) -> None:
        if poll.ask():
            self.note(ForeignChange())
