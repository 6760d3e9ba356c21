"""iptables-save text to a Ruleset.

Made for dumps of hundreds of thousands of lines: one pass over an iterator of lines, no copy of the text as a whole,
and lines that are already known are not kept a second time.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain

from pykubeproxy.rules.ruleset import Lines, Ruleset, Table, chain_line, is_builtin


class DumpError(ValueError):
    """Text that is not an iptables-save dump, or ends too early. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
# Expected lines that are compared at a time.
_PORTION = 4096
_ESCAPE = re.compile(r"\\(.)")


def words(rule: str) -> list[str]:
    """The words of a rule; one in quotes may have spaces in it, and a backslash before any of its characters."""
    before, quote, rest = rule.partition('"')
    if not quote:
        return rule.split()
    quoted, _, behind = rest.partition('"')
    if before.endswith(" ") and behind.startswith(" ") and not ('"' in behind or "\\" in rule):
        return [*before.split(), quoted, *behind.split()]
    return [bare or _ESCAPE.sub(r"\1", quoted) for quoted, bare in _WORD.findall(rule)]


def parse(lines: Iterable[str], known: Ruleset | None = None) -> Ruleset:
    """Parse a dump (`iptables-save`, with or without `-c`; rule counters are dropped). Raises DumpError.

    Built-in chains may go without a chain line, as in input for iptables-restore.

    Chains whose rules equal those of `known` share its tuples, which halves the memory of reading what is expected, and
    takes a fraction of the time where they come in the order of their names, as the tools print them. Comment lines and
    empty lines are skipped. Several dumps may follow each other, as for the tables one by one.
    """
    ruleset = Ruleset(tables={})
    numbered = _Lines(lines)
    reader = _TableReader(known or Ruleset(tables={}), numbered)
    for text in numbered:
        number = numbered.number
        if reader.has_open_rule:
            reader.continue_rule(numbered.as_printed)
        elif text.startswith("-"):
            reader.add_rule(number, text)
        elif text == "COMMIT":
            name, table = reader.finish(number)
            if name in ruleset.tables:
                raise DumpError(number, f"table {name} is there twice; one dump is of one family")
            ruleset.tables[name] = table
        else:
            _read_other(reader, number, text)
    if reader.name:
        raise DumpError(numbered.number, f"the dump ends inside table {reader.name}: there is no COMMIT")
    return ruleset


def _read_other(reader: "_TableReader", number: int, text: str) -> None:
    """A line that is neither a rule nor the end of a table."""
    match text[:1]:
        case ":":
            reader.add_chain(number, text)
        case "*":
            reader.begin(number, text[1:])
        case "" | "#":
            return
        case _:
            raise DumpError(number, f"{text[:60]!r} is not a line of iptables-save")


