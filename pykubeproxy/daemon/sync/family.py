"""The sync of one IP family: compares desired rules with those believed to be live, and writes the difference."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from pykubeproxy.daemon.sync.desired_rules import DesiredRules
from pykubeproxy.daemon.sync.progress import Progress
from pykubeproxy.daemon.sync.refusals import RefusalHandler
from pykubeproxy.daemon.sync.set_aside import RefusedReport
from pykubeproxy.host.errors import HostError, LockTimeout, RestoreError
from pykubeproxy.host.protocol import Host
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.apply import apply, count_entries, entries_after
from pykubeproxy.plan.diff import Plan, diff, diff_chains
from pykubeproxy.plan.first_write import FirstWrite, has_no_services
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.printed import PrintedForms, is_doubtful, jumps_inserted_twice
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Ruleset, Unread
from pykubeproxy.rules.service_traffic import ServiceTraffic
from pykubeproxy.traffic.counters import CounterReader, Reading


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a successful sync did: it carried out `plan`, or in shadow mode only made it (`is_written` is False).

    `was_read` is True if the live rules were read, which took `read_seconds`; else the Plan was made from what was
    believed of them. `drifted` are the chains that another program had changed. `is_sectioned` is True if the Plan was
    committed in several parts. `counters` are the counters of new connections, if they were read. `unread` are the
    tables that could not be read in full, if they are others than before. `refused` says which Services the node
    refuses.
    """

    plan: Plan
    was_read: bool = False
    read_seconds: float = 0.0
    drifted: tuple[ChainId, ...] = ()
    is_written: bool = True
    is_sectioned: bool = False
    counters: Reading = {}
    unread: Mapping[str, Unread] = {}
    refused: RefusedReport = RefusedReport()


# With fewer Services, there is nothing to gain by writing while others are being compiled.
_MANY_SERVICES = 500

# After so many refusals a sync fails: each of them may cost reading and writing all rules.
_MOST_REFUSALS = 8


class RefusedPlan(msgspec.Struct, frozen=True):
    """A Plan that was not carried out, and why. `is_full` is True if it was made from rules that were just read."""

    error: HostError
    is_full: bool


