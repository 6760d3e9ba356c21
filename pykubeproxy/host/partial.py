"""Tables that iptables-nft-save cannot print: how as much as possible of them is read.

Other programs (tailscale, Calico, firewalld, any user of nft) put rules into the tables of iptables that the iptables
tools cannot print. The tool then fails for the whole table, though it goes on writing there. What a table holds is put
together from three sources:

    the kernel               the names of all chains, and of their rules the handles and where they lead (`nft_rules`)
    iptables-nft-restore     `-S CHAIN` in its input prints a chain, which works for each that has no such rule; asking
                             for 20,000 chains takes a second (1.8.9), where a run for each would take minutes
    memory                   the text of our own chains after we have written them: while their rules have the handles
                             that they had then, the text is the same

A rule whose text none of these gives is written as `-j NFT --handle N`, or as a jump with the match `-m nft --handle
N`: a line that equals none of ours, so that a chain of ours is written anew, and that a trace cannot decide.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pykubeproxy.host.backend import Tools
from pykubeproxy.host.commands import run_command
from pykubeproxy.host.nft_rules import NftChains, NftRule, read_chain, read_table, table_handle
from pykubeproxy.rules import names
from pykubeproxy.rules.names import is_stale_candidate
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, ChainId, Lines, Table, Unread
from pykubeproxy.rules.skeleton import JUMPS

# So many chains of others are read, one by one: each takes a run of the tool of some milliseconds.
_MOST_READ = 200

# So many chains are asked for in one COMMIT: the time that it takes grows with the square of their number.
_PART = 2000

# Beyond this many chains, their handles are asked for all at once.
_MANY = 100

_PLAIN = re.compile(r"[\w./:@+-]+", re.ASCII)

_Handles = tuple[int, ...]


class _Remembered(msgspec.Struct, frozen=True):
    """The text of a chain, and the handles of its table and of its rules when it had that text."""

    table: int
    handles: _Handles
    lines: Lines


class WrittenChains:
    """The lines of an input for iptables-restore on their way to it, and the chains that they write in full."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._chains: dict[ChainId, list[str]] = {}

    def __iter__(self) -> Iterator[str]:
        self._chains.clear()
        table = ""
        for line in self._lines:
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                self._chains[table, line[1:].partition(" ")[0]] = []
            elif line.startswith("-A "):
                written = self._chains.get((table, line[3:].partition(" ")[0]))
                if written is not None:
                    written.append(line)
            yield line

    @property
    def chains(self) -> dict[ChainId, Lines]:
        """The text of each chain that was written."""
        return {chain: tuple(lines) for chain, lines in self._chains.items()}


