"""Reading the live counters again and again, for `top`."""

import time
from collections.abc import Callable, Iterator, Mapping

from pykubeproxy.cli.notes import note_unread
from pykubeproxy.cli.progress import READING_RULES, progress
from pykubeproxy.host.backend import Tools, existing_tables
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import TABLES, Ruleset
from pykubeproxy.traffic.counters import CounterReader
from pykubeproxy.traffic.meter import LiveRules, Meter
from pykubeproxy.traffic.rates import Rates, next_reading

Wait = Callable[[float], bool]
"""Waits for some seconds; returns True if no more is to be read."""


class LiveReader:
    """Reads the rules of this node that count connections, which any Service proxy may have written."""

    def __init__(self, tools: Mapping[Family, Tools]) -> None:
        self._tools = tools
        self._known: dict[Family, Ruleset] = {}

    def read(self) -> dict[Family, LiveRules]:
        """One reading of each family. Raises HostError."""
        return {family: self._read(family, its) for family, its in self._tools.items()}

    def _read(self, family: Family, tools: Tools) -> LiveRules:
        tables = existing_tables(tools, TABLES)
        if not tables:
            return LiveRules(Ruleset(tables={}), {})
        known = self._known.get(family, Ruleset(tables={}))
        counters = CounterReader(known)
        rules = IptablesHost(tools).save(known=known, tables=tables, counted=counters)
        self._known[family] = rules
        return LiveRules(rules, counters.reading)


class Measurement:
    """Counts new connections from the moment at which it is created. Raises HostError, then and later."""

    def __init__(self, reader: LiveReader, namespace: str | None) -> None:
        self._reader = reader
        self._meter = Meter(namespace)
        self._began = time.monotonic()
        with progress(READING_RULES):
            live = reader.read()
        note_unread({family: its.rules for family, its in live.items()})
        self._meter.start(live)

    def namespaces(self) -> set[str]:
        """The namespaces of all Services that the rules serve."""
        return self._meter.namespaces()

    def intervals(self, length: float, wait: Wait) -> Iterator[Rates]:
        """One measurement after each interval of at least `length` seconds, until `wait` says that it is enough."""
        while not wait(max(0.0, next_reading(self._began, now := time.monotonic(), length) - now)):
            before, self._began = self._began, time.monotonic()
            yield self._meter.take(self._reader.read(), self._began - before)