class _Lines:
    """The lines of a dump, without their ends and rule counters.

    `number` is that of the last one, from 1, and `as_printed` its text with its counters.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.number = 0
        self.as_printed = ""
        self._lines = iter(lines)
        self._next: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._next = (next(self._lines) if self._next is None else self._next), None
        self.number += 1
        self.as_printed = line.rstrip("\n")
        return _without_counters(self.as_printed)

    def skip(self, expected: Sequence[str], start: int, printed: Callable[[str], str] = str) -> int:
        """Skip lines as long as they are those `expected`, from index `start` on; return the index of the next one.

        `printed` makes the line of what is expected.
        """
        position, portion = start, expected[start : start + _PORTION]
        while portion and self._next is None:
            begin = position
            for wanted, line in zip(map(printed, portion), self._lines, strict=False):
                text = line.rstrip("\n")
                if text != wanted and _without_counters(text) != wanted:
                    self._next = line
                    break
                position += 1
            portion = expected[position : position + _PORTION] if position > begin else ()
        self.number += position - start
        return position


def _without_counters(text: str) -> str:
    return text.partition("] ")[2] or text if text.startswith("[") else text


class _Expected:
    """What a table should hold, in the order in which the tools print it: our own chains and their rules.

    `chains` are sorted by name. `rules` has those of all; the chain at a place has those from `begins[place]` to before
    `begins[place + 1]`.
    """

    def __init__(self, name: str, known: Ruleset) -> None:
        self._known = known.chains(name)
        self.chains = sorted(each for each in self._known if not is_builtin(name, each))
        self.rules = [*chain.from_iterable(map(self._known.__getitem__, self.chains))]
        self.begins = [0, *accumulate(len(self._known[each]) for each in self.chains)]

    def place_of(self, name: str) -> int | None:
        """The place of a chain; None if it is none of our own."""
        place = bisect_left(self.chains, name)
        return place if place < len(self.chains) and self.chains[place] == name else None

    def rules_of(self, name: str) -> Lines:
        """The rules of a chain, built-in ones included; empty if nothing is known of it."""
        return self._known.get(name, ())


class _TableReader:
    """Collects the chains and rules of one table, from its `*name` line to its COMMIT.

    What comes as expected is skipped in one go: in most dumps that is nearly all.
    """

    def __init__(self, known: Ruleset, lines: _Lines) -> None:
        self.name = ""
        self.has_open_rule = False
        self._known = known
        self._lines = lines
        self._expected = _Expected("", known)
        self._table = Table(chains={}, policies={})
        self._chain = ""
        self._rules: list[str] = []

    def begin(self, number: int, name: str) -> None:
        if self.name:
            raise DumpError(number, f"table {name} begins before COMMIT of table {self.name}")
        self.name = name
        self._table = Table(chains={}, policies={})
        self._expected = _Expected(name, self._known)

    def add_chain(self, number: int, text: str) -> None:
        name, _, policy = text[1:].partition(" ")
        if not self.name or not policy:
            raise DumpError(number, f"{text[:60]!r} is not a chain of a table")
        self._table.chains[name] = ()
        if not policy.startswith("-"):
            self._table.policies[name] = policy
        place = self._expected.place_of(name)
        if place is not None:
            end = self._lines.skip(self._expected.chains, place + 1, chain_line)
            self._table.chains.update(dict.fromkeys(self._expected.chains[place + 1 : end], ()))

    def add_rule(self, number: int, text: str) -> None:
        command, _, rest = text.partition(" ")
        name, _, _ = rest.partition(" ")
        if command != "-A" or not self.name or not (name in self._table.chains or is_builtin(self.name, name)):
            raise DumpError(number, f"{text[:60]!r} is not a rule of a chain of table {self.name or '(none)'}")
        if name != self._chain:
            self._end_chain()
            self._chain = name
            if self._rules_begin_as_expected(text):
                self._skip_expected()
                return
        self._rules.append(text)
        self.has_open_rule = _is_open(text)

    def continue_rule(self, text: str) -> None:
        """Add a line to the last rule: other programs' comments may have line breaks in them."""
        self._rules[-1] += f"\n{text}"
        self.has_open_rule = _is_open(self._rules[-1])

    def finish(self, number: int) -> tuple[str, Table]:
        if not self.name:
            raise DumpError(number, "COMMIT without a table")
        self._end_chain()
        name, self.name = self.name, ""
        return name, self._table

    def _rules_begin_as_expected(self, text: str) -> bool:
        """True if `text` is the first rule of this chain, and the one that is expected."""
        if self._expected.place_of(self._chain) is None or self._table.chains[self._chain]:
            return False
        return self._expected.rules_of(self._chain)[:1] == (text,)

    def _skip_expected(self) -> None:
        """Skip what follows the first rule of a chain as expected; of the last chain, that may be a part."""
        expected = self._expected
        place = bisect_left(expected.chains, self._chain)
        begin, number = expected.begins[place], self._lines.number
        end = self._lines.skip(expected.rules, begin + 1)
        while place < len(expected.chains) and expected.begins[place] < end:
            name, first, behind = expected.chains[place], expected.begins[place], expected.begins[place + 1]
            if name not in self._table.chains:
                text = expected.rules[first]
                raise DumpError(number + first - begin, f"{text[:60]!r} is not a rule of a chain of table {self.name}")
            if behind <= end and not self._table.chains[name]:
                self._table.chains[name] = expected.rules_of(name)
                self._chain = ""
            else:
                self._chain, self._rules = name, expected.rules[first : min(end, behind)]
                if behind <= end:
                    self._end_chain()
            place += 1

    def _end_chain(self) -> None:
        """Store the rules collected for one chain."""
        if self._chain:
            lines = self._table.chains.get(self._chain, ()) + tuple(self._rules)
            wanted = self._expected.rules_of(self._chain)
            self._table.chains[self._chain] = wanted if lines == wanted else lines
        self._chain, self._rules = "", []


def _is_open(rule: str) -> bool:
    """True if a quoted word has begun that does not end."""
    if rule.count('"') % 2 == 0 and "\\" not in rule:
        return False
    return rule.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 1
