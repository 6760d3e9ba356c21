"""What the messages of the iptables tools mean: the error for each, in one line for users."""

import re
from collections.abc import Iterable
from itertools import islice

from pykubeproxy.host.errors import (
    HostError,
    LockTimeout,
    NotPermitted,
    NotStarted,
    RestoreError,
    SaveError,
    ToolMissing,
)
from pykubeproxy.host.machine import may_change_network

# Seconds for which the legacy tools wait for the lock that they share; the nft ones have none.
LOCK_WAIT = 5

# Exit codes of xtables (`iptables/xtables.h`): XTABLES_VERSION_PROBLEM and others are 2, RESOURCE_PROBLEM is 4.
_RESOURCE_PROBLEM = 4

# Parts of the tools' messages that are left out of errors: their name, and the place in the input.
_PROGRAM_NAME = re.compile(r"^(?:ip6?tables[\w-]* v[\d.]+ \([\w]+\): ?|ip6?tables[\w-]*: )+")
_NOT_PERMITTED = re.compile(r"Permission denied|you must be root")
_NO_TABLE = re.compile(r"unable to initialize table")
_PLACE_ONLY = re.compile(r"(?:Error occurred at )?line:? \d+(?: failed)?\.?")


def not_started(tool: str, error: OSError) -> HostError:
    """The error for a tool that could not be started."""
    if isinstance(error, FileNotFoundError):
        return ToolMissing(f"{tool} is not installed: install the iptables package of this machine")
    return NotStarted(f"cannot start {tool}: {error.strerror}")


def save_error(command: list[str], status: int, said: str) -> HostError:
    """The error for the exit status of iptables-save, and what it printed to stderr."""
    return _failed(SaveError, command, _complaint(said) or f"exit status {status}")


def _failed(kind: type[HostError], command: list[str], complaint: str) -> HostError:
    if _is_not_permitted(complaint):
        return NotPermitted(
            f"{command[0]}: {complaint.rstrip('.')}", "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW"
        )
    return kind(f"{' '.join(command)}: {complaint}")


def _is_not_permitted(said: str) -> bool:
    """True if the tool was refused for lack of rights; to root, iptables-legacy-restore does not say so."""
    return bool(_NOT_PERMITTED.search(said) or (_NO_TABLE.search(said) and not may_change_network()))


def restore_error(tool: str, status: int, said: str, lines: Iterable[str]) -> HostError:
    """The error for the exit status of iptables-restore, given the `lines`, and what it printed.

    Its versions name the failing line in different forms.
    """
    complaint = _complaint(said) or f"exit status {status}"
    if _is_not_permitted(said):
        return _failed(RestoreError, [tool], complaint)
    if status == _RESOURCE_PROBLEM and "xtables lock" in said:
        return LockTimeout(tool, f"another program has held the xtables lock for {LOCK_WAIT} s")
    found = re.search(r"line:? (\d+)", said)
    if not found:
        return RestoreError(tool, complaint)
    number = int(found[1])
    return RestoreError(tool, complaint, number, next(islice(lines, number - 1, number), ""))


def _complaint(message: str) -> str:
    """What a tool complains of, as one line, without its name, the place of the error and its usage hints."""
    lines = (_PROGRAM_NAME.sub("", line.strip()) for line in message.splitlines() if not line.startswith("Try `"))
    said = [line for line in lines if line]
    return "; ".join([line for line in said if not _PLACE_ONLY.fullmatch(line)] or said)
