"""Any order of events leads to the same rules as compiling afresh, and every step on the way is safe: the first oracle.

A FamilyProxy follows the events with an in-memory host, as the daemon does with a kernel: divided commits, restores
that fail in the middle, and fresh reads included.
"""

from collections.abc import Callable, Iterable, Iterator
from random import Random

from fuzz.compiling import Intake, chains_of, options_for, snapshot_of
from fuzz.findings import Finding, expect
from fuzz.history import Event, Told, batches
from fuzz.meaning import ENVIRONMENT, fate, packet, packets
from fuzz.model import Asked, Cluster, Fate
from fuzz.proxy import Proxy
from fuzz.states import ADDRESSES, NODE, PRIMARY, State, own_node
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.netfilter import Tracer
from pykubeproxy.plan.diff import Plan, diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import sections, whole
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, ChainId, Lines, Ruleset
from tests.memory_host import MemoryHost

_WATCHED_PACKETS = 6


class _Host(MemoryHost):
    """Tells of every COMMIT, and breaks down after some of them if it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.commits_left: int | None = None
        self.watcher: Callable[[Ruleset], None] | None = None

    def restore(self, lines: Iterable[str]) -> None:
        for part in commits(lines):
            if self.commits_left is not None:
                if not self.commits_left:
                    raise RestoreError("iptables-restore", "broken down", 1)
                self.commits_left -= 1
            super().restore(part)
            if self.watcher is not None:
                self.watcher(self.ruleset)


def check_order(state: State, family: Family, dispatch: Dispatch) -> None:
    """Follow the history of a state. Raises Finding for the first batch after which something is wrong."""
    random = Random(f"order {state.number} {family}")
    size = random.choice((1, 2, 5, 10))
    follower = _Follower(state, family, dispatch, size)
    history = batches(state)
    watched = random.randrange(len(history)) if history else 0
    for number, batch in enumerate(history):
        breaks = random.randrange(6) if random.random() < 0.15 else None
        if random.random() < 0.1:
            follower.proxy.distrust()
        try:
            follower.follow(batch, breaks, is_watched=number == watched)
        except Finding as finding:
            events = ", ".join(_event_name(event) for event in batch)
            raise Finding(f"{family} {dispatch}, batch {number + 1} ({events}): {finding}") from None
    finally_known = _in_order(follower.told.used)
    wanted = [obj for obj in state.objects if obj in finally_known]
    expect(holds=len(wanted) == len(finally_known), otherwise="the history does not end in the state")


class _Follower:
    """A proxy that follows events, beside what it should know."""

    def __init__(self, state: State, family: Family, dispatch: Dispatch, size: int) -> None:
        self.told = Told()
        self._state, self._family, self._dispatch, self._size = state, family, dispatch, size
        self._intake = Intake()
        self._host = _Host()
        self._witness: _Witness | None = None
        self.proxy = FamilyProxy(self._options(self._intake.snapshot), self._host, self._split)

    def follow(self, batch: list[Event], breaks: int | None, *, is_watched: bool) -> None:
        """Take in a batch, sync, and compare."""
        for event in batch:
            self._tell(event)
        touched = self._intake.take()
        options = self._options(self._intake.snapshot)
        if options != self.proxy.options:
            self.proxy.reconfigure(options, self._intake.snapshot)
        self.proxy.update(self._intake.snapshot, touched)
        fresh = self._fresh()
        _compare("incremental compile", fresh, self.proxy.desired)
        before = self._host.ruleset.copy()
        self._host.commits_left = breaks
        self._witness = _Witness(self._state, self._family, before, fresh, self.told) if is_watched else None
        try:
            self.proxy.sync()
        except RestoreError:
            self._host.commits_left = None
            self.proxy.sync()
        finally:
            self._host.commits_left = self._host.watcher = None
        _compare("rules in the host", fresh, self._host.ruleset, apart_from=fresh.shared)
        _compare("rules that are believed to be in the host", self._host.ruleset, self.proxy.believed)
        self._check_single_commit(fresh, before)

    def _tell(self, event: Event) -> None:
        self.told.tell(event)
        if event.obj is None:
            self._intake.relist(self.told.now)
        elif event.kind == "put":
            self._intake.put(event.obj)
        else:
            self._intake.remove(event.obj)

    def _fresh(self) -> Ruleset:
        """What the rules should be, from nothing but the objects as they are known now."""
        snapshot = snapshot_of(self.told.used)
        return compile_ruleset(snapshot, self._options(snapshot))

    def _options(self, snapshot: Snapshot) -> RuleOptions:
        return options_for(self._state.flags, snapshot.nodes.get(NODE), self._family, self._dispatch)

    def _split(self, plan: Plan) -> Iterator[Plan]:
        """Divide a Plan. One that stays whole has a moment between the commits of its two tables, as kube-proxy's."""
        is_divided = len(plan.chains) > self._size
        self._host.watcher = self._witness.look if self._witness is not None and is_divided else None
        return sections(plan, self._size)

    def _check_single_commit(self, fresh: Ruleset, before: Ruleset) -> None:
        """The same in one commit, on a host that was as this one was before."""
        plan, host = diff(fresh, before), MemoryHost(before.copy())
        host.restore(Payload(*whole(plan)))
        _compare("divided and single commits", host.ruleset, self._host.ruleset)
        expect(holds=diff(fresh, host.ruleset).is_empty, otherwise="a Plan that was carried out leaves something to do")


