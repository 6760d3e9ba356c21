"""What is worth a line in the log about a sync of one family, as values; `explain.sync_words` has their words."""

import msgspec

from pykubeproxy.explain.summary import Summary
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.refused import Extension
from pykubeproxy.rules.ruleset import ChainId, Unread


class SyncFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The sync failed with an error after so many seconds; the rules stay as they are."""

    error: str
    seconds: float


class NothingToWrite(msgspec.Struct, frozen=True, kw_only=True):
    """The rules are as they should be. `is_expected` if nobody wonders: nothing was read, or only as a routine."""

    seconds: float
    is_expected: bool


class RulesWritten(msgspec.Struct, frozen=True, kw_only=True):
    """Rules were written; in shadow mode (`is_shadow`), they would have been."""

    summary: Summary
    seconds: float
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
