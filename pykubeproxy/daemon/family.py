"""One IP family of the node: its compiled rules, what the kernel is believed to hold, and the step between them."""

from collections.abc import Iterable

import msgspec

from pykubeproxy.daemon.progress import Progress
from pykubeproxy.host.errors import HostError, LockTimeout
from pykubeproxy.host.protocol import Host
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import Plan, diff, diff_chains
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.plan.summary import rules_in
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Ruleset


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did. `was_read` tells that it compared with the live rules, not with what was believed of them."""

    plan: Plan
    was_read: bool


class FamilyProxy:
    """Keeps the rules of one family in step with a Snapshot.

    Belief about the kernel moves only after a restore succeeded. When it did not, or when somebody else may have
    changed something, the belief is dropped, and the next sync starts from a fresh read of the live rules.
    """

    def __init__(self, options: RuleOptions, host: Host, split: Split = whole) -> None:
        """`split` divides a Plan into those that are committed one after the other; by default it stays whole."""
        self._host = host
        self._split = split
        self._compiler = Compiler(options)
        self._applied: Ruleset | None = None
        self._changed: set[ChainId] = set()

    @property
    def options(self) -> RuleOptions:
        """The options that the rules are compiled with."""
        return self._compiler.options

    @property
    def desired(self) -> Ruleset:
        """The rules that should be in the kernel."""
        return self._compiler.ruleset

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> None:
        """Compile what a change of the Snapshot touches; nothing is written yet."""
        self._changed |= self._compiler.update(snapshot, touched)

    def reconfigure(self, options: RuleOptions, snapshot: Snapshot) -> None:
        """Compile everything anew with other options. What is believed of the kernel stays valid."""
        self._compiler = Compiler(options)
        self._compiler.update(snapshot, snapshot.services)
        self.distrust()

    def distrust(self) -> None:
        """Read the live rules before the next Plan."""
        self._applied = None

    def plan(self) -> Plan:
        """What a sync would do now."""
        if self._applied is not None:
            return diff_chains(self.desired, self._applied, self._changed)
        return diff(self.desired, self._host.save(known=self.desired))

    def sync(self) -> Synced:
        """Bring the kernel up to date. Raises HostError; then nothing is lost, and the next sync reads first."""
        if self._applied is not None:
            try:
                return self._apply(diff_chains(self.desired, self._applied, self._changed), self._applied)
            except LockTimeout:
                self.distrust()
                raise
            except HostError:
                # Somebody else has changed what the Plan built upon.
                self.distrust()
        live = self._host.save(known=self.desired)
        return self._apply(diff(self.desired, live), live, was_read=True)

    def _apply(self, plan: Plan, live: Ruleset, *, was_read: bool = False) -> Synced:
        document = Payload(*self._split(plan))
        self._host.restore(Progress(document, rules_in(plan), self.options.family))
        apply(plan, live)
        self._applied = live
        self._changed.clear()
        return Synced(plan=plan, was_read=was_read)
