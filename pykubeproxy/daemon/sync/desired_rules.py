"""The rules that one family of the node should have: those of the Snapshot, without what the node has refused."""

from collections.abc import Callable, Iterable, Mapping

from pykubeproxy.daemon.sync.set_aside import SetAside
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.plan.refused import without
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.fragment import Fragment
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Ruleset
from pykubeproxy.rules.service_traffic import ServiceTraffic


class DesiredRules:
    """Compiles a Snapshot, and recompiles what is touched by a change of it, of the options, or of what is refused.

    `options` are those that were asked for: rules do without extensions that the kernel lacks. `set_aside` knows what
    was refused; after a change of it, `apply_set_aside` recompiles. `changed` collects the chains that change, from an
    empty set on that the caller puts there; it is None while any chain may have changed.
    """

    def __init__(self, options: RuleOptions, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never go back."""
        self.options = options
        self.set_aside = SetAside(clock)
        self.changed: set[ChainId] | None = None
        self._compiler = Compiler(options)
        self._snapshot = Snapshot()
        self._is_complete = True
        self._held: Mapping[ServiceKey, Fragment] | None = None

    @property
    def ruleset(self) -> Ruleset:
        """The rules."""
        return self._compiler.ruleset

    @property
    def rule_counts(self) -> Mapping[str, int]:
        """The number of rules in chains of our own, by table."""
        return self._compiler.rule_counts

    @property
    def owners(self) -> Mapping[str, ServiceKey]:
        """The Services whose chains these are, by name of the chain."""
        return self._compiler.owners()

    def take_traffic(self) -> dict[ServiceKey, ServiceTraffic]:
        """What was decided, besides rules, about the Services that were compiled since this was asked last."""
        return self._compiler.take_traffic()

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> None:
        """Recompile the touched Services. One of them that was set aside is tried again."""
        self._snapshot = snapshot
        touched = tuple(touched)
        self._note(self._compiler.update(snapshot, touched))
        if self.set_aside.release(touched):
            self._note(self._compiler.set_aside(self.set_aside.held, snapshot))

    def reconfigure(self, options: RuleOptions, snapshot: Snapshot) -> None:
        """Compile everything anew with other options."""
        self.options, self._snapshot = options, snapshot
        self._compile_anew()

    def apply_set_aside(self) -> bool:
        """Compile what is set aside now. True if the kernel lacks other extensions than before, which all rules use."""
        is_anew = self._compiler.options != without(self.options, self.set_aside.missing)
        if is_anew:
            self._compile_anew()
        self._note(self._compiler.set_aside(self.set_aside.held, self._snapshot))
        return is_anew

    def hold(self) -> None:
        """Not all objects can be read: Services that live rules serve are kept as they are, until `release`."""
        self._is_complete = False

    def saw_live(self, live: Ruleset) -> None:
        """Rules were read from the kernel: what is to be held is held as it is in the first ones that are seen."""
        if not self._is_complete and self._held is None:
            self._held = live_services(live)
            self._compiler.hold(self._held)

    def release(self, snapshot: Snapshot) -> None:
        """All objects have been read: what is not among them goes."""
        self._is_complete, self._held = True, None
        self._note(self._compiler.release(snapshot))

    def _compile_anew(self) -> None:
        self.changed = None
        self._compiler = Compiler(without(self.options, self.set_aside.missing))
        self._compiler.update(self._snapshot, self._snapshot.services)
        self._compiler.hold(self._held or {})
        self._compiler.set_aside(self.set_aside.held, self._snapshot)

    def _note(self, changed: set[ChainId]) -> None:
        if self.changed is not None:
            self.changed |= changed
