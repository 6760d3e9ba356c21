"""iptables-save text to a Ruleset.

Made for dumps of hundreds of thousands of lines: one pass over an iterator of lines, no copy of the text as a whole,
and lines that are already known are not kept a second time.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from pykubeproxy.rules.ruleset import Lines, Ruleset, Table, chain_line, is_builtin


class DumpError(ValueError):
    """Text that is not an iptables-save dump, or ends too early. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPE = re.compile(r"\\(.)")

# A rule in which each quoted word ends. Names are not quoted, whatever is in them.
_NAMING = r"(?:-[Ajgio]|--(?:\w+-)?name|--match-set) "
_CLOSED = re.compile(rf'(?:(?:{_NAMING}[^ ]*|"(?:[^"\\]|\\.)*"|(?!{_NAMING})[^" ][^ ]*)(?= |\Z)| )*', re.DOTALL)


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
        case _ if reader.follows_rule:
            reader.continue_rule(text)
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

    def skip(self, expected: Iterable[str]) -> int:
        """Skip lines as long as they are those `expected`; return how many were."""
        count = 0
        if self._next is None:
            for wanted, line in zip(expected, self._lines, strict=False):
                text = line.rstrip("\n")
                if text != wanted and _without_counters(text) != wanted:
                    self._next = line
                    break
                count += 1
        self.number += count
        return count


def _without_counters(text: str) -> str:
    return text.partition("] ")[2] or text if text.startswith("[") else text


class _Expected:
    """What a table should hold: our own chains and their rules, in the order in which the tools print them."""

    def __init__(self, name: str, known: Ruleset) -> None:
        self._known = known.chains(name)
        self.chains = sorted(each for each in self._known if not is_builtin(name, each))

    def place_of(self, name: str) -> int | None:
        """The place of a chain; None if it is none of our own."""
        place = bisect_left(self.chains, name)
        return place if place < len(self.chains) and self.chains[place] == name else None

    def chains_from(self, place: int) -> Iterator[str]:
        """The chains from a place on."""
        return map(self.chains.__getitem__, range(place, len(self.chains)))

    def rules_from(self, place: int) -> Iterator[str]:
        """The rules of all chains from a place on."""
        return chain.from_iterable(map(self._known.__getitem__, self.chains_from(place)))

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
            count = self._lines.skip(map(chain_line, self._expected.chains_from(place + 1)))
            for each in islice(self._expected.chains_from(place + 1), count):
                self._table.chains[each] = ()

    def add_rule(self, number: int, text: str) -> None:
        command, _, rest = text.partition(" ")
        name, _, _ = rest.partition(" ")
        if command != "-A" or not self.name or not (name in self._table.chains or is_builtin(self.name, name)):
            raise DumpError(number, f"{text[:60]!r} is not a rule of a chain of table {self.name or '(none)'}")
        if name != self._chain:
            self._end_chain()
            place = self._expected.place_of(name)
            if place is not None and not self._table.chains[name] and self._expected.rules_of(name)[:1] == (text,):
                self._skip_expected(place)
                return
            self._chain = name
        self._rules.append(text)
        self.has_open_rule = _is_open(text)

    @property
    def follows_rule(self) -> bool:
        """True if the last line was a rule, or the rest of one."""
        return bool(self._rules)

    def continue_rule(self, text: str) -> None:
        """Add a line to the last rule: other programs' comments and names may have line breaks in them."""
        self._rules[-1] += f"\n{text}"
        self.has_open_rule = _is_open(self._rules[-1])

    def finish(self, number: int) -> tuple[str, Table]:
        if not self.name:
            raise DumpError(number, "COMMIT without a table")
        self._end_chain()
        name, self.name = self.name, ""
        return name, self._table

    def _skip_expected(self, place: int) -> None:
        """Skip what follows the first rule of the expected chain at `place` as expected, in all chains from there on.

        Of the last chain, that may be a part.
        """
        number = self._lines.number
        left = 1 + self._lines.skip(islice(self._expected.rules_from(place), 1, None))
        for name in self._expected.chains_from(place):
            rules = self._expected.rules_of(name)
            if not rules:
                # Nothing is printed for it, whether it is there or not.
                continue
            if name not in self._table.chains:
                raise DumpError(number, f"{rules[0][:60]!r} is not a rule of a chain of table {self.name}")
            self._end_chain()
            if len(rules) <= left and not self._table.chains[name]:
                self._table.chains[name] = rules
            else:
                self._chain, self._rules = name, [*rules[:left]]
            number, left = number + len(rules), left - len(rules)
            if left <= 0:
                return

    def _end_chain(self) -> None:
        """Store the rules collected for one chain."""
        if self._chain:
            lines = self._table.chains.get(self._chain, ()) + tuple(self._rules)
            wanted = self._expected.rules_of(self._chain)
            self._table.chains[self._chain] = wanted if lines == wanted else lines
        self._chain, self._rules = "", []


def _is_open(rule: str) -> bool:
    """True if a quoted word has begun that does not end."""
    before, quote, rest = rule.partition('"')
    if not quote or (before.endswith(" --comment ") and rest.count('"') == 1 and "\\" not in rest):
        return False
    return not _CLOSED.fullmatch(rule)
