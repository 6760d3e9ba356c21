"""Running iptables-save and iptables-restore (`docs/reference/iptables-execution.md`).

Rules are read and written by these two tools only, and never added one by one, so each table changes as a whole or not
at all.
"""

import fcntl
import os
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import BinaryIO, Self

import msgspec

from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.commands import waited_for
from pykubeproxy.host.errors import HostError, SaveError
from pykubeproxy.host.generations import current_generation
from pykubeproxy.host.nft_rules import leads_by_map
from pykubeproxy.host.partial import PartialReader, WrittenChains, counted_lines
from pykubeproxy.host.protocol import Counted
from pykubeproxy.host.tool_errors import LOCK_WAIT, not_started, restore_error, save_error
from pykubeproxy.rules.parse import DumpError, parse
from pykubeproxy.rules.ruleset import TABLES, Ruleset

# Seconds in which iptables-save has read and printed a few rules.
_SHORT_WAIT = 0.05

# Bytes of input that may wait for a tool: as much as Linux allows everybody by default (pipe(7)). While the tool works
# them off, the next lines are made.
_PIPE_BYTES = 1024 * 1024

# Lines written to a tool at a time.
_BLOCK = 1000

# Other programs' rules may have comments in any encoding. They are compared and shown, and never written back.
_ENCODING_ERRORS = "backslashreplace"


class RestoreRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of iptables-restore: its process, and how many commits it has carried out; None if it failed at some."""

    pid: int
    commits: int | None


class IncompatibleTable(SaveError):
    """iptables-nft-save leaves out a table, or prints rules of other programs in it incorrectly."""


class IptablesHost:
    """The Host that runs the node's own tools."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._writes: list[RestoreRun] = []
        self._prefetched: _Dump | None = None
        self._partial = PartialReader(tools)

    def take_restore_runs(self) -> tuple[RestoreRun, ...]:
        """The runs of iptables-restore since the last call, or since `check`."""
        writes, self._writes = tuple(self._writes), []
        return writes

    def prefetch(self, *, with_counters: bool = False, early: bool = False) -> None:
        """Start the tool: it fetches the rules while the caller is busy, and then waits for a reader."""
        is_nft = self._tools.backend is Backend.NFT
        generation = current_generation() if is_nft else None
        command = self._save_command(() if is_nft else ("-t", "nat"), with_counters=with_counters)  # the larger by far
        if self._prefetched is not None and self._prefetched.is_of(command, generation):
            return
        self.forget()
        if early and generation is None:
            return
        # If it cannot be started, `save` raises the error.
        with suppress(HostError):
            self._prefetched = _Dump(command, generation)

    def has_few_rules(self) -> bool:
        """True if the tool that was started beforehand has ended: it waits for a reader once it has printed 64 KiB."""
        return self._prefetched is not None and self._prefetched.has_ended(_SHORT_WAIT)

    def forget(self) -> None:
        """End the tool that was started beforehand."""
        if self._prefetched is not None:
            self._prefetched.close()
        self._prefetched = None

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        """Read the live rules; a table that is not there yet is simply missing.

        Of a table that iptables-nft-save cannot print, the result has what can be found out otherwise
        (`host.partial`), and says what is missing.

        Where reading has to begin anew, `counted` is given the same rules once more.
        """
        try:
            ruleset = self._save_tables(tuple(tables), known, counted)
        finally:
            self.forget()
        if self._tools.backend is Backend.NFT:
            with suppress(HostError):
                ruleset.mapped = frozenset(table for table in ruleset.tables if leads_by_map(self._tools.family, table))
        return ruleset

    def check(self) -> None:
        """Find out whether rules can be written here, without writing any. Raises HostError."""
        self._run_restore(("*filter", "COMMIT"), "--test")
        self._writes.clear()

    def restore(self, lines: Iterable[str]) -> None:
        """Feed `lines` to iptables-restore; nothing is run for no lines.

        They are made while the tool reads, and asked for again to show the one that it refused.
        """
        if not self._partial.tables:
            self._run_restore(lines)
            return
        written = WrittenChains(lines)
        self._run_restore(written)
        # What cannot be remembered is written again the next time.
        with suppress(HostError):
            self._partial.written(written.chains)

    def _run_restore(self, lines: Iterable[str], *flags: str) -> None:
        text = _in_blocks(lines)
        first = next(text, None)
        if first is None:
            return
        command = [self._tools.restore, *self._tools.wait_flags(LOCK_WAIT), "--noflush", "--counters", *flags]
        status, said = _feed(command, chain([first], text), self._writes)
        if status:
            raise restore_error(self._tools.restore, status, said, lines)

    def _save_tables(self, wanted: tuple[str, ...], known: Ruleset | None, counted: Counted | None) -> Ruleset:
        if self._tools.backend is Backend.NFT and len(wanted) > 1:
            # Whichever table it is asked for, iptables-nft-save fetches the chains of all, so one run is half the
            # work of two. It fails if it cannot read a table that is of no concern here.
            with suppress(SaveError):
                ruleset = self._save((), wanted, known, counted)
                for table in wanted:
                    self._partial.printed(table)
                return ruleset
        ruleset = Ruleset(tables={}, unread={})
        for table in wanted:
            try:
                ruleset.tables.update(self._save(("-t", table), (table,), known, counted).tables)
                self._partial.printed(table)
            except SaveError as problem:
                if self._tools.backend is not Backend.NFT:
                    raise
                self._save_partially(ruleset, table, problem, counted)
        return ruleset

    def _save_partially(self, ruleset: Ruleset, name: str, problem: SaveError, counted: Counted | None) -> None:
        """Put what can be found out about a table into `ruleset`. Raises `problem` if that is nothing."""
        try:
            table, unread, rules = self._partial.read(
                name, str(problem), trust_others=not isinstance(problem, IncompatibleTable)
            )
        except HostError:
            raise problem from None
        if not rules:
            raise problem
        ruleset.tables[name], ruleset.unread[name] = table, unread
        if counted is not None:
            for line in counted_lines(table, rules):
                counted(line)

    def _save(
        self, which: tuple[str, ...], wanted: tuple[str, ...], known: Ruleset | None, counted: Counted | None
    ) -> Ruleset:
        """The `wanted` tables of what the tool prints with the arguments `which`."""
        dump = self._dump(self._save_command(which, with_counters=counted is not None))
        parsed: Ruleset | DumpError
        remarks: list[str] = []
        with dump, waited_for(dump.command, dump.pid):
            # The legacy tools print the one table that they are asked for, and nothing else.
            is_plain = self._tools.backend is Backend.LEGACY
            lines = iter(dump.lines) if is_plain else _of_tables(dump.lines, wanted, remarks)
            try:
                parsed = parse(_counting(lines, counted) if counted else lines, known)
            except DumpError as problem:
                parsed = problem
            status, message = dump.finish()
        # If the tool has failed, its message says more than the error in its incomplete dump.
        if status:
            raise save_error(dump.command, status, message)
        if isinstance(parsed, DumpError):
            raise SaveError(f"{' '.join(dump.command)}: {parsed}")
        _require_readable(wanted, remarks)
        return parsed

    def _save_command(self, which: tuple[str, ...], *, with_counters: bool) -> list[str]:
        return [self._tools.save, *(("-c",) if with_counters else ()), *which]

    def _dump(self, command: list[str]) -> "_Dump":
        """The dump of this command: the prefetched one if there is one, else a new one."""
        if self._prefetched is not None and self._prefetched.command == command:
            prefetched, self._prefetched = self._prefetched, None
            return prefetched
        return _Dump(command)


