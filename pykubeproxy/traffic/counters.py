"""Packet counters of rules, as `iptables-save -c` prints them, and what they counted from one reading to the next.

A rule of nat is met by the first packet of a connection only; so the counter of a rule that rewrites the destination
counts new connections. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping

from pykubeproxy.rules import names
from pykubeproxy.rules.reading import chain_of, endpoint_of, target_of
from pykubeproxy.rules.ruleset import Ruleset

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
        self.reading: dict[str, int] = {}

    def __call__(self, line: str) -> None:
        """Take one line; the same one again changes nothing."""
        is_dnat = " -j DNAT " in line
        if not is_dnat and " INVALID " not in line:
            return
        counters, _, rule = line.rstrip("\n").partition("] ")
        if counters.startswith("[") and (rule.startswith(_OF_ENDPOINTS) if is_dnat else drops_invalid(rule)):
            self.reading[_shared(self._known, rule)] = int(counters[1:].partition(":")[0])


def sends_to_endpoint(rule: str) -> bool:
    """True for the rule of an endpoint's chain that counts its new connections: it rewrites their destination."""
    return rule.startswith(_OF_ENDPOINTS) and endpoint_of(rule) != ""


def drops_invalid(rule: str) -> bool:
    """True for the rule that drops packets of unknown connections."""
    return rule.startswith(_INVALID) and target_of(rule) == "DROP"


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

    def take(self, reading: Reading) -> Iterator[tuple[str, int]]:
        """The rules that have counted packets since the last reading, and how many. Keeps `reading`."""
        last, self._last = self._last, reading
        rewritten, self._rewritten = self._rewritten, set()
        if last is None:
            return
        for rule, packets in reading.items():
            before = 0 if rewritten and chain_of(rule) in rewritten else last.get(rule, 0)
            increase = packets - before if packets >= before else packets
            if increase:
                yield rule, increase


def _shared(known: Ruleset, text: str) -> str:
    chain = chain_of(text)
    for table in ("nat", "filter"):
        lines = known.lines(table, chain) or ()
        if text in lines:
            return lines[lines.index(text)]
    return text
