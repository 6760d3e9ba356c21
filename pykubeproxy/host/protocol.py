"""The interface by which the rest of the program reads and writes the rules of a node, and its read-only variant."""

from collections.abc import Callable, Iterable
from typing import Protocol

from pykubeproxy.host.errors import ReadOnly
from pykubeproxy.rules.ruleset import TABLES, Ruleset

Counted = Callable[[str], None]
"""Called with one rule as printed with its counters."""


class Host(Protocol):
    """The rules of one family on one node."""

    def prefetch(self, *, with_counters: bool = False, early: bool = False) -> None:
        """Start to fetch the live rules for a `save` of all tables that follows.

        With `early`, another `prefetch` follows first, which fetches again if rules have changed since. If such changes
        cannot be noticed, nothing is fetched early.
        """

    def has_few_rules(self) -> bool:
        """True if all rules that a `prefetch` began to fetch are here already: there are few of them."""

    def forget(self) -> None:
        """Stop a `prefetch`, and free its memory."""

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        """Read the live rules. Chains that equal those of `known` share its lines. Raises HostError.

        `counted` is given each rule as printed with its counters, `[packets:bytes] -A CHAIN ...`.
        """

    def restore(self, lines: Iterable[str]) -> None:
        """Feed `lines` to iptables-restore, other chains and their counters untouched. Raises HostError."""


class ReadOnlyHost:
    """A Host that reads the one behind it, and refuses every write."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def prefetch(self, *, with_counters: bool = False, early: bool = False) -> None:
        """Begin to fetch."""
        self._host.prefetch(with_counters=with_counters, early=early)

    def has_few_rules(self) -> bool:
        """Ask whether all have been fetched."""
        return self._host.has_few_rules()

    def forget(self) -> None:
        """Give up what is being fetched."""
        self._host.forget()

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        """Read the live rules."""
        return self._host.save(known, tables, counted)

    def restore(self, lines: Iterable[str]) -> None:
        """Refuse."""
        raise ReadOnly(f"this mode never writes rules; {sum(1 for _ in lines)} lines were not written")
