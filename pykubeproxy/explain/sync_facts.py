"""What is worth a line in the log about a sync of one family: values, and the log line of each."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pykubeproxy.explain.summary import Summary
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import ADDRTYPE, RANDOM_FULLY, Extension
from pykubeproxy.rules.ruleset import ChainId, Unread

# At most so many chains, or Services that were refused, are named in one log line; and of those that were written.
_NAMED = 5
_WRITTEN_NAMED = 3

# A namespace has up to 63 characters, a Service's name too, and a slash is between them; some more do no harm.
_LONGEST_NAME = 200

# What it means for all Services that the kernel lacks an extension.
_WITHOUT = {
    RANDOM_FULLY: "the kernel lacks --random-fully; connections are masqueraded without it",
    ADDRTYPE: "the kernel lacks addrtype; node ports answer on the node's own address only",
}


class SyncFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The sync failed with an error after so many seconds; the rules stay as they are."""

    error: str
    seconds: float


class NothingToWrite(msgspec.Struct, frozen=True, kw_only=True):
    """The rules are as they should be. `is_expected` if nobody wonders: nothing was read, or only as a routine."""

    seconds: float
    is_expected: bool


class RulesWritten(msgspec.Struct, frozen=True, kw_only=True):
    """Rules were written; in shadow mode (`is_shadow`), they would have been. `services` had changed before."""

    summary: Summary
    seconds: float
    services: tuple[ServiceKey, ...] = ()
    is_shadow: bool = False


class DriftRepaired(msgspec.Struct, frozen=True, kw_only=True):
    """Chains that another program had changed were repaired; `by` is that program and its pid, or "unknown"."""

    by: str
    chains: tuple[ChainId, ...]
    summary: Summary
    seconds: float


class PlanRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A Plan was refused, and another one, made from the live rules, was carried out."""

    error: str


class TableUnread(msgspec.Struct, frozen=True, kw_only=True):
    """iptables could not print a table in full."""

    table: str
    unread: Unread


class ServicesSetAside(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of these Services were refused with an error. `module` is missing in the kernel, if that is known."""

    services: tuple[ServiceKey, ...]
    error: str
    module: str = ""


class ExtensionMissing(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel lacks an extension that fixed rules use (RANDOM_FULLY or ADDRTYPE); they do without it."""

    extension: Extension
    error: str


class ServicesAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of these Services, which had been refused, were written."""

    services: tuple[ServiceKey, ...]


SyncFact = (
    SyncFailed
    | NothingToWrite
    | RulesWritten
    | DriftRepaired
    | PlanRefused
    | TableUnread
    | ServicesSetAside
    | ExtensionMissing
    | ServicesAccepted
)


class LogLine(msgspec.Struct, frozen=True):
    """A line of the log: its level (a name of a method of a logger), the message, and the values beside it."""

    level: str
    message: str
    values: dict[str, Any]


def log_line(fact: SyncFact) -> LogLine:  # noqa: PLR0911  one case for each kind of fact
    """The line for a fact."""
    match fact:
        case SyncFailed(error=error, seconds=seconds):
            message = "sync failed; the rules in force stay, and it is tried again"
            return LogLine("error", message, {"seconds": seconds, "error": error})
        case NothingToWrite(seconds=seconds, is_expected=is_expected):
            return LogLine("debug" if is_expected else "info", "in sync; nothing to write", {"seconds": seconds})
        case RulesWritten(summary=summary, seconds=seconds, services=services, is_shadow=is_shadow):
            message = "would write" if is_shadow else "synced"
            return LogLine("info", message, {"seconds": seconds, "plan": str(summary)} | _services(services))
        case DriftRepaired(by=by, chains=chains, summary=summary, seconds=seconds):
            named = _named(f"{table} {chain}" for table, chain in chains)
            values = {"by": by, "chains": named, "plan": str(summary), "seconds": seconds}
            return LogLine("warning", "rules were changed by another program; repaired", values)
        case PlanRefused(error=error):
            message = "a change was refused; it was made anew from the live rules"
            return LogLine("warning", message, {"error": error})
        case TableUnread(table=table, unread=unread):
            message = (
                "iptables cannot print all rules of a table; ours are kept in step there, others' are not looked at"
            )
            values = {"table": table, "chains": ", ".join(unread.chains) or "unknown", "error": unread.why}
            return LogLine("warning", message, values)
        case ServicesSetAside(services=services, error=error, module=module):
            message = "rules were refused; the Services that they are for stay as they were, all others are served"
            values = {"services": _named(map(str, services)), "error": error}
            return LogLine("error", message, values | ({"missing_module": module} if module else {}))
        case ExtensionMissing(extension=extension, error=error):
            return LogLine("error", _WITHOUT[extension], {"missing_module": extension.module, "error": error})
        case ServicesAccepted(services=services):
            return LogLine("info", "Services are no longer refused", {"services": _named(map(str, services))})


def _services(services: Iterable[ServiceKey]) -> dict[str, str]:
    named = _named(map(str, services), _WRITTEN_NAMED)
    return {"services": named} if named else {}


def shortened(name: str) -> str:
    """A name as it is logged: the label that an EndpointSlice names its Service with may be any text."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def _named(names: Iterable[str], most: int = _NAMED) -> str:
    """All names, or the first few of them and how many more there are."""
    every = tuple(map(shortened, names))
    named = ", ".join(every[:most])
    return f"{named} and {len(every) - most} more" if len(every) > most else named
