"""A Host without a kernel: keeps rules in memory and takes restore input as iptables-restore does."""

import shlex
from collections.abc import Iterable
from typing import NoReturn

from pykubeproxy.host.errors import RestoreError
from pykubeproxy.host.protocol import Counted
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, TABLES, Lines, Ruleset, Table, is_builtin

# Targets that are not chains, as far as a Service proxy's rules and those around them use them.
_TARGETS = {
    *("ACCEPT", "DROP", "RETURN", "REJECT", "DNAT", "SNAT", "MASQUERADE", "MARK", "LOG", "REDIRECT", "CONNMARK", "CT"),
    "",
}


class MemoryHost:
    """Rules of one family, in memory."""

    def __init__(self, ruleset: Ruleset | None = None) -> None:
        self.ruleset = ruleset if ruleset is not None else Ruleset(tables={})

    def prefetch(self, *, with_counters: bool = False, early: bool = False) -> None:
        """Do nothing: there is nothing to wait for."""

    def has_few_rules(self) -> bool:
        """True if there are at most a hundred chains."""
        return sum(len(table.chains) for table in self.ruleset.tables.values()) <= 100

    def forget(self) -> None:
        """Do nothing: nothing is fetched beforehand."""

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        """Read the rules; `known` has no use here, as nothing is parsed, and nothing is counted."""
        del known, counted
        return Ruleset(
            tables={name: self.ruleset.tables[name] for name in tables if name in self.ruleset.tables}
        ).copy()

    def restore(self, lines: Iterable[str]) -> None:
        """Take restore input (`--noflush`): each table changes at its COMMIT, or not at all if a line is wrong."""
        interpreter = _Interpreter(self.ruleset)
        number = 0
        for number, line in enumerate(lines, 1):
            interpreter.take(number, line)
        if interpreter.table:
            raise RestoreError("iptables-restore", "COMMIT expected", number + 1)


class _Interpreter:
    """Takes restore input line by line; works on a copy of a table until its COMMIT."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.table = ""
        self._ruleset = ruleset
        self._chains: dict[str, Lines] = {}
        self._number = 0
        self._text = ""

    def take(self, number: int, text: str) -> None:
        """Carry out one line. Raises RestoreError."""
        self._number, self._text = number, text
        if text.startswith("*"):
            self._begin(text[1:])
        elif not self.table:
            self._fail("a table is expected")
        elif text == "COMMIT":
            self._commit()
        elif text.startswith(":"):
            self._create(text[1:].split(" ", maxsplit=1)[0])
        else:
            self._command(text)

    def _begin(self, table: str) -> None:
        if table not in BUILTIN_CHAINS:
            self._fail(f"there is no table {table}")
        self.table = table
        self._chains = dict.fromkeys(BUILTIN_CHAINS[table], ())
        if table in self._ruleset.tables:
            self._chains |= self._ruleset.tables[table].chains

    def _create(self, chain: str) -> None:
        if not is_builtin(self.table, chain):
            self._chains[chain] = ()

    def _command(self, text: str) -> None:
        words = shlex.split(text)
        command, chain = words[0], words[1] if len(words) > 1 else ""
        if command not in ("-A", "-I", "-D", "-X", "-F"):
            self._fail(f"unknown command {command}")
        if chain not in self._chains:
            self._fail("No chain/target/match by that name.")
        rules = list(self._chains[chain])
        match command:
            case "-A":
                rules.append(text)
            case "-I":
                position = int(words[2])
                if not 1 <= position <= len(rules) + 1:
                    self._fail("Index of insertion too big.")
                rules.insert(position - 1, text.replace(f"-I {chain} {position} ", f"-A {chain} ", 1))
            case "-D":
                line = text.replace("-D ", "-A ", 1)
                if line not in rules:
                    self._fail("Bad rule (does a matching rule exist in that chain?).")
                rules.remove(line)
            case "-F":
                rules = []
            case "-X":
                self._delete(chain)
                return
        self._check_target(text)
        self._chains[chain] = tuple(rules)

    def _delete(self, chain: str) -> None:
        if self._chains[chain] or is_builtin(self.table, chain):
            self._fail("Directory not empty")
        if any(target_of(line) == chain for lines in self._chains.values() for line in lines if chain in line):
            self._fail("Device or resource busy")
        del self._chains[chain]

    def _check_target(self, text: str) -> None:
        target = target_of(text)
        if target not in _TARGETS and target not in self._chains:
            self._fail(f"Chain '{target}' does not exist")

    def _commit(self) -> None:
        policies = self._ruleset.tables[self.table].policies if self.table in self._ruleset.tables else {}
        for chain in BUILTIN_CHAINS[self.table]:
            policies.setdefault(chain, "ACCEPT [0:0]")
        self._ruleset.tables[self.table] = Table(chains=self._chains, policies=policies)
        self.table = ""

    def _fail(self, problem: str) -> NoReturn:
        raise RestoreError("iptables-restore", problem, self._number, self._text)
