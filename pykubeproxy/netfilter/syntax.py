"""One line of iptables-save, taken apart into clauses: the matches with their options, and the target with its own."""

import re

import msgspec

from pykubeproxy.rules.parse import words


class Option(msgspec.Struct, frozen=True):
    """One option, such as `! --dport 80`: its name with dashes, its values, and whether it is inverted."""

    name: str
    values: tuple[str, ...]
    inverted: bool = False

    @property
    def value(self) -> str:
        """The first value, empty if there is none."""
        return self.values[0] if self.values else ""

    @property
    def text(self) -> str:
        """The option in its positive form, as one would write it."""
        return " ".join((self.name, *self.values))


class Clause(msgspec.Struct, frozen=True):
    """A match module or a target, with its options. The options that need no module (`-s`, `-p`) have the name ""."""

    name: str
    options: tuple[Option, ...]

    @property
    def text(self) -> str:
        """The clause as one would write it, without its `-m` or `-j`."""
        options = [f"! {option.text}" if option.inverted else option.text for option in self.options]
        return " ".join((self.name, *options)).strip()

    def find(self, name: str) -> Option | None:
        """An option by its name."""
        return next((option for option in self.options if option.name == name), None)

    def value(self, name: str, default: str = "") -> str:
        """The first value of an option, or a default if the option is not there."""
        option = self.find(name)
        return default if option is None else option.value


class ParsedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule line: its matches in the order in which they are asked, and its target (None: the rule only counts)."""

    matches: tuple[Clause, ...]
    target: Clause | None
    goto: bool = False
    comment: str = ""


# These take exactly one value, which is free text and may look like an option.
_FREE_TEXT = frozenset(
    {"--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--name", "--string", "--helper"},
)

_GOTOS = frozenset({"-g", "--goto"})
_TARGETS = _GOTOS | {"-j", "--jump"}

# The options that belong to no module.
_BASIC = frozenset({"-s", "-d", "-i", "-o", "-p", "-f"})

# Long forms, which people write and iptables-save never prints.
_LONG_FORMS = {
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--protocol": "-p",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--fragment": "-f",
    "--destination-port": "--dport",
    "--source-port": "--sport",
    "--match": "-m",
}


# Where iptables-save prints `-d`, only `-s` may come before it.
_ADDRESS = re.compile(r"-A \S+ (?:(?:! )?-s \S+ )?-d ([0-9a-f.:]+)/(?:32|128) ")

# With nothing between the port and the target, the port is no part of a comment.
_PORT = re.compile(r"(?<!!) --dport ([0-9]+) -j [^\" ]+$")


def only_address(line: str) -> str:
    """The only destination address that a rule can match, found without parsing it; empty if that takes parsing."""
    found = _ADDRESS.match(line)
    return "" if found is None else found[1]


def only_port(line: str) -> str:
    """The only destination port that a rule can match, found without parsing it; empty if that takes parsing."""
    found = _PORT.search(line)
    return "" if found is None else found[1]


def parse_rule(line: str) -> ParsedRule:
    """Parse `-A CHAIN …`. Never fails: what makes no sense becomes an option that no match knows."""
    reader = _Reader(words(line)[2:])
    reader.read()
    return ParsedRule(
        matches=tuple(Clause(name, tuple(options)) for name, options in reader.matches if name or options),
        target=None if reader.target is None else Clause(reader.target[0], tuple(reader.target[1])),
        goto=reader.goto,
        comment=" ".join(reader.comments),
    )


class _Reader:
    """Sorts the words of a rule into clauses, as iptables' own command line does."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._basic: list[Option] = []
        self._current = self._basic
        self.matches: list[tuple[str, list[Option]]] = [("", self._basic)]
        self.target: tuple[str, list[Option]] | None = None
        self.goto = False
        self.comments: list[str] = []

    def read(self) -> None:
        inverted = False
        while self._next < len(self._tokens):
            token = self._take()
            name = _LONG_FORMS.get(token, token)
            if name == "!":
                inverted = True
                continue
            if name == "-m":
                self._current = self._begin_match(self._take())
            elif name in _TARGETS:
                self.goto = name in _GOTOS
                self._current = []
                self.target = (self._take(), self._current)
            else:
                self._add(Option(name, self._values(name), inverted))
            inverted = False

    def _take(self) -> str:
        """The next word; a rule that ends too early has an empty one."""
        self._next += 1
        return self._tokens[self._next - 1] if self._next <= len(self._tokens) else ""

    def _values(self, name: str) -> tuple[str, ...]:
        if name in _FREE_TEXT:
            return (self._take(),)
        first = self._next
        while self._next < len(self._tokens) and not _begins_option(self._tokens[self._next]):
            self._next += 1
        return tuple(self._tokens[first : self._next])

    def _begin_match(self, name: str) -> list[Option]:
        options: list[Option] = []
        self.matches.append((name, options))
        return options

    def _add(self, option: Option) -> None:
        if option.name in _BASIC:
            self._basic.append(option)
            return
        if self._current is self._basic:
            # `-p tcp --dport 80`, as people write it: the protocol's own match is meant.
            protocol = next((basic.value for basic in self._basic if basic.name == "-p"), "unknown")
            self._current = self._begin_match(protocol)
        if option.name == "--comment":
            self.comments.append(option.value)
        self._current.append(option)


def _begins_option(word: str) -> bool:
    return word == "!" or (word.startswith("-") and len(word) > 1)
