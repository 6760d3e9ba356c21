"""Another Service proxy at the same rules: both would undo each other's work several times a second, without end.

Repairs of a chain that follow each other slow down: the first few are made at once, then each waits twice as long as
the one before, up to a bound. Only what was written over counts: rules that were taken away are put back at once,
however often that happens, since connections fail without them. For the same reason, a change by any other program than
those that write over our chains is never kept waiting. It is over when no chain was written over for a while.
"""

from collections.abc import Callable, Iterator

import msgspec
import structlog

from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.host.processes import other_service_proxies
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import ChainId

log = structlog.get_logger()

# Repairs of one chain that are made at once.
_AT_ONCE = 4

# Seconds that the next one waits after the one before, and that none waits for longer.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0

# Seconds without a repair of a chain after which it is left in peace. Two that both wait take two pauses for a round.
_QUIET = 30.0


class _Repairs(msgspec.Struct):
    """The repairs of one chain that have followed each other, and the programs that have made them necessary."""

    count: int
    last: float
    programs: set[str]

    @property
    def due(self) -> float:
        """The time from which the next one may be made."""
        if not self.is_contended:
            return self.last
        return self.last + min(_FIRST_PAUSE * 2.0 ** (self.count - _AT_ONCE), _LONGEST_PAUSE)

    @property
    def is_contended(self) -> bool:
        """True if they have become too many to be chance."""
        return self.count >= _AT_ONCE


class Contention(Follower):
    """Follows the repairs, and tells when the next one is due. `clock` gives seconds that never go back."""

    def __init__(
        self, clock: Callable[[], float], proxies: Callable[[], tuple[str, ...]] = other_service_proxies
    ) -> None:
        """`proxies` finds the other Service proxies of this node, for the log."""
        self._clock = clock
        self._proxies = proxies
        self._repairs: dict[tuple[Family, ChainId], _Repairs] = {}
        self._is_told = False

    def synced(self, sync: FinishedSync) -> None:
        """Count the repairs of a sync, and say once that somebody else is at work, if it looks like that."""
        now = self._clock()
        self._repairs = {chain: its for chain, its in self._repairs.items() if now - its.last <= _QUIET}
        program = sync.cause.program if sync.cause is not None else ""
        written_over = tuple(_written_over(sync))
        for chain in written_over:
            its = self._repairs.setdefault((sync.family, chain), _Repairs(count=0, last=now, programs=set()))
            its.count, its.last = its.count + 1, now
            its.programs.add(program)
        is_contended = any(its.is_contended for its in self._repairs.values())
        if is_contended and not self._is_told:
            self._tell(sync, written_over)
        self._is_told = is_contended

    def repair_due(self, cause: ForeignChange) -> float:
        """The time from which a repair may be made for the sake of a change by `cause`."""
        return max((its.due for its in self._repairs.values() if cause.program in its.programs), default=0.0)

    def _tell(self, sync: FinishedSync, chains: tuple[ChainId, ...]) -> None:
        table, chain = chains[0]
        log.warning(
            "another Service proxy seems to be at work on this node; repairs of what it writes slow down",
            family=sync.family,
            process=", ".join(self._proxies()) or str(sync.cause or "unknown"),
            chain=f"{table} {chain}",
        )


def _written_over(sync: FinishedSync) -> Iterator[ChainId]:
    """The chains that a sync has repaired, and in which there were rules: other ones than ours."""
    if sync.result is None:
        return
    drifted = set(sync.result.drifted)
    for change in sync.result.plan.chains:
        if change.before and (change.table, change.chain) in drifted:
            yield change.table, change.chain
