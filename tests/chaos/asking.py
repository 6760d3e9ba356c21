"""Connections during a case, none of which may fail."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from e2e.asking import Destination
from e2e.netns import Namespace
from e2e.steady import Failure, Tally, steady_traffic

INTERVAL = 0.05


class Sent(Struct):
    """What came of the questions from each origin; complete once the traffic has ended."""

    tallies: list[Tally]

    @property
    def asked(self) -> int:
        """How many questions were asked."""
        return sum(tally.asked for tally in self.tallies)

    @property
    def failures(self) -> list[Failure]:
        """Those that were not answered."""
        return [failure for tally in self.tallies for failure in tally.failures]


@contextmanager
def traffic(destinations: Mapping[Namespace, list[Destination]]) -> Iterator[Sent]:
    """During the block, ask all the time from here to there: over a new connection each time, and over kept ones."""
    sent = Sent(tallies=[])
    with ExitStack() as asking:
        for origin, its in destinations.items():
            sent.tallies.append(asking.enter_context(steady_traffic(origin, its, kept=its, interval=INTERVAL)))
        yield sent


@contextmanager
def unharmed(destinations: Mapping[Namespace, list[Destination]]) -> Iterator[Sent]:
    """The same; every question must be answered, and no first packet of a connection may have been lost."""
    lost = [_lost_packets(origin) for origin in destinations]
    with traffic(destinations) as sent:
        yield sent
    assert not sent.failures, f"{len(sent.failures)} of {sent.asked} failed, first {sent.failures[:3]}"
    lost_since = [_lost_packets(origin) - before for origin, before in zip(destinations, lost, strict=True)]
    assert not any(lost_since), f"first packets of connections were lost, by client: {lost_since}"


def _lost_packets(origin: Namespace) -> int:
    """How many first packets of connections had to be sent again (TCPSynRetrans of Linux's SNMP counters)."""
    lines = origin.exec(["cat", "/proc/net/netstat"]).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(dict(zip(names, values, strict=True))["TCPSynRetrans"])
