"""One IP family of the node: its compiled rules, what the kernel is believed to hold, and the step between them."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from pykubeproxy.daemon.sync.progress import Progress
from pykubeproxy.daemon.sync.set_aside import RefusedReport, RefusedService, SetAside
from pykubeproxy.host.errors import HostError, LockTimeout, RestoreError
from pykubeproxy.host.protocol import Host
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import Plan, diff, diff_chains
from pykubeproxy.plan.entries import count_entries, entries_after
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.printed import PrintedForms, is_doubtful, surplus
from pykubeproxy.plan.refused import Blame, Extension, suspect, used_in, without
from pykubeproxy.plan.sections import Split, whole
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.fragment import Fragment
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Ruleset, Unread
from pykubeproxy.traffic.counters import CounterReader, Reading


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did.

    `was_read` tells that it compared with the live rules, not with what was believed of them, which took
    `read_seconds`; `drifted` are the chains in which those differed from what had been written; `is_written` is False
    if the Plan was only made; `is_sectioned` tells that it was committed in several parts. `counters` are those that
    count connections, if they were read. `unread` are the tables that could not be read in full, if that is news.
    `refused` tells which Services it could not bring up to date.
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


# Refusals in one sync, each of which may cost reading and writing all rules, after which it is given up.
_MOST_REFUSALS = 8


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

    is_disturbed = False
    """Whether another program is known to be at work on the rules, so that what differs is its doing."""

    reads_counters = False
    """Whether to read the counters of connections together with the live rules."""

    def __init__(
        self, options: RuleOptions, host: Host, split: Split = whole, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`split` divides a Plan into those that are committed one after the other; by default it stays whole.

        `clock` gives seconds that never go back.
        """
        self._host = host
        self._split = split
        self._options = options
        self._compiler = Compiler(options)
        self._snapshot = Snapshot()
        self._aside = SetAside(clock)
        self._printed = PrintedForms()
        self._applied: Ruleset | None = None
        self._entries: dict[str, int] = {}
        self._is_trusted = False
        self._changed: set[ChainId] = set()
        self._unread: Mapping[str, Unread] = {}
        self._is_complete = True
        self._held: Mapping[ServiceKey, Fragment] | None = None
        self.refusals: tuple[Refusal, ...] = ()
        """What the last sync could not carry out, be it that it succeeded with another Plan."""

    @property
    def options(self) -> RuleOptions:
        """The options that were asked for; the kernel may lack something, and rules then do without."""
        return self._options

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

    @property
    def retry_due(self) -> float:
        """The time at which what was refused is to be tried again; infinite if nothing was."""
        return self._aside.due

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
        self._snapshot = snapshot
        touched = tuple(touched)
        changed = self._compiler.update(snapshot, touched)
        if self._aside.release(touched):
            changed |= self._compiler.set_aside(self._aside.held, snapshot)
        if self._is_trusted:
            self._changed |= changed

    def reconfigure(self, options: RuleOptions, snapshot: Snapshot) -> None:
        """Compile everything anew with other options."""
        self._options, self._snapshot = options, snapshot
        self._compile_anew()
        self.distrust()

    def retry(self) -> None:
        """Try again what was refused, with the next sync."""
        self._aside.release_all()
        self._apply_aside()

    def _compile_anew(self) -> None:
        self._compiler = Compiler(without(self._options, self._aside.missing))
        self._compiler.update(self._snapshot, self._snapshot.services)
        self._compiler.hold(self._held or {})
        self._compiler.set_aside(self._aside.held, self._snapshot)

    def _apply_aside(self) -> None:
        """Compile what is set aside, or no longer."""
        if self._compiler.options != without(self._options, self._aside.missing):
            self._compile_anew()
            self.distrust()
        self._changed |= self._compiler.set_aside(self._aside.held, self._snapshot)

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
            if self._spare(plan, believed) and self._is_trusted:
                plan = diff_chains(self.desired, believed, chains=self._changed)
            try:
                if self._is_trusted:
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
        found = _shallow(live, plan)
        synced = self._carry_out_the_most(plan, live, live if believed is None else believed)
        if not self.is_disturbed and is_doubtful(plan, found):
            same = self._learn(plan, found)
            drifted = tuple(chain for chain in drifted if chain not in same)
        return replace(
            synced,
            was_read=True,
            read_seconds=read.seconds,
            drifted=drifted,
            counters=read.counters,
            unread=read.unread,
        )

    def _learn(self, plan: Plan, before: Ruleset) -> set[ChainId]:
        """The chains that a Plan has written anew though they were right, only printed in other words.

        Jumps that are there twice because of that are taken out again.
        """
        try:
            after = self._host.save(known=self.desired)
            twice = surplus(plan, before, after)
            same = self._printed.learn(plan, after)
            if twice:
                self._host.restore(Payload(Plan(deletes=twice)))
        except HostError:
            self.distrust()
            return set()
        return same

    def _carry_out_the_most(self, plan: Plan, live: Ruleset, before: Ruleset) -> Synced:
        """Carry out a Plan made from `live`, without what is refused. `before` are the rules before this sync."""
        trials: _Trials | None = None
        for _ in range(_MOST_REFUSALS):
            # What is set aside because of a known lack may appear in a shared chain, and be taken out of that as well.
            while self._spare(plan, before):
                plan = diff(self.desired, live=live)
            try:
                return self._carry_out(plan, live)
            except LockTimeout:
                raise
            except RestoreError as error:
                if error.text == "COMMIT":
                    trials = trials or _Trials(self._aside, used_in(plan))
                    is_less = self._try_without(trials, error, live, before)
                else:
                    is_less = self._give_way(error, plan, before)
                if not is_less:
                    raise
                live, _ = self._read()
                plan = diff(self.desired, live=live)
        return self._carry_out(plan, live)

    def _give_way(self, error: RestoreError, plan: Plan, before: Ruleset) -> bool:
        """Set aside what a refused line belongs to. False if nothing, or nothing new, can be told from it."""
        extension = suspect(str(error), error.text)
        if extension is not None:
            return self._do_without((extension,), error, plan, before)
        service = self._blame(before).service(error.text)
        if service is None or not self._put_aside({service}, str(error), "", before):
            return False
        self._apply_aside()
        return True

    def _try_without(self, trials: "_Trials", error: RestoreError, live: Ruleset, before: Ruleset) -> bool:
        """Do without the next extension that may be what a refused COMMIT is about. False if none is left."""
        named = suspect(str(error), "")
        while missing := trials.next(named):
            self._apply_aside()
            if self._do_without(missing, error, diff(self.desired, live), before):
                return True
        self._apply_aside()
        return False

    def _do_without(self, missing: Collection[Extension], error: RestoreError, plan: Plan, before: Ruleset) -> bool:
        """Do without extensions: Services of which the Plan writes rules with them are set aside.

        False if that changes nothing.
        """
        for extension in missing:
            self._aside.lacks(extension, str(error))
        users = self._blame(before).users(plan, missing)
        is_less = self._put_aside(users, str(error), _modules(missing), before)
        is_less |= self._compiler.options != without(self._options, self._aside.missing)
        self._apply_aside()
        return is_less

    def _spare(self, plan: Plan, before: Ruleset) -> bool:
        """Set aside the Services of which a Plan writes what the kernel is known to lack; True if there are any."""
        if not self._aside.missing:
            return False
        missing = [extension for extension in used_in(plan) if extension in self._aside.missing]
        users = self._blame(before).users(plan, missing)
        cause = next((self._aside.missing[extension] for extension in missing), "")
        is_less = self._put_aside(users, cause, _modules(missing), before)
        self._apply_aside()
        return is_less

    def _blame(self, before: Ruleset) -> Blame:
        return Blame(self._compiler.owners(), before)

    def _put_aside(self, services: Collection[ServiceKey], cause: str, module: str, before: Ruleset) -> bool:
        """Keep Services to the rules that they had before; True if that makes any difference."""
        had = live_services(before, services)
        changes = [
            self._aside.put(RefusedService(service=service, cause=cause, module=module), had.get(service))
            for service in sorted(services)
        ]
        return any(changes)

    def _read(self) -> tuple[Ruleset, "_Read"]:
        """The live rules, and what else there is to say about them."""
        counters = CounterReader(self.desired)
        start = time.monotonic()
        live = self._host.save(known=self.desired, counted=counters if self.reads_counters else None)
        self._printed.translate(live, self.desired)
        if not self._is_complete and self._held is None:
            self._held = live_services(live)
            self._compiler.hold(self._held)
        unread = {} if live.unread == self._unread else live.unread
        self._unread = live.unread
        return live, _Read(seconds=time.monotonic() - start, counters=counters.reading, unread=unread)

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
        return Synced(plan=plan, is_sectioned=len(parts) > 1, refused=self._aside.take_report())


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """How long reading took, what rules that count connections have counted, and which tables are newly unread."""

    seconds: float
    counters: Reading
    unread: Mapping[str, Unread]