class _Dump:
    """A run of iptables-save, ended with the block. `generation` is that of the rules when it began, if known."""

    def __init__(self, command: list[str], generation: int | None = None) -> None:
        """Start it. Raises ToolMissing."""
        self.command = command
        self.generation = generation
        self._said = _memory()
        try:
            self._process = _popen(command, self._said)
        except HostError:
            self._said.close()
            raise

    def is_of(self, command: list[str], generation: int | None) -> bool:
        """True if it is a run of this command that was started in this generation of the rules."""
        return self.command == command and generation is not None and self.generation == generation

    def has_ended(self, timeout: float) -> bool:
        """True if it ends within so many seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def lines(self) -> Iterable[str]:
        """The lines that it prints, as they arrive."""
        assert self._process.stdout is not None
        return self._process.stdout

    def finish(self) -> tuple[int, str]:
        """Wait for its end, dropping what it still prints; return its exit status, and what it printed to stderr."""
        deque(self.lines, maxlen=0)
        return self._process.wait(), _text_in(self._said)

    def close(self) -> None:
        """End it, if it runs."""
        self._process.kill()
        with self._process:  # closes its pipe and awaits its end
            self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _counting(lines: Iterator[str], counted: Counted) -> Iterator[str]:
    """The given lines; `counted` is called with each rule that has counters."""
    for line in lines:
        if line.startswith("["):
            counted(line)
        yield line


def _of_tables(lines: Iterable[str], wanted: tuple[str, ...], remarks: list[str]) -> Iterator[str]:
    """A dump without the tables that are not `wanted`; comment lines between tables are put into `remarks`."""
    table = ""
    for line in lines:
        if not table and line.startswith("*"):
            table = line[1:].rstrip()
        elif not table and line.startswith("#"):
            remarks.append(line)
        if not table or table in wanted:
            yield line
        if line == "COMMIT\n":
            table = ""


def _require_readable(tables: Iterable[str], remarks: Iterable[str]) -> None:
    """Refuse a table that iptables-nft-save does not show: it would pass for an empty one, and be filled twice."""
    for remark in remarks:
        for table in tables:
            if f"`{table}' is incompatible, " in remark:
                raise IncompatibleTable(f"table {table} holds rules that iptables cannot read, made with nft")


def _in_blocks(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines as input for a tool, many at a time."""
    remaining = iter(lines)
    while block := "\n".join(islice(remaining, _BLOCK)):
        yield f"{block}\n".encode()


def _feed(command: list[str], text: Iterator[bytes], writes: list[RestoreRun]) -> tuple[int, str]:
    """Run a tool on some input; return its exit status and its messages. The run is added to `writes`."""
    with _memory() as said:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said)
        except OSError as error:
            raise not_started(command[0], error) from None
        assert process.stdin is not None
        # A kernel that refuses keeps to 64 KiB.
        with suppress(OSError):
            fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        commits = 0
        with waited_for(command, process.pid):
            # A tool that ends early breaks the pipe, and says why.
            with suppress(BrokenPipeError), process.stdin:
                for block in text:
                    commits += (b"\n" + block).count(b"\nCOMMIT\n")
                    process.stdin.write(block)
            status = process.wait()
        writes.append(RestoreRun(pid=process.pid, commits=None if status else commits))
        return status, _text_in(said)


def _popen(command: list[str], said: BinaryIO) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdout=pipe, stderr=said, encoding="utf-8", errors=_ENCODING_ERRORS)
    except OSError as error:
        raise not_started(command[0], error) from None


def _memory() -> BinaryIO:
    """A file in memory for a tool's stderr, so that the tool never waits for a reader."""
    try:
        return os.fdopen(os.memfd_create("said"), "w+b")
    except OSError as error:
        raise not_started("iptables", error) from None


def _text_in(said: BinaryIO) -> str:
    said.seek(0)
    return said.read().decode(errors=_ENCODING_ERRORS)
