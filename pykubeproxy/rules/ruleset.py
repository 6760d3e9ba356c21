"""Rules as values: a Ruleset is, per table, a mapping of chain names to rule lines.

A line is what `iptables-save` prints, `-A CHAIN ...` included, so that desired, payload and live rules share the same
strings. The same type serves for what should be (compiled) and for what is (parsed).
"""

from collections.abc import Iterator

import msgspec

Lines = tuple[str, ...]

# A chain, as (table, name).
ChainId = tuple[str, str]

# Chains that the kernel brings along, per table, in the order in which a packet meets them. They are never created,
# flushed or deleted; only single rules are inserted.
BUILTIN_CHAINS: dict[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}

# The tables that Services need, in the order in which they are committed (`docs/reference/iptables-rules.md` section
# 4).
TABLES = ("filter", "nat")


class Table(msgspec.Struct, kw_only=True):
    """One table: its chains in order, and its built-in chains' policies and counters as printed (`ACCEPT [0:0]`)."""

    chains: dict[str, Lines] = {}
    policies: dict[str, str] = {}

    def rule_count(self) -> int:
        """Number of rules in all chains."""
        return sum(map(len, self.chains.values()))


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """What is not known of a table that iptables cannot print in full.

    `why` is what the tool said. `chains` are other programs' chains of which rules could not be read.
    """

    why: str
    chains: tuple[str, ...] = ()


class Ruleset(msgspec.Struct, kw_only=True):
    """Tables by name.

    `shared` names those chains, as (table, chain), that must exist but whose rules belong to somebody else, and are
    therefore left alone (KUBE-FIREWALL, where kubelet may have filled it). `unread` names the tables that could not be
    read in full; of rules that could not be read there, a line stands in their place that equals no other rule.
    `mapped` names the tables in which a map of nftables may lead to any chain, whether a rule uses it or not.
    """

    tables: dict[str, Table] = {}
    shared: frozenset[tuple[str, str]] = frozenset()
    unread: dict[str, Unread] = {}
    mapped: frozenset[str] = frozenset()

    def lines(self, table: str, chain: str) -> Lines | None:
        """The rules of one chain, or None if there is no such chain."""
        found = self.tables.get(table)
        return None if found is None else found.chains.get(chain)

    def chains(self, table: str) -> dict[str, Lines]:
        """The chains of one table; none if there is no such table."""
        return self.tables[table].chains if table in self.tables else {}

    def table(self, name: str) -> Table:
        """One table, made empty if it is not there."""
        return self.tables.setdefault(name, Table())

    def copy(self) -> "Ruleset":
        """A Ruleset whose tables can be changed while those of this one stay."""
        tables = {
            name: Table(chains=dict(table.chains), policies=dict(table.policies)) for name, table in self.tables.items()
        }
        return msgspec.structs.replace(self, tables=tables)


def is_builtin(table: str, chain: str) -> bool:
    """True for a chain that the kernel brings along."""
    return chain in BUILTIN_CHAINS.get(table, ())


def chain_line(name: str) -> str:
    """The line that creates a user-defined chain, or flushes it if it exists (with `--noflush`)."""
    return f":{name} - [0:0]"


def render(ruleset: Ruleset) -> Iterator[str]:
    """The Ruleset as lines of an `iptables-save` document, without comments.

    Built-in chains get a line only where their policy is known: in a compiled Ruleset it is nobody's business here.
    """
    for name, table in ruleset.tables.items():
        yield f"*{name}"
        for chain in table.chains:
            if chain in table.policies:
                yield f":{chain} {table.policies[chain]}"
            elif not is_builtin(name, chain):
                yield chain_line(chain)
        for lines in table.chains.values():
            yield from lines
        yield "COMMIT"
