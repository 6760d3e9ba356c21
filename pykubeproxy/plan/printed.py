"""Rules that mean what was written, in the words of another version of the tools.

What is read back differs from what was written then, though nobody has changed it. That is found out by writing it once
more: what looks after that as it did before is how the tools print it, and passes for right from then on. That is
forgotten if another program changed rules in between, since it may have put them back.
"""

from collections.abc import Iterator

from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset


class PrintedForms:
    """What is known of how the tools print the chains of one family; of each chain that is wanted, two numbers."""

    def __init__(self) -> None:
        self._chains: dict[ChainId, tuple[int, int]] = {}
        self._jumps: dict[ChainId, dict[str, str]] = {}
        self._latest: set[ChainId] = set()

    def translate(self, live: Ruleset, desired: Ruleset) -> None:
        """Put what was written in the place of what is printed for it."""
        for (table, chain), (written, printed) in list(self._chains.items()):
            want, have = desired.lines(table, chain), live.lines(table, chain)
            if want is None or hash(want) != written:
                del self._chains[table, chain]
            elif have is not None and hash(have) == printed:
                live.tables[table].chains[chain] = want
        for (table, chain), words in self._jumps.items():
            lines = live.lines(table, chain) or ()
            if any(line in words for line in lines):
                live.tables[table].chains[chain] = tuple(words.get(line, line) for line in lines)

    def confirm(self, *, has_foreign_change: bool) -> None:
        """Keep what `learn` has found last for good, or forget it, as another program has been at work since then."""
        if has_foreign_change:
            for chain in self._latest:
                self._chains.pop(chain, None)
                self._jumps.pop(chain, None)
        self._latest = set()

    def learn(self, plan: Plan, after: Ruleset) -> set[ChainId]:
        """Compare the rules `after` a Plan was carried out with what it meant; return the chains that look the same."""
        found: set[ChainId] = set()
        for change in filter(_is_doubtful, plan.chains):
            if change.after is not None and after.lines(change.table, change.chain) == change.before:
                chain = (change.table, change.chain)
                self._chains[chain] = (hash(change.after), hash(change.before))
                found.add(chain)
        for insert in plan.inserts:
            lines = after.lines(insert.table, insert.chain) or ()
            alike = set(_alike(insert.line, lines))
            if len(alike) == 1 and insert.line not in lines:
                chain = (insert.table, insert.chain)
                self._jumps.setdefault(chain, {})[alike.pop()] = insert.line
                found.add(chain)
        self._latest = found
        return found


def is_doubtful(plan: Plan, before: Ruleset) -> bool:
    """True if a Plan changes rules that may be the same in other words."""
    return any(map(_is_doubtful, plan.chains)) or any(
        any(_alike(insert.line, before.lines(insert.table, insert.chain) or ())) for insert in plan.inserts
    )


def jumps_inserted_twice(plan: Plan, before: Ruleset, after: Ruleset) -> tuple[RuleDelete, ...]:
    """The jumps that a Plan has inserted though they were there `before`, in other words."""
    return tuple(
        RuleDelete(table=insert.table, chain=insert.chain, line=insert.line)
        for insert in plan.inserts
        for lines in [after.lines(insert.table, insert.chain) or ()]
        if insert.line not in lines
        and len(list(_alike(insert.line, lines))) > 1
        and any(_alike(insert.line, before.lines(insert.table, insert.chain) or ()))
    )


def _is_doubtful(change: ChainChange) -> bool:
    """True if each rule leads where it led before."""
    before, after = change.before, change.after
    return bool(before and after) and [*map(target_of, before or ())] == [*map(target_of, after or ())]


def _alike(jump: str, lines: Lines) -> Iterator[str]:
    """The rules that lead where a jump leads, in other words."""
    target = target_of(jump)
    return (line for line in lines if line != jump and target_of(line) == target)
