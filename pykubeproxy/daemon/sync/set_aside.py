"""The Services of one family whose rules the node refuses: their rules stay as they were; all others are synced.

They are tried again when their objects change, and with a back-off: half a minute after they were refused, then after
twice as long each time. Meanwhile, extensions that the kernel is known to lack are not tried.
"""

import math
from collections.abc import Callable, Collection, Mapping

import msgspec

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import Extension
from pykubeproxy.rules.fragment import Fragment

# Seconds until refused Services are tried again: at first, and at most.
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0


class RefusedService(msgspec.Struct, frozen=True, kw_only=True):
    """A Service whose rules were refused, the error of the tool, and the missing kernel module, if that is why."""

    service: ServiceKey
    cause: str
    module: str = ""


class RefusedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the node refuses after a sync, compared with the sync before.

    `services` is the number of Services that are set aside; `new` are those that were not before, `back` those that no
    longer are. `lost` are extensions that no rule uses any more, with the errors that say why.
    """

    services: int = 0
    new: tuple[RefusedService, ...] = ()
    back: tuple[ServiceKey, ...] = ()
    lost: tuple[tuple[Extension, str], ...] = ()


class SetAside:
    """What was refused, and when it is to be tried again (`due`). `clock` gives seconds that never go back.

    `held` are the rules that the Services have meanwhile: None if they had none, or if those are refused too. `missing`
    are extensions that the kernel is known to lack, with the error that says so.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.services: dict[ServiceKey, RefusedService] = {}
        self.held: dict[ServiceKey, Fragment | None] = {}
        self.missing: dict[Extension, str] = {}
        self.due = math.inf
        self._clock = clock
        self._pause = FIRST_PAUSE
        self._reported: frozenset[ServiceKey] = frozenset()
        self._reported_missing: frozenset[Extension] = frozenset()

    def put(self, refused: RefusedService, held: Fragment | None) -> bool:
        """Set a Service aside; one that is set aside already loses its held rules. False if that changes nothing."""
        key = refused.service
        if key in self.held:
            held = None
            if self.held[key] is None:
                return False
        self.services[key], self.held[key] = refused, held
        self._wait()
        return True

    def lacks(self, extension: Extension, cause: str) -> None:
        """The kernel lacks an extension, as an error (`cause`) says."""
        self.missing.setdefault(extension, cause)
        self._wait()

    def release(self, services: Collection[ServiceKey]) -> bool:
        """Try Services again, since their objects have changed. True if any of them was set aside."""
        found = self.held.keys() & set(services)
        for key in found:
            del self.services[key], self.held[key]
        return bool(found)

    def release_all(self) -> None:
        """Try all again; what is refused then waits for twice as long."""
        self.restore({}, {}, {})
        self.due = math.inf
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def restore(
        self,
        services: Mapping[ServiceKey, RefusedService],
        held: Mapping[ServiceKey, Fragment | None],
        missing: Mapping[Extension, str],
    ) -> None:
        """Go back to what was known before an attempt that did not help."""
        self.services, self.held, self.missing = dict(services), dict(held), dict(missing)

    def take_report(self) -> RefusedReport:
        """What is refused now that a sync has succeeded, and what has changed since the last report."""
        if not self.held and not self.missing:
            self.due, self._pause = math.inf, FIRST_PAUSE
        before, self._reported = self._reported, frozenset(self.services)
        lacked, self._reported_missing = self._reported_missing, frozenset(self.missing)
        return RefusedReport(
            services=len(self.services),
            new=tuple(refused for key, refused in self.services.items() if key not in before),
            back=tuple(sorted(before - self._reported)),
            lost=tuple((extension, cause) for extension, cause in self.missing.items() if extension not in lacked),
        )

    def _wait(self) -> None:
        if self.due == math.inf:
            self.due = self._clock() + self._pause