def _shallow(live: Ruleset, plan: Plan) -> Ruleset:
    """The chains into which a Plan inserts rules, as they are before."""
    found = Ruleset(tables={})
    for insert in plan.inserts:
        found.table(insert.table).chains[insert.chain] = live.lines(insert.table, insert.chain) or ()
    return found


class _Trials:
    """Which extension is missing, where nobody tells: each one that a Plan uses is done without, alone; at last all."""

    def __init__(self, aside: SetAside, used: tuple[Extension, ...]) -> None:
        self._aside = aside
        self._before = (dict(aside.services), dict(aside.held), dict(aside.missing))
        self._left = [*((extension,) for extension in used), *((used,) if len(used) > 1 else ())]

    def next(self, named: Extension | None) -> tuple[Extension, ...]:
        """What to do without now, in place of what was tried before; nothing once all has been tried.

        If one is `named`, it is that one.
        """
        if named is not None and named not in self._aside.missing:
            return (named,)
        self._aside.restore(*self._before)
        return self._left.pop(0) if self._left else ()


def _modules(extensions: Iterable[Extension]) -> str:
    return " or ".join(extension.module for extension in extensions)


class ShadowProxy(FamilyProxy):
    """Shadow mode, beside a proxy that is in charge: compares with what that one has written, and writes nothing."""

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
            unread=read.unread,
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
