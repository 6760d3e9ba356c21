"""The first write to a node that has no rules of Services: it begins while most of them are still being compiled.

The tool and the program then work at the same time. What is compiled comes in parts, of some Services each, which are
written at once: nothing leads to their chains yet. When all are compiled, `diff` finds what is missing: the dispatch
chains, the jumps to them, and all of the filter table.

With the nft tools each part is a section, committed on its own (`plan.sections`). With the legacy tools, which read and
write a whole table at every COMMIT, all parts and what is missing of nat are one section. Filter follows, other than
usual: until then, the node refuses as little as before.
"""

from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter

from msgspec.structs import replace

from pykubeproxy.plan.apply import apply
from pykubeproxy.plan.diff import ChainChange, Plan, diff, diff_chains
from pykubeproxy.plan.payload import Payload, committed, section_lines
from pykubeproxy.plan.sections import SECTION_SIZE, Split, whole
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DISPATCH_CHAINS
from pykubeproxy.rules.names import is_stale_candidate
from pykubeproxy.rules.ruleset import ChainId, Ruleset

# Chains in one part of a single section. Measured with 60,000 chains (iptables 1.8.9): the legacy tool takes as long as
# for all in the order of names with 2,000 to 16,000, and a tenth longer with 300.
PART_SIZE = 2000


def has_no_services(live: Ruleset) -> bool:
    """True if no chain of any Service is among the live rules, and all tables could be read."""
    return not live.unread and not any(
        is_stale_candidate(name, chain) for name, table in live.tables.items() for chain in table.chains
    )


class FirstWrite:
    """Iterates, once, over the restore input that makes `desired` of `live`, and compiles on the way.

    Each of `steps` compiles something into `desired`, and yields the chains that this may have changed. `split` divides
    what is written after all steps, as it does any Plan. `live` must satisfy `has_no_services`; it follows what is
    written.
    """

    def __init__(self, steps: Iterable[Collection[ChainId]], desired: Ruleset, live: Ruleset, split: Split) -> None:
        self.done_steps = 0
        self._steps = iter(steps)
        self._desired = desired
        self._live = live
        self._split = split
        self._rest = Plan()
        self._changes: list[ChainChange] = []
        self._rewritten: dict[str, ChainChange] = {}

    def __iter__(self) -> Iterator[str]:
        if self._split is whole:
            yield from committed("nat", self._nat_lines())
            in_filter = tuple(change for change in self._rest.chains if change.table != "nat")
            inserts = tuple(insert for insert in self._rest.inserts if insert.table != "nat")
            yield from Payload(*whole(Plan(chains=in_filter, inserts=inserts)))
        else:
            for part in self._parts(SECTION_SIZE):
                yield from Payload(part)
            yield from Payload(*self._split(self._rest))

    def finish(self) -> None:
        """Do the steps that are left, if the tool has not taken everything."""
        for _ in self._steps:
            pass

    @property
    def plan(self) -> Plan:
        """All that was written, as one Plan, after the last line was taken."""
        written = (
            replace(self._rewritten[change.chain], before=change.before) if change.chain in self._rewritten else change
            for change in self._changes
        )
        # By one text after the other: pairs of them would take as much memory again.
        by_chain = sorted(written, key=attrgetter("chain"))
        return replace(self._rest, chains=tuple(sorted(by_chain, key=attrgetter("table"))))

    def _nat_lines(self) -> Iterator[str]:
        for part in self._parts(PART_SIZE):
            yield from section_lines(part, "nat")
        yield from section_lines(self._rest, "nat")

    def _parts(self, size: int) -> Iterator[Plan]:
        """The chains of Services as they are compiled, about `size` at a time; then finds out what is left to write."""
        yield self._part(("nat", chain) for chain in names.FIXED_CHAINS["nat"] if ("nat", chain) not in DISPATCH_CHAINS)
        waiting: set[ChainId] = set()
        for changed in self._steps:
            self.done_steps += 1
            waiting.update(each for each in changed if names.service_hash(each[1]))
            if len(waiting) >= size:
                yield self._part(waiting)
                waiting = set()
        yield self._part(waiting)
        self._rest = diff(self._desired, self._live)
        apply(self._rest, self._live)
        self._add(self._rest)

    def _part(self, chains: Iterable[ChainId]) -> Plan:
        plan = diff_chains(self._desired, self._live, chains)
        apply(plan, self._live)
        self._add(plan)
        return plan

    def _add(self, plan: Plan) -> None:
        """Remember what is written; a chain of a Service that was there before has been written by an earlier part."""
        for change in plan.chains:
            if change.before is not None and names.service_hash(change.chain):
                self._rewritten[change.chain] = change
            else:
                self._changes.append(change)
