"""Packet counters of rules, as `iptables-save -c` prints them, and what they counted from one reading to the next.

A rule of nat is met by the first packet of a connection only; so the counter of a rule that rewrites the destination
counts new connections. Connections that are refused are counted in filter (`rules.refusals`). Pure.
"""

from collections.abc import Iterable, Iterator, Mapping

from pykubeproxy.rules import names
from pykubeproxy.rules.reading import chain_of, endpoint_of, target_of
from pykubeproxy.rules.refusals import reason_of
from pykubeproxy.rules.ruleset import TABLES, ChainId, Ruleset

Reading = Mapping[str, int]
"""Packets that rules have counted, since they were made or their chain was last rewritten.

By the rule's text as iptables-save prints it without counters (`-A CHAIN ...`).
"""

_OF_ENDPOINTS = f"-A {names.ENDPOINT}"
_INVALID = f"-A {names.FORWARD} -m conntrack --ctstate INVALID "


class CounterReader:
    """Takes the lines of a dump of nat and filter, and keeps the counters of interest as its `reading`.

    Texts that are `known` share its strings: of a large node's rules there is no room for a second copy.
    """

    def __init__(self, known: Ruleset) -> None:
        self._known = known
        self._chain = ""
        self._known_lines: dict[str, str] = {}
        self.reading: dict[str, int] = {}

    def __call__(self, line: str) -> None:
        """Take one line; the same one again changes nothing."""
        is_dnat = " -j DNAT " in line
        if not is_dnat and " -j DROP" not in line and " -j REJECT" not in line:
            return
        counters, _, rule = line.rstrip("\n").partition("] ")
        if counters.startswith("[") and (rule.startswith(_OF_ENDPOINTS) if is_dnat else _refuses(rule)):
            self.reading[self._shared(rule)] = int(counters[1:].partition(":")[0])

    def _shared(self, rule: str) -> str:
        """The known text that equals this one. The rules of a chain come one after the other."""
        chain = chain_of(rule)
        lines = self._known.lines("nat", chain)
        if lines and lines[-1] == rule:
            # That of an endpoint, and so nearly all that there are.
            return lines[-1]
        if chain != self._chain:
            self._chain = chain
            self._known_lines = {line: line for table in TABLES for line in self._known.lines(table, chain) or ()}
        return self._known_lines.get(rule, rule)


def sends_to_endpoint(rule: str) -> bool:
    """True for the rule of an endpoint's chain that counts its new connections: it rewrites their destination."""
    return rule.startswith(_OF_ENDPOINTS) and endpoint_of(rule) != ""


def drops_invalid(rule: str) -> bool:
    """True for the rule that drops packets of unknown connections."""
    return rule.startswith(_INVALID) and target_of(rule) == "DROP"


def _refuses(rule: str) -> bool:
    """True for a rule of ours in filter whose counter is of interest."""
    return drops_invalid(rule) or reason_of(rule) is not None


class Increases:
    """What counters have counted since they were last read, whatever happened to their rules in between.

    The first reading is where counting starts: what was counted before belongs to another process. A counter lower
    than before has started from zero; so has one that was not there before, or whose chain was rewritten.
    """

    def __init__(self) -> None:
        self._last: Reading | None = None
        self._rewritten: set[ChainId] = set()

    def rewritten(self, chains: Iterable[ChainId]) -> None:
        """These chains, as (table, name), were written anew since the last reading; their counters began at zero."""
        if self._last is not None:
            self._rewritten.update(chains)

    def take(self, reading: Reading) -> Iterator[tuple[str, int]]:
        """The rules that have counted packets since the last reading, and how many."""
        # Most Services are never used from this node: their zeros need not be kept.
        last, self._last = self._last, {rule: packets for rule, packets in reading.items() if packets}
        rewritten, self._rewritten = self._rewritten, set()
        if last is None:
            return
        for rule, packets in reading.items():
            before = 0 if rewritten and _chain_id(rule) in rewritten else last.get(rule, 0)
            increase = packets - before if packets >= before else packets
            if increase:
                yield rule, increase


def _chain_id(rule: str) -> ChainId:
    """The table and chain of a rule in a Reading: those that send to endpoints are in nat, all others in filter."""
    return "nat" if rule.startswith(_OF_ENDPOINTS) else "filter", chain_of(rule)
