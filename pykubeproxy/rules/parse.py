"""iptables-save text to a Ruleset.

Made for dumps of hundreds of thousands of lines: one pass over an iterator of lines, no copy of the text as a whole,
and lines that are already known are not kept a second time.
"""

import re
from collections.abc import Iterable, Mapping

from pykubeproxy.rules.ruleset import Lines, Ruleset, Table, is_builtin


class DumpError(ValueError):
    """Text that is not an iptables-save dump, or ends too early. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
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

    Chains whose rules equal those of `known` share its tuples, which halves the memory of reading what is expected.
    Comment lines and empty lines are skipped. Several dumps may follow each other, as for the tables one by one.
    """
    ruleset = Ruleset(tables={})
    reader = _TableReader(known or Ruleset(tables={}))
    number = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n")
        rule = text.partition("] ")[2] or text if text.startswith("[") else text
        if rule == reader.awaited:
            reader.take_awaited()
        elif reader.has_open_rule:
            reader.continue_rule(text)
        elif rule.startswith("-"):
            reader.add_rule(number, rule)
        elif text == "COMMIT":
            name, table = reader.finish(number)
            if name in ruleset.tables:
                raise DumpError(number, f"table {name} is there twice; one dump is of one family")
            ruleset.tables[name] = table
        else:
            _read_other(reader, number, text)
    if reader.name:
        raise DumpError(number, f"the dump ends inside table {reader.name}: there is no COMMIT")
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


class _TableReader:
    """Collects the chains and rules of one table, from its `*name` line to its COMMIT.

    While the rules of a chain are those that are expected of it, they are only counted: in most dumps that is all.
    """

    def __init__(self, known: Ruleset) -> None:
        self.name = ""
        self.has_open_rule = False
        self.awaited: str | None = None
        """The next rule, if the chain goes on as expected; None if nothing is expected."""
        self._known = known
        self._expected: Mapping[str, Lines] = {}
        self._table = Table(chains={}, policies={})
        self._chain = ""
        self._expected_lines: Lines = ()
        self._count = 0
        self._others: list[str] = []

    def begin(self, number: int, name: str) -> None:
        if self.name:
            raise DumpError(number, f"table {name} begins before COMMIT of table {self.name}")
        self.name = name
        self._table = Table(chains={}, policies={})
        self._expected = self._known.chains(name)

    def add_chain(self, number: int, text: str) -> None:
        chain, _, policy = text[1:].partition(" ")
        if not self.name or not policy:
            raise DumpError(number, f"{text[:60]!r} is not a chain of a table")
        self._table.chains[chain] = ()
        if not policy.startswith("-"):
            self._table.policies[chain] = policy

    def take_awaited(self) -> None:
        """The rule that was awaited has come."""
        self._count += 1
        self.awaited = self._expected_lines[self._count] if self._count < len(self._expected_lines) else None

    def add_rule(self, number: int, text: str) -> None:
        command, _, rest = text.partition(" ")
        chain, _, _ = rest.partition(" ")
        is_known = chain in self._table.chains or is_builtin(self.name, chain)
        if command != "-A" or not is_known or not self.name:
            raise DumpError(number, f"{text[:60]!r} is not a rule of a chain of table {self.name or '(none)'}")
        if chain != self._chain:
            self._end_chain()
            self._begin_chain(chain)
            if text == self.awaited:
                self.take_awaited()
                return
        self.awaited = None
        self._others.append(text)
        self.has_open_rule = _is_open(text)

    def continue_rule(self, text: str) -> None:
        """Add a line to the last rule: other programs' comments may have line breaks in them."""
        self._others[-1] += f"\n{text}"
        self.has_open_rule = _is_open(self._others[-1])

    def finish(self, number: int) -> tuple[str, Table]:
        if not self.name:
            raise DumpError(number, "COMMIT without a table")
        self._end_chain()
        name, self.name = self.name, ""
        return name, self._table

    def _begin_chain(self, chain: str) -> None:
        """Expect the rules of a chain, unless some of it have been there before: they come together, as a rule."""
        self._chain = chain
        self._expected_lines = () if self._table.chains.get(chain) else self._expected.get(chain, ())
        self.awaited = self._expected_lines[0] if self._expected_lines else None

    def _end_chain(self) -> None:
        """Store the rules collected for one chain."""
        if self._chain:
            lines = self._expected_lines
            if self._others or self._count < len(lines):
                before = self._table.chains.get(self._chain, ())
                lines = before + lines[: self._count] + tuple(self._others)
            self._table.chains[self._chain] = lines
        self._chain, self._expected_lines, self._count, self.awaited = "", (), 0, None
        self._others.clear()


def _is_open(rule: str) -> bool:
    """True if a quoted word has begun that does not end."""
    if rule.count('"') % 2 == 0 and "\\" not in rule:
        return False
    return rule.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 1