class PartialReader:
    """Reads tables of one family that the tool cannot print; remembers what was written to them."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._memory: dict[ChainId, _Remembered] = {}
        self._handles: dict[str, int] = {}
        self.tables: frozenset[str] = frozenset()
        """The tables that could not be printed when they were last read."""

    def read(
        self, name: str, why: str, *, trust_others: bool
    ) -> tuple[Table, Unread, Mapping[str, tuple[NftRule, ...]]]:
        """A table, what is not known of it and `why`, and its rules as the kernel has them. Raises NetlinkError.

        With `trust_others` False, the tool prints other programs' rules, but not as they are.
        """
        self.tables |= {name}
        chains = read_table(self._tools.family, name)
        self._handles[name] = table_handle(self._tools.family, name)
        texts = self._texts(name, chains, trust_others=trust_others)
        table = Table(chains={}, policies={})
        for chain in _in_order(name, chains):
            table.chains[chain] = texts.get(chain) or _opaque(name, chain, chains[chain])
        blind = tuple(
            chain
            for chain, rules in chains.items()
            if chain not in texts
            and not _is_ours(name, chain)
            and not all(_own_jump(name, chain, each) for each in rules)
        )
        return table, Unread(why=why, chains=blind), chains

    def printed(self, name: str) -> None:
        """The tool has printed a table: what was remembered of it is dropped."""
        if name in self.tables:
            self.tables -= {name}
            self._memory = {chain: text for chain, text in self._memory.items() if chain[0] != name}

    def written(self, chains: Mapping[ChainId, Lines]) -> None:
        """Remember the text of chains that have just been written. Raises NetlinkError."""
        for table in self.tables:
            self._handles[table] = table_handle(self._tools.family, table)
            its = {chain: lines for (name, chain), lines in chains.items() if name == table}
            everything = read_table(self._tools.family, table) if len(its) > _MANY else None
            for chain, lines in its.items():
                rules = (
                    read_chain(self._tools.family, table, chain) if everything is None else everything.get(chain, ())
                )
                self._remember((table, chain), rules, lines)

    def _remember(self, chain: ChainId, rules: tuple[NftRule, ...], lines: Lines) -> None:
        if len(lines) != len(rules):
            self._memory.pop(chain, None)
        else:
            self._memory[chain] = self._text(chain[0], rules, lines)

    def _texts(self, name: str, chains: NftChains, *, trust_others: bool) -> dict[str, Lines]:
        """The chains of which the text is known."""
        texts: dict[str, Lines] = {}
        asked = []
        for chain, rules in chains.items():
            known = self._memory.get((name, chain))
            if not rules:
                texts[chain] = ()
            elif known is not None and known == self._text(name, rules, known.lines):
                texts[chain] = known.lines
            elif (_is_ours(name, chain) or trust_others) and not any(rule.is_misprinted for rule in rules):
                asked.append(chain)
        # A chain with a rule that cannot be printed ends the run: others' chains are asked for one by one.
        ours = [chain for chain in asked if _is_ours(name, chain)]
        others = [chain for chain in asked if not _is_ours(name, chain)][:_MOST_READ]
        found = self._ask(name, ours)
        for chain in others:
            found |= self._ask(name, (chain,))
        for chain, lines in found.items():
            rules = chains.get(chain, ())
            if len(lines) == len(rules):
                texts[chain] = lines
                if _is_ours(name, chain):
                    self._remember((name, chain), rules, lines)
        return texts

    def _text(self, table: str, rules: tuple[NftRule, ...], lines: Lines) -> _Remembered:
        return _Remembered(self._handles[table], tuple(rule.handle for rule in rules), lines)

    def _ask(self, name: str, chains: Iterable[str]) -> dict[str, Lines]:
        """The text of those chains that the tool can print. Writes nothing."""
        # The kernel takes any bytes for a name; one that is no plain word could be taken for more than a name.
        questions = [f"-S {chain}\n" for chain in chains if _PLAIN.fullmatch(chain)]
        parts = (questions[start : start + _PART] for start in range(0, len(questions), _PART))
        text = "".join(f"*{name}\n{''.join(part)}COMMIT\n" for part in parts)
        if not text:
            return {}
        try:
            done = run_command([self._tools.restore, "--noflush"], text)
        except OSError:
            return {}
        found: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            option, _, rest = line.partition(" ")
            chain = rest.partition(" ")[0]
            if option in ("-N", "-P"):
                found[chain] = []
            elif option == "-A" and chain in found:
                found[chain].append(line)
        # Of the chain at which the tool failed, some rules are missing; the caller compares their number.
        return {chain: tuple(lines) for chain, lines in found.items()}


def counted_lines(table: Table, chains: Mapping[str, tuple[NftRule, ...]]) -> Iterator[str]:
    """The rules of a table with their counters, `[packets:bytes] -A CHAIN ...`."""
    for chain, lines in table.chains.items():
        for line, rule in zip(lines, chains.get(chain, ()), strict=False):
            yield f"[{rule.packets}:{rule.byte_count}] {line}"


def _is_ours(table: str, chain: str) -> bool:
    return chain in names.FIXED_CHAINS.get(table, ()) or is_stale_candidate(table, chain)


def _in_order(table: str, chains: NftChains) -> Iterator[str]:
    """The chains as the tool prints them: the built-in ones first, then the others by name."""
    builtin = [chain for chain in BUILTIN_CHAINS.get(table, ()) if chain in chains]
    yield from builtin
    yield from sorted(chains.keys() - set(builtin))


def _opaque(table: str, chain: str, rules: tuple[NftRule, ...]) -> Lines:
    """Rules of which the text is not known; jump rules of ours in a built-in chain are recognised."""
    return tuple(_own_jump(table, chain, rule) or _opaque_line(chain, rule) for rule in rules)


def _own_jump(table: str, chain: str, rule: NftRule) -> str:
    """Our jump rule, recognised by its target and its comment; empty if the rule is another one."""
    if rule.verdict != "JUMP":
        return ""
    for line in JUMPS.get((table, chain), ()):
        comment = line.partition('--comment "')[2].partition('"')[0]
        if line.endswith(f" -j {rule.target}") and comment.encode() in rule.body:
            return line
    return ""


def _opaque_line(chain: str, rule: NftRule) -> str:
    option = {"JUMP": f"-j {rule.target}", "GOTO": f"-g {rule.target}"}.get(rule.verdict, f"-j {rule.verdict}")
    if rule.verdict:
        return f"-A {chain} -m nft --handle {rule.handle} {option}"
    return f"-A {chain} -j NFT --handle {rule.handle}"
