"""The rules that one family of the node should have: those of the Snapshot, without what the node has refused."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from pykubeproxy.daemon.sync.set_aside import SetAside
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.plan.refused import without
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.dispatch import in_dispatch_order
from pykubeproxy.rules.fragment import Fragment
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Ruleset
from pykubeproxy.rules.service_traffic import ServiceTraffic


class DesiredRules:
    """Compiles a Snapshot, and recompiles what is touched by a change of it, of the options, or of what is refused.

    It does so when rules are asked for, or in the steps of `compile_in_steps`.

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
        self._touched: set[ServiceKey] = set()
        self._is_new = False
        self._is_complete = True
        self._held: Mapping[ServiceKey, Fragment] | None = None

    @property
    def ruleset(self) -> Ruleset:
        """The rules."""
        self.compile()
        return self._compiler.ruleset

    @property
    def compiled(self) -> Ruleset:
        """The rules as far as they are compiled."""
        return self._compiler.ruleset

    @property
    def uncompiled(self) -> int:
        """The number of Services that are to be compiled."""
        return len(self._touched)

    @property
    def is_plain(self) -> bool:
        """True if the rules are those of the Snapshot: nothing is kept to older rules, or done without."""
        return self._is_complete and not self.set_aside.held and not self.set_aside.missing

    @property
    def rule_counts(self) -> Mapping[str, int]:
        """The number of rules in chains of our own, by table."""
        self.compile()
        return self._compiler.rule_counts

    @property
    def owners(self) -> Mapping[str, ServiceKey]:
        """The Services whose chains these are, by name of the chain."""
        self.compile()
        return self._compiler.owners()

    def take_traffic(self) -> dict[ServiceKey, ServiceTraffic]:
        """What was decided, besides rules, about the Services that were compiled since this was asked last."""
        self.compile()
        return self._compiler.take_traffic()

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> None:
        """Have the touched Services recompiled. One of them that was set aside is tried again."""
        self._snapshot = snapshot
        self._touched.update(touched)

    def compile(self) -> None:
        """Compile what is to be compiled."""
        for _ in self.compile_in_steps():
            pass

    def compile_in_steps(self) -> Iterator[set[ChainId]]:
        """Compile what is to be compiled, one Service after the other; yield the chains that each step may change.

        Services come in the order in which the dispatch chains lead to them.
        """
        if not self._touched and not self._is_new:
            return
        ordered = in_dispatch_order(self._touched, self._snapshot, self.options.family)
        for changed in self._compiler.update_in_steps(self._snapshot, ordered):
            self._note(changed)
            yield changed
        changed = self._compiler.hold(self._held) if self._is_new and self._held else set()
        self.set_aside.release(self._touched)
        changed |= self._compiler.set_aside(self.set_aside.held, self._snapshot)
        self._touched, self._is_new = set(), False
        self._note(changed)
        yield changed

    def reconfigure(self, options: RuleOptions, snapshot: Snapshot) -> None:
        """Compile everything anew with other options."""
        self.options, self._snapshot = options, snapshot
        self._begin_anew()

    def apply_set_aside(self) -> bool:
        """Compile what is set aside now. True if the kernel lacks other extensions than before, which all rules use."""
        self.compile()
        is_anew = self._compiler.options != without(self.options, self.set_aside.missing)
        if is_anew:
            self._begin_anew()
            self.compile()
        self._note(self._compiler.set_aside(self.set_aside.held, self._snapshot))
        return is_anew

    def hold(self) -> None:
        """Not all objects can be read: Services that live rules serve are kept as they are, until `release`."""
        self._is_complete = False

    def saw_live(self, live: Ruleset) -> None:
        """Rules were read from the kernel: what is to be held is held as it is in the first ones that are seen."""
        if not self._is_complete and self._held is None:
            self.compile()
            self._held = live_services(live)
            self._compiler.hold(self._held)

    def release(self, snapshot: Snapshot) -> None:
        """All objects have been read: what is not among them goes."""
        self._snapshot = snapshot
        self.compile()
        self._is_complete, self._held = True, None
        self._note(self._compiler.release(snapshot))

    def _begin_anew(self) -> None:
        """Have everything compiled anew."""
        self.changed = None
        self._compiler = Compiler(without(self.options, self.set_aside.missing))
        self._touched, self._is_new = set(self._snapshot.services), True

    def _note(self, changed: set[ChainId]) -> None:
        if self.changed is not None:
            self.changed |= changed