class _Witness:
    """Looks at some packets after every COMMIT: each must fare as before, or as it will in the end."""

    def __init__(self, state: State, family: Family, old: Ruleset, new: Ruleset, told: Told) -> None:
        proxy = Proxy(state.flags, NODE, ADDRESSES, PRIMARY, own_node(tuple(told.used)))
        cluster = Cluster((*state.objects, *told.used), proxy)
        self._asked = [each for each in packets(state, cluster, family, _WATCHED_PACKETS) if each.seen_at is None]
        self._old, self._new = self._fates(old), self._fates(new)
        self._commits = 0

    def look(self, ruleset: Ruleset) -> None:
        """Raises Finding for a packet that meets something in between."""
        self._commits += 1
        for asked, found in self._fates(ruleset).items():
            if found not in (self._old[asked], self._new[asked]):
                raise Finding(
                    f"after commit {self._commits}, {asked} is neither as before nor as after\n  before: "
                    f"{self._old[asked]}\n  now:    {found}\n  after:  {self._new[asked]}"
                )

    def _fates(self, ruleset: Ruleset) -> dict[Asked, Fate]:
        tracer = Tracer(ruleset, ENVIRONMENT)
        return {asked: fate(tracer.trace(packet(asked))) for asked in self._asked}


def commits(lines: Iterable[str]) -> Iterator[list[str]]:
    """Restore input, COMMIT by COMMIT."""
    part: list[str] = []
    for line in lines:
        part.append(line)
        if line == "COMMIT":
            yield part
            part = []
    if part:
        yield part


def _compare(what: str, expected: Ruleset, found: Ruleset | None, apart_from: frozenset[ChainId] = frozenset()) -> None:
    """Raise Finding for the first chain that differs, apart from those that are left to others."""
    ours, theirs = _contents(expected), _contents(found or Ruleset(tables={}))
    for chain in sorted(ours.keys() | theirs.keys()):
        if chain not in apart_from and ours.get(chain) != theirs.get(chain):
            raise Finding(
                f"{what}: {' '.join(chain)}\n{_lines('expected', ours, chain)}{_lines('found', theirs, chain)}"
            )


def _lines(side: str, chains: dict[ChainId, Lines], chain: ChainId) -> str:
    lines = chains.get(chain)
    shown = "no such chain" if lines is None else "".join(f"\n    {line}" for line in lines) or "empty"
    return f"  {side}: {shown}\n"


def _contents(ruleset: Ruleset) -> dict[ChainId, Lines]:
    """All chains; built-in ones only where they have rules."""
    chains = chains_of(ruleset)
    return {chain: lines for chain, lines in chains.items() if lines or chain[1] not in BUILTIN_CHAINS[chain[0]]}


def _event_name(event: Event) -> str:
    if event.obj is None:
        return event.kind
    return f"{event.kind} {'/'.join(part for part in _short(event.obj) if part)}"


def _short(obj: dict[str, object]) -> tuple[str, ...]:
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    return (str(obj["kind"]), *(str(metadata.get(key, ""))[:40] for key in ("namespace", "name")))


def _in_order(objects: list[dict[str, object]]) -> list[dict[str, object]]:
    """Objects without the versions that they were given on the way."""
    return [
        obj | {"metadata": {k: v for k, v in dict(obj["metadata"]).items() if k != "resourceVersion"}}  # type: ignore[call-overload]
        for obj in objects
    ]
