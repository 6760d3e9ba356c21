"""One IP family of the node: its compiled rules, what the kernel is believed to hold, and the step between them."""

import time
from collections.abc import Collection, Iterable, Mapping

import msgspec

from pykubeproxy.daemon.progress import Progress
from pykubeproxy.host.errors import HostError, LockTimeout
from pykubeproxy.host.protocol import Host
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.observe.counters import CounterReader, Reading
from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import Plan, diff, diff_chains
from pykubeproxy.plan.entries import count_entries, entries_after
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.fragment import Fragment
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Ruleset


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did.

    `was_read` tells that it compared with the live rules, not with what was believed of them, which took
    `read_seconds`; `drifted` are the chains in which those differed from what had been written; `is_written` is False
    if the Plan was only made; `is_sectioned` tells that it was committed in several parts. `counters` are those that
    count connections, if they were read.
    """

    plan: Plan
    was_read: bool = False
    read_seconds: float = 0.0
    drifted: tuple[ChainId, ...] = ()
    is_written: bool = True
    is_sectioned: bool = False
    counters: Reading = {}


class Refusal(msgspec.Struct, frozen=True):
    """A Plan that was not carried out, and why. `is_full` tells that it was made from the live rules."""

    error: HostError
    is_full: bool


class FamilyProxy:
    """Keeps the rules of one family in step with a Snapshot.

    Belief about the kernel moves only after a restore succeeded. When one did not, the belief is dropped, and the next
    sync starts from a fresh read of the live rules; so it does when somebody else may have changed something.
    """

    always_reads = False
    """True for a proxy that reads the live rules in every sync."""

    would_write = False
    """True if the last sync found something to write, and did not because this is not the proxy in charge."""

    reads_counters = False
    """Whether to read the counters of connections together with the live rules."""

    def __init__(self, options: RuleOptions, host: Host, split: Split = whole) -> None:
        """`split` divides a Plan into those that are committed one after the other; by default it stays whole."""
        self._host = host
        self._split = split
        self._compiler = Compiler(options)
        self._applied: Ruleset | None = None
        self._entries: dict[str, int] = {}
        self._is_trusted = False
        self._changed: set[ChainId] = set()
        self._is_complete = True
        self._held: Mapping[ServiceKey, Fragment] | None = None
        self.refusals: tuple[Refusal, ...] = ()
        """What the last sync could not carry out, be it that it succeeded with another Plan."""

    @property
    def options(self) -> RuleOptions:
        """The options that the rules are compiled with."""
        return self._compiler.options

    @property
    def desired(self) -> Ruleset:
        """The rules that should be in the kernel."""
        return self._compiler.ruleset

    @property
    def believed(self) -> Ruleset | None:
        """The rules that are believed to be in the kernel; None if nothing is known of them."""
        return self._applied

    @property
    def believed_entries(self) -> Mapping[str, int] | None:
        """The number of entries that each legacy table is believed to have; None if nothing is known of them."""
        return None if self._applied is None else self._entries

    @property
    def rule_counts(self) -> Mapping[str, int]:
        """The number of rules that should be in chains of our own, by table."""
        return self._compiler.rule_counts

    def expect(self) -> None:
        """Objects are about to be told, which takes its time: have the live rules fetched meanwhile."""
        self._host.prefetch(with_counters=self.reads_counters, early=True)

    def stop_expecting(self) -> None:
        """Objects are long in coming: do without, until they have."""
        self._host.forget()

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> None:
        """Compile what a change of the Snapshot touches; nothing is written yet."""
        if not self._is_trusted:
            # The kernel takes its time to tell all rules: meanwhile they are compiled.
            self._host.prefetch(with_counters=self.reads_counters)
        changed = self._compiler.update(snapshot, touched)
        if self._is_trusted:
            self._changed |= changed

    def reconfigure(self, options: RuleOptions, snapshot: Snapshot) -> None:
        """Compile everything anew with other options."""
        self._compiler = Compiler(options)
        self._compiler.update(snapshot, snapshot.services)
        self._compiler.hold(self._held or {})
        self.distrust()

    def hold(self) -> None:
        """Not all objects can be read: Services that live rules serve are kept as they are, until `release`."""
        self._is_complete = False

    def release(self, snapshot: Snapshot) -> None:
        """All objects have been read: what is not among them goes."""
        self._is_complete, self._held = True, None
        self._changed |= self._compiler.release(snapshot)

    def distrust(self) -> None:
        """Read the live rules before the next Plan."""
        self._is_trusted = False

    def sync(self) -> Synced:
        """Bring the kernel up to date. Raises HostError; then nothing is lost, and the next sync reads first."""
        self.refusals = ()
        believed, attempted = self._applied, frozenset[ChainId]()
        if self._is_trusted and believed is not None:
            plan = diff_chains(self.desired, believed, self._changed)
            try:
                return self._carry_out(plan, believed)
            except LockTimeout:
                raise
            except HostError:
                # Somebody else may have changed what the Plan built upon; the live rules will tell.
                attempted = frozenset((change.table, change.chain) for change in plan.chains)
                self._is_trusted = False
        live, read = self._read()
        plan = diff(self.desired, live)
        drifted = () if believed is None else drift(plan, believed, attempted)
        synced = self._carry_out(plan, live)
        return Synced(
            plan=plan,
            was_read=True,
            read_seconds=read.seconds,
            drifted=drifted,
            is_sectioned=synced.is_sectioned,
            counters=read.counters,
        )

    def _read(self) -> tuple[Ruleset, "_Read"]:
        """The live rules, and what else there is to say about them."""
        counters = CounterReader(self.desired)
        start = time.monotonic()
        live = self._host.save(known=self.desired, counted=counters if self.reads_counters else None)
        if not self._is_complete and self._held is None:
            self._held = live_services(live)
            self._compiler.hold(self._held)
        return live, _Read(seconds=time.monotonic() - start, counters=counters.reading)

    def _carry_out(self, plan: Plan, live: Ruleset) -> Synced:
        parts = tuple(self._split(plan))
        payload = Payload(*parts)
        entries = self._entries if live is self._applied else count_entries(live)
        # Also when the process is told to end in the middle: what is in the kernel now, nobody knows.
        self._applied = None
        try:
            self._host.restore(Progress(payload, payload.line_count, self.options.family))
        except HostError as error:
            self.refusals += (Refusal(error, is_full=not self._is_trusted),)
            raise
        apply(plan, live)
        self._applied, self._entries = live, entries_after(plan, entries)
        self._is_trusted = True
        self._changed.clear()
        return Synced(plan=plan, is_sectioned=len(parts) > 1)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """How long reading took, and what rules that count connections have counted."""

    seconds: float
    counters: Reading


class ShadowProxy(FamilyProxy):
    """The same beside another proxy that is in charge: compares with what that one has written, and writes nothing."""

    always_reads = True

    def sync(self) -> Synced:
        """Tell what a sync would do now. Raises HostError."""
        live, read = self._read()
        self._changed.clear()
        synced = Synced(
            plan=diff(self.desired, live),
            was_read=True,
            read_seconds=read.seconds,
            is_written=False,
            counters=read.counters,
        )
        self.would_write = not synced.plan.is_empty
        return synced


def drift(plan: Plan, believed: Ruleset, attempted: Collection[ChainId] = ()) -> tuple[ChainId, ...]:
    """The chains that a Plan made from live rules changes because those are not what they were `believed` to be.

    Of chains that were `attempted` to be written, and may or may not have been, nothing can be said.
    """
    chains = [
        (change.table, change.chain)
        for change in plan.chains
        if change.before != believed.lines(change.table, change.chain)
    ]
    jumps = [
        (insert.table, insert.chain)
        for insert in plan.inserts
        if insert.line in (believed.lines(insert.table, insert.chain) or ())
    ]
    return tuple(chain for chain in dict.fromkeys(jumps + chains) if chain not in attempted)
