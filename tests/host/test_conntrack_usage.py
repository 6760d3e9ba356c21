"""How full the table of connections is, as the kernel tells it."""

from pathlib import Path

import pytest

from pykubeproxy.host.conntrack_usage import conntrack_usage
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from tests.host.flows import connection, insert
from tests.host.namespace import namespace, needs_root

# As Linux 6.18 prints it, on two CPUs.
STATISTICS = """\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error
00000007  00000000 00000000 00000000 00000003 00000009 00000000 00000000 00000000 00000000 0000000a 00000001 00000000
00000007  00000000 00000000 00000000 00000000 00000003 00000000 00000000 00000000 00000000 00000010 00000000 00000000
"""


def look(folder: Path, **files: str) -> ConntrackUsage | None:
    for name, text in files.items():
        (folder / name).write_text(text)
    return conntrack_usage(folder, folder / "statistics")


def test_what_the_kernel_tells(tmp_path: Path) -> None:
    usage = look(tmp_path, nf_conntrack_count="7\n", nf_conntrack_max="262144\n", statistics=STATISTICS)
    assert usage == ConntrackUsage(entries=7, limit=262144, dropped=26)


@pytest.mark.parametrize(("entries", "limit", "is_full"), [(7, 8, False), (8, 8, True), (9, 8, True), (9, 0, False)])
def test_a_full_table(entries: int, limit: int, *, is_full: bool) -> None:
    assert ConntrackUsage(entries=entries, limit=limit, dropped=0).is_full is is_full


@pytest.mark.parametrize("statistics", ["", "drop\nmany\n", "entries\n00000007\n", "early_drop drop\n00000000\n"])
def test_without_statistics_nothing_is_known_to_be_dropped(tmp_path: Path, statistics: str) -> None:
    usage = look(tmp_path, nf_conntrack_count="7", nf_conntrack_max="8", statistics=statistics)
    assert usage in (ConntrackUsage(entries=7, limit=8, dropped=0), None)


def test_without_a_table(tmp_path: Path) -> None:
    assert look(tmp_path) is None
    assert look(tmp_path, nf_conntrack_count="many", nf_conntrack_max="8") is None


@needs_root
def test_the_table_of_the_calling_thread() -> None:
    with namespace() as node:
        before = node.run(conntrack_usage)
        node.run(lambda: insert([connection("10.0.0.1:1", "10.96.0.10:53", "10.244.0.5:53")]))
        after = node.run(conntrack_usage)
    assert before is not None
    assert after is not None
    assert (before.entries, after.entries) == (0, 1)
    assert after.limit > 1