class FamilyProxy:
    """Keeps the rules of one family in sync with a Snapshot.

    What is believed to be in the kernel is updated only after iptables-restore has succeeded. If it has failed, or if
    another program may have changed something, the next sync reads the live rules first.
    """

    always_reads = False
    """True for a proxy that reads the live rules in every sync."""

    would_write = False
    """True if the last sync found something to write, but did not because of shadow mode."""

    has_foreign_change = False
    """True if another program has changed rules since the last sync, so that it explains differences."""

    reads_counters = False
    """True to read the counters of new connections together with the live rules."""

    def __init__(
        self, options: RuleOptions, host: Host, split: Split = whole, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`split` divides a Plan into Plans that are committed one after the other; by default it stays whole.

        `clock` gives seconds that never go back.
        """
        self._host = host
        self._split = split
        self._desired = DesiredRules(options, clock)
        self._printed = PrintedForms()
        self.believed: Ruleset | None = None
        """The rules that are believed to be in the kernel; None if nothing is known of them."""
        self._last_known: Ruleset | None = None
        """What was believed last: drift is what differs from it, but for chains that failed restores were to write."""
        self._attempted: frozenset[ChainId] = frozenset()
        self._entries: dict[str, int] = {}
        self._unread: Mapping[str, Unread] = {}
        self.refused_plans: tuple[RefusedPlan, ...] = ()
        """The Plans that iptables-restore refused in the last sync, even if it took another one in the end."""

    @property
    def options(self) -> RuleOptions:
        """The options that were asked for; the kernel may lack something, and rules then do without."""
        return self._desired.options

    @property
    def desired(self) -> Ruleset:
        """The rules that should be in the kernel."""
        return self._desired.ruleset

    @property
    def believed_entries(self) -> Mapping[str, int] | None:
        """The number of entries that each legacy table is believed to have; None if nothing is known of them."""
        return None if self.believed is None else self._entries

    @property
    def rule_counts(self) -> Mapping[str, int]:
        """The number of rules that should be in chains of our own, by table."""
        return self._desired.rule_counts

    def take_traffic(self) -> dict[ServiceKey, ServiceTraffic]:
        """What was decided, besides rules, about the Services that were compiled since this was asked last."""
        return self._desired.take_traffic()

    @property
    def retry_due(self) -> float:
        """The time at which what was refused is to be tried again; infinite if nothing was."""
        return self._desired.set_aside.due

    def expect(self) -> None:
        """Objects are about to be listed, which takes its time: have the live rules fetched meanwhile."""
        self._host.prefetch(with_counters=self.reads_counters, early=True)

    def stop_expecting(self) -> None:
        """Objects are long in coming: let go of the rules that are being fetched, until they have come."""
        self._host.forget()

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> None:
        """Take in what a change of the Snapshot touches; nothing is written yet."""
        if self._desired.changed is None:
            # The kernel takes its time to print all rules: meanwhile they are compiled.
            self._host.prefetch(with_counters=self.reads_counters)
        self._desired.update(snapshot, touched)

    def reconfigure(self, options: RuleOptions, snapshot: Snapshot) -> None:
        """Compile everything anew with other options."""
        self._desired.reconfigure(options, snapshot)

    def retry(self) -> None:
        """Try again what was refused, with the next sync."""
        self._desired.set_aside.release_all()
        self._desired.apply_set_aside()

    def hold(self) -> None:
        """Not all objects can be read: Services that live rules serve are kept as they are, until `release`."""
        self._desired.hold()

    def release(self, snapshot: Snapshot) -> None:
        """All objects have been read: what is not among them goes."""
        self._desired.release(snapshot)

    def distrust(self) -> None:
        """Read the live rules before the next Plan."""
        self._desired.changed = None

    def sync(self) -> SyncResult:
        """Write what is to be written. Raises HostError; then the next sync reads the live rules, and tries again."""
        self.refused_plans = ()
        self._printed.confirm(has_foreign_change=self.has_foreign_change)
        if self._may_write_early and (result := self._write_early()) is not None:
            return result
        believed = self.believed
        changes = None if believed is None else self._plan_changes(believed)
        if believed is not None and changes is not None:
            try:
                return self._carry_out(changes, believed)
            except LockTimeout:
                raise
            except HostError:
                # Another program may have changed rules that the Plan was made from.
                self.distrust()
        live = self._read()
        plan = diff(self.desired, live.ruleset)
        drifted = () if self._last_known is None else drift(plan, self._last_known, self._attempted)
        found = _shallow(live.ruleset, plan)
        try:
            result = self._carry_out_the_most(plan, live.ruleset, live.ruleset if believed is None else believed)
        except HostError:
            # What is still to be repaired is drift in the next sync, too.
            self._attempted -= frozenset(drifted)
            raise
        if not self.has_foreign_change and is_doubtful(plan, found):
            same = self._learn(plan, found)
            drifted = tuple(chain for chain in drifted if chain not in same)
        return replace(
            result,
            was_read=True,
            read_seconds=live.seconds,
            drifted=drifted,
            counters=live.counters,
            unread=live.unread,
        )

    @property
    def _may_write_early(self) -> bool:
        """True for the first sync of a node with many Services and few rules."""
        is_first = self._last_known is None and self._desired.is_plain
        return is_first and self._desired.uncompiled >= _MANY_SERVICES and self._host.has_few_rules()

    def _write_early(self) -> SyncResult | None:
        """Write rules while others are still being compiled; None if that is not possible, or was refused."""
        start = time.monotonic()
        live = self._host.save()
        seconds = time.monotonic() - start
        if not has_no_services(live):
            return None
        entries, found, services = count_entries(live), live.copy(), self._desired.uncompiled
        write = FirstWrite(self._desired.compile_in_steps(), self._desired.compiled, live, self._split)
        try:
            self._host.restore(Progress(write, lambda _: write.done_steps / services, self.options.family))
        except HostError as error:
            # What is half compiled would be lost.
            write.finish()
            if isinstance(error, LockTimeout):
                raise
            self.refused_plans += (RefusedPlan(error, is_full=True),)
            return None
        plan = write.plan
        self._believe(live, entries_after(plan, entries))
        if not self.has_foreign_change and is_doubtful(plan, found):
            self._learn(plan, found)
        return SyncResult(
            plan=plan,
            was_read=True,
            read_seconds=seconds,
            is_sectioned=self._split is not whole,
            refused=self._desired.set_aside.take_report(),
        )

    def _plan_changes(self, believed: Ruleset) -> Plan | None:
        """The Plan for the chains that have changed since the last sync; None if any chain may have."""
        if self._desired.changed is None:
            return None
        plan = diff_chains(self.desired, believed, self._desired.changed)
        if not RefusalHandler(self._desired, believed).leave_out_missing(plan):
            return plan
        return None if self._desired.changed is None else diff_chains(self.desired, believed, self._desired.changed)

    def _learn(self, plan: Plan, before: Ruleset) -> set[ChainId]:
        """The chains that a Plan has written again only because iptables-save prints their rules in another form.

        The form is remembered. Jumps that were added a second time for that reason are removed.
        """
        try:
            after = self._host.save(known=self.desired)
            twice = jumps_inserted_twice(plan, before, after)
            same = self._printed.learn(plan, after)
            if twice:
                deletion = Plan(deletes=twice)
                self._host.restore(Payload(deletion))
                self._entries = entries_after(deletion, self._entries)
        except HostError:
            self.distrust()
            return set()
        return same

    def _carry_out_the_most(self, plan: Plan, live: Ruleset, before: Ruleset) -> SyncResult:
        """Carry out a Plan made from `live`, without what is refused. `before` are the rules before this sync."""
        handler = RefusalHandler(self._desired, before)
        for _ in range(_MOST_REFUSALS):
            # A Service that was set aside may also have rules in a chain of all Services, which the next Plan shows.
            while handler.leave_out_missing(plan):
                plan = diff(self.desired, live=live)
            try:
                return self._carry_out(plan, live)
            except LockTimeout:
                raise
            except RestoreError as error:
                is_handled = handler.handle(error, plan, live)
                # A tool that names no line was killed, or lacked memory: all at once would be harder still.
                if not is_handled and not (error.line and len(tuple(self._split(plan))) > 1):
                    raise
                live = self._read().ruleset
                plan = diff(self.desired, live=live)
                if not is_handled:
                    break
        # Rules of others in our chains may make a part impossible, but not all of them together.
        return self._carry_out(plan, live, whole)

    def _read(self) -> "_Live":
        counters = CounterReader(self.desired)
        start = time.monotonic()
        live = self._host.save(known=self.desired, counted=counters if self.reads_counters else None)
        self._printed.translate(live, self.desired)
        self._desired.saw_live(live)
        unread = {} if live.unread == self._unread else live.unread
        self._unread = live.unread
        return _Live(ruleset=live, seconds=time.monotonic() - start, counters=counters.reading, unread=unread)

    def _carry_out(self, plan: Plan, live: Ruleset, split: Split | None = None) -> SyncResult:
        parts = tuple((split or self._split)(plan))
        payload = Payload(*parts)
        entries = self._entries if live is self.believed else count_entries(live)
        # Also if a signal ends the process in the middle: until iptables-restore succeeds, the rules are not known.
        self.believed = None
        try:
            self._host.restore(Progress(payload, _share_of(payload.line_count), self.options.family))
        except HostError as error:
            self._attempted |= {(change.table, change.chain) for change in plan.chains}
            self.refused_plans += (RefusedPlan(error, is_full=self._desired.changed is None),)
            raise
        apply(plan, live)
        self._believe(live, entries_after(plan, entries))
        return SyncResult(plan=plan, is_sectioned=len(parts) > 1, refused=self._desired.set_aside.take_report())

    def _believe(self, live: Ruleset, entries: dict[str, int]) -> None:
        """A restore has succeeded: the kernel has these rules now."""
        self.believed = self._last_known = live
        self._attempted, self._entries = frozenset(), entries
        self._desired.changed = set()


def _share_of(total: int) -> Callable[[int], float]:
    return lambda taken: taken / total


class _Live(msgspec.Struct, frozen=True, kw_only=True):
    """The live rules as they were read, in how many seconds.

    `counters` are those of rules that count connections; `unread` the tables that could not be read in full, if that
    is news.
    """

    ruleset: Ruleset
    seconds: float
    counters: Reading
    unread: Mapping[str, Unread]


def _shallow(live: Ruleset, plan: Plan) -> Ruleset:
    """The live rules of the chains into which a Plan inserts rules."""
    found = Ruleset(tables={})
    for insert in plan.inserts:
        found.table(insert.table).chains[insert.chain] = live.lines(insert.table, insert.chain) or ()
    return found


class ShadowProxy(FamilyProxy):
    """Shadow mode: compares with the rules that another proxy has written, and writes nothing."""

    always_reads = True

    def sync(self) -> SyncResult:
        """Make the Plan of a sync, without carrying it out. Raises HostError."""
        live = self._read()
        result = SyncResult(
            plan=diff(self.desired, live.ruleset),
            was_read=True,
            read_seconds=live.seconds,
            is_written=False,
            counters=live.counters,
            unread=live.unread,
        )
        self.would_write = not result.plan.is_empty
        return result


def drift(plan: Plan, believed: Ruleset, attempted: Collection[ChainId] = ()) -> tuple[ChainId, ...]:
    """The chains that a Plan, made from live rules, changes because another program has changed them.

    Their live rules differ from those that were `believed`. Chains that a failed restore has `attempted` to write are
    left out, since it may have written them.
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
