"""Back-off for repairs, when two Service proxies write the same chains: each would undo what the other has done.

If a chain has been overwritten several times in a row, its next repair waits, twice as long each time, up to a limit.
Two things are repaired at once, however often they happen: rules that were removed, since connections fail without
them, and changes by programs that have not overwritten our chains. A program that does overwrite them may also remove
rules: these wait, too, since only a reading would tell. The back-off ends when no chain has been overwritten for a
while.
"""

from collections.abc import Callable, Iterator

import msgspec

from pykubeproxy import logger
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.host.processes import other_service_proxies
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import ChainId

log = logger.get()

# So many repairs of one chain are made without waiting.
_AT_ONCE = 4

# Seconds that the next repair waits, and the longest that any repair waits.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0

# Seconds without a repair of a chain after which it counts as settled. If both proxies wait, a round takes two pauses.
_QUIET = 30.0


class _Repairs(msgspec.Struct):
    """The repairs of one chain: how many in a row, when the last one was, and which programs had overwritten it."""

    count: int
    last: float
    programs: set[str]

    @property
    def due(self) -> float:
        """The time from which the next repair may be made."""
        if not self.is_contended:
            return self.last
        return self.last + min(_FIRST_PAUSE * 2.0 ** (self.count - _AT_ONCE), _LONGEST_PAUSE)

    @property
    def is_contended(self) -> bool:
        """True if there have been too many to be chance."""
        return self.count >= _AT_ONCE


class Contention(Follower):
    """Counts repairs, and says when the next one is due. `clock` gives seconds that never go back."""

    def __init__(
        self, clock: Callable[[], float], proxies: Callable[[], tuple[str, ...]] = other_service_proxies
    ) -> None:
        """`proxies` finds the other Service proxies of this node, for the log."""
        self._clock = clock
        self._proxies = proxies
        self._repairs: dict[tuple[Family, ChainId], _Repairs] = {}
        self._is_logged = False

    def synced(self, sync: FinishedSync) -> None:
        """Count the repairs of a sync, and log once when another proxy seems to be at work."""
        now = self._clock()
        self._repairs = {chain: its for chain, its in self._repairs.items() if now - its.last <= _QUIET}
        program = sync.cause.program if sync.cause is not None else ""
        overwritten = tuple(_overwritten(sync))
        for chain in overwritten:
            its = self._repairs.setdefault((sync.family, chain), _Repairs(count=0, last=now, programs=set()))
            its.count, its.last = its.count + 1, now
            its.programs.add(program)
        is_contended = any(its.is_contended for its in self._repairs.values())
        if is_contended and not self._is_logged:
            self._log(sync, overwritten)
        self._is_logged = is_contended

    def repair_due(self, cause: ForeignChange) -> float:
        """The time from which a change by `cause` may be repaired."""
        return max((its.due for its in self._repairs.values() if cause.program in its.programs), default=0.0)

    def _log(self, sync: FinishedSync, chains: tuple[ChainId, ...]) -> None:
        table, chain = chains[0]
        log.warning(
            "another Service proxy seems to be at work on this node; repairs of what it writes slow down",
            family=sync.family,
            process=", ".join(self._proxies()) or str(sync.cause or "unknown"),
            chain=f"{table} {chain}",
        )


def _overwritten(sync: FinishedSync) -> Iterator[ChainId]:
    """The chains that a sync has repaired and that had rules, so that another program had written them."""
    if sync.result is None:
        return
    drifted = set(sync.result.drifted)
    for change in sync.result.plan.chains:
        if change.before and (change.table, change.chain) in drifted:
            yield change.table, change.chain
