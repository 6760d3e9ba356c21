"""Running iptables-save and iptables-restore (`iptables-execution.md`).

The two tools are all that touches rules: single rules are never added one by one, so each table changes at once or
not at all.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator

from pykubeproxy.host.backend import Tools
from pykubeproxy.host.errors import HostError, LockTimeout, NotPermitted, RestoreError, SaveError, ToolMissing
from pykubeproxy.rules.parse import DumpError, parse
from pykubeproxy.rules.ruleset import TABLES, Ruleset

# Seconds for which the legacy tools wait for the lock that they share; the nft ones have none.
LOCK_WAIT = 5

# Exit codes of xtables (`iptables/xtables.h`): XTABLES_VERSION_PROBLEM and others are 2, RESOURCE_PROBLEM is 4.
_RESOURCE_PROBLEM = 4


class IptablesHost:
    """The Host that runs the node's own tools."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def save(self, known: Ruleset | None = None, tables: Iterable[str] = TABLES) -> Ruleset:
        """Read the live rules, table by table; a table that is not there yet is simply missing."""
        ruleset = Ruleset(tables={})
        for table in tables:
            ruleset.tables.update(self._save_table(table, known).tables)
        return ruleset

    def restore(self, lines: Iterable[str]) -> None:
        """Feed `lines` to iptables-restore; nothing is run for no lines."""
        document = "".join(f"{line}\n" for line in lines)
        if not document:
            return
        command = [self._tools.restore, *self._tools.wait_flags(LOCK_WAIT), "--noflush", "--counters"]
        done = _run(command, document)
        if done.returncode:
            raise _restore_error(self._tools.restore, done, document)

    def _save_table(self, table: str, known: Ruleset | None) -> Ruleset:
        command = [self._tools.save, "-t", table]
        with _popen(command) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                parsed = parse(process.stdout, known)
            except DumpError as problem:
                process.kill()
                raise SaveError(f"{' '.join(command)}: {problem}") from problem
            message = process.stderr.read()
        if process.returncode:
            raise _failed(SaveError, command, message)
        return parsed


def first_lines(lines: Iterable[str]) -> str:
    """A tool's complaint as one line."""
    return "; ".join(line.strip() for line in lines if line.strip() and not line.startswith("Try `"))


def _run(command: list[str], document: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, input=document, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise _missing(command[0]) from None


def _popen(command: list[str]) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise _missing(command[0]) from None


def _missing(tool: str) -> ToolMissing:
    return ToolMissing(f"{tool} is not installed: install the iptables package of this machine")


def _failed(kind: type[HostError], command: list[str], message: str) -> HostError:
    text = first_lines(message.splitlines())
    if "Permission denied" in text or "you must be root" in text:
        return NotPermitted(f"{command[0]}: {text}: run as root, or with CAP_NET_ADMIN and CAP_NET_RAW")
    return kind(f"{' '.join(command)}: {text}")


def _restore_error(tool: str, done: "subprocess.CompletedProcess[str]", document: str) -> HostError:
    """Find the failing line in what the tool said, in any of the forms in which the versions say it."""
    message = first_lines((done.stderr + done.stdout).splitlines())
    if "Permission denied" in message or "you must be root" in message:
        return _failed(RestoreError, [tool], message)
    if done.returncode == _RESOURCE_PROBLEM and "xtables lock" in message:
        return LockTimeout(tool, f"another program has held the xtables lock for {LOCK_WAIT} s")
    found = re.search(r"line:? (\d+)", message)
    if not found:
        return RestoreError(tool, message or f"exit status {done.returncode}")
    number = int(found[1])
    return RestoreError(tool, message, number, next(_nth(document, number), ""))


def _nth(document: str, number: int) -> Iterator[str]:
    yield from document.splitlines()[number - 1 : number]
