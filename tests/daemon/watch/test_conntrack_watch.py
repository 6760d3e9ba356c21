"""That the table of connections is full is told, once, and so is that it is not any more."""

from queue import SimpleQueue

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.watch.conntrack_watch import ConntrackReport, ConntrackWatch
from pykubeproxy.model.conntrack_usage import ConntrackUsage

FULL, AGAIN = "error", "info"


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([(99, 0), (99, 0)], []),
        ([(100, 0), (100, 5), (101, 9)], [FULL]),
        # The table was full between two looks.
        ([(99, 0), (90, 5)], [FULL]),
        # What was dropped before the daemon began is over.
        ([(50, 7), (50, 7)], []),
        ([(100, 0), (96, 0), (100, 0)], [FULL]),
        ([(100, 0), (95, 0), (100, 0)], [FULL, AGAIN, FULL]),
        ([(100, 0), (50, 5), (50, 5)], [FULL, AGAIN]),
    ],
)
def test_what_is_said(looks: list[tuple[int, int]], said: list[str]) -> None:
    """After looks at a table for 100: its entries, and the packets dropped so far."""
    report = ConntrackReport()
    with capture_logs() as logs:
        for entries, dropped in looks:
            report.look(ConntrackUsage(entries=entries, limit=100, dropped=dropped))
    assert [line["log_level"] for line in logs] == said


def test_who_watches_hands_on_what_it_sees() -> None:
    seen: SimpleQueue[ConntrackUsage] = SimpleQueue()
    usage = ConntrackUsage(entries=1, limit=2, dropped=0)
    watch = ConntrackWatch(seen.put, look=lambda: usage)
    watch.start()
    assert seen.get(timeout=10) == usage
    watch.join()
