"""Packet counters of rules, as `iptables-save -c` prints them, and what they counted from one reading to the next.

A rule of nat is met by the first packet of a connection only; so the counter of a rule that rewrites the destination
counts new connections. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

RuleKey = tuple[str, str]
"""A rule: its chain, and its text as iptables-save prints it without counters (`-A CHAIN ...`)."""

Reading = Mapping[RuleKey, int]
"""Packets that rules have counted, since they were made or their chain was last rewritten."""

_COUNTED = re.compile(r"\[([0-9]+):[0-9]+\] (-A (\S+) .*)")
_TO_ENDPOINT = re.compile(
    r'-A \S+ -p (tcp|udp|sctp) (?:-m comment --comment "([^"]*)" )?.*-j DNAT --to-destination (\S+)'
)
_INVALID = re.compile(rf"-A {names.FORWARD} -m conntrack --ctstate INVALID .*-j DROP")


def read_counters(dump: Iterable[str], known: Ruleset) -> dict[RuleKey, int]:
    """The counters of interest in a dump of nat and filter. Texts that are `known` share its strings."""
    reading = {}
    for line in dump:
        if " -j DNAT " not in line and " INVALID " not in line:
            continue
        found = _COUNTED.match(line)
        if found and (target_of(found[2]) or drops_invalid(found[2])):
            chain = found[3]
            reading[chain, _shared(known, chain, found[2])] = int(found[1])
    return reading


def target_of(rule: str) -> tuple[Protocol, str, str] | None:
    """(protocol, `namespace/name:port`, `ip:port`) of a rule that sends to an endpoint; the middle one may be empty.

    None for any other rule.
    """
    if not rule.startswith(f"-A {names.ENDPOINT}"):
        return None
    found = _TO_ENDPOINT.match(rule)
    return None if found is None else (Protocol(found[1].upper()), found[2] or "", found[3])


def drops_invalid(rule: str) -> bool:
    """True for the rule that drops packets of unknown connections."""
    return _INVALID.match(rule) is not None


class Increases:
    """What counters have counted since they were last read, whatever happened to their rules in between.

    The first reading is where counting starts: what was counted before belongs to another process. A counter lower
    than before has started from zero; so has one that was not there before, or whose chain was rewritten.
    """

    def __init__(self) -> None:
        self._last: Reading | None = None
        self._rewritten: set[str] = set()

    def rewritten(self, chains: Iterable[str]) -> None:
        """These chains have been written anew since the last reading, and their counters started from zero."""
        self._rewritten.update(chains)

    def take(self, reading: Reading) -> Iterator[tuple[RuleKey, int]]:
        """The rules that have counted packets since the last reading, and how many. Keeps `reading`."""
        last, self._last = self._last, reading
        rewritten, self._rewritten = self._rewritten, set()
        if last is None:
            return
        for key, packets in reading.items():
            before = 0 if key[0] in rewritten else last.get(key, 0)
            increase = packets - before if packets >= before else packets
            if increase:
                yield key, increase


def _shared(known: Ruleset, chain: str, text: str) -> str:
    for table in ("nat", "filter"):
        lines = known.lines(table, chain) or ()
        if text in lines:
            return lines[lines.index(text)]
    return text
