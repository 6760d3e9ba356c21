"""What changes in the rules that are there without any Service: masquerading, and what is dropped or led on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules import names
from pykubeproxy.rules.parse import words
from pykubeproxy.rules.reading import read, target_of
from pykubeproxy.rules.ruleset import ChainId, Lines

ALL = "all"
"""Stands for any local address."""


class FixedRule(StrEnum):
    """What a fixed chain's rules do. The value of each is None, or false, where no rule does it."""

    MARKS = "marks"
    """Connections to be masqueraded get this mark."""
    MASQUERADES = "masquerades"
    """Connections with this mark are masqueraded."""
    RANDOM_PORTS = "randomPorts"
    """Masquerading chooses source ports at random (true or false)."""
    ACCEPTS_MARKED = "acceptsMarked"
    """Forwarded packets with this mark are accepted."""
    DROPS_INVALID = "dropsInvalid"
    """Packets of unknown connections are dropped (true or false)."""
    PROTECTS_LOOPBACK = "protectsLoopback"
    """Connections to 127.0.0.0/8 that come from elsewhere are dropped (true or false)."""
    NODE_PORTS = "nodePorts"
    """Node ports are served at these local addresses, as rules name them (`! 127.0.0.0/8`); ALL if at any."""


Value = str | bool | None
"""A mark, an address, or whether a rule is there; None for a mark or an address that no rule has."""


class FixedRuleChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that rules do for all Services is different: its value is `after` instead of `before`."""

    rule: FixedRule
    before: Value
    after: Value


def fixed_rule_changes(chains: Iterable[ChainChange]) -> Iterator[FixedRuleChange]:
    """What the given changes of chains change for all Services.

    Nothing is said of a chain that is new or removed, since all of its rules come or go with it.
    """
    found = {(change.table, change.chain): (change.before, change.after) for change in chains}
    for rule, (chain, value) in _RULES.items():
        before, after = found.get(chain, (None, None))
        if before is not None and after is not None and (old := value(before)) != (new := value(after)):
            yield FixedRuleChange(rule=rule, before=old, after=new)


def _mark(target: str, *options: str) -> Callable[[Lines], str | None]:
    """The mark that the first rule with this target sets or asks for, by one of these options."""

    def value(lines: Lines) -> str | None:
        for line in lines:
            said = words(line)
            option = next((each for each in options if each in said), None)
            if target_of(line) == target and option is not None:
                return said[said.index(option) + 1].partition("/")[0]
        return None

    return value


def _masqueraded(lines: Lines) -> str | None:
    """The mark in the rule that masquerades, or in one before it that lets all others return."""
    is_there = any(target_of(line) == "MASQUERADE" for line in lines)
    return _mark("MASQUERADE", "--mark")(lines) or _mark("RETURN", "--mark")(lines) if is_there else None


def _if_any(holds: Callable[[str], bool]) -> Callable[[Lines], bool]:
    return lambda lines: any(map(holds, lines))


def _drops(line: str, what: str) -> bool:
    return f" {what} " in line and target_of(line) == "DROP"


def _node_ports(lines: Lines) -> str | None:
    led = (read(line) for line in lines if target_of(line) == names.NODE_PORTS)
    return ", ".join(view.address or view.destination or ALL for view in led) or None


# The chain that holds the rules for each, as (table, name), and what they say.
_RULES: Mapping[FixedRule, tuple[ChainId, Callable[[Lines], Value]]] = {
    FixedRule.MARKS: (("nat", names.MARK_MASQ), _mark("MARK", "--set-xmark", "--or-mark")),
    FixedRule.MASQUERADES: (("nat", names.POSTROUTING), _masqueraded),
    FixedRule.RANDOM_PORTS: (("nat", names.POSTROUTING), _if_any(lambda line: " --random-fully" in line)),
    FixedRule.ACCEPTS_MARKED: (("filter", names.FORWARD), _mark("ACCEPT", "--mark")),
    FixedRule.DROPS_INVALID: (("filter", names.FORWARD), _if_any(lambda line: _drops(line, "--ctstate INVALID"))),
    FixedRule.PROTECTS_LOOPBACK: (("filter", names.FIREWALL), _if_any(lambda line: _drops(line, "-d 127.0.0.0/8"))),
    FixedRule.NODE_PORTS: (("nat", names.SERVICES), _node_ports),
}
