"""Log lines: one event is one line, nothing in it speaks to a terminal, and a log that fails costs lines only."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pykubeproxy.logger import DEBUG_VERBOSITY
from pykubeproxy.observe.logs import LogFormat, set_up, set_up_notes, set_verbosity

EVIL = "a\n2026-11-22T00:00:00Z [info] synced\r\x1b[2J\x00\x9b\u2028\u202e\ud800"
ESCAPED = r"a\n2026-11-22T00:00:00Z [info] synced\r\x1b[2J\x00\x9b\u2028\u202e\ud800"


@pytest.fixture(autouse=True)
def log_settings_of_others() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", LogFormat)
def test_text_from_elsewhere_stays_within_its_line(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(log_format, 0)
    structlog.get_logger().warning(f"of {EVIL}", by=EVIL)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.isprintable()
    shown = json.loads(line) if log_format is LogFormat.JSON else {"event": line, "by": line}
    assert f"of {ESCAPED}" in shown["event"]
    assert ESCAPED in shown["by"]


def test_lines_of_a_traceback_cannot_be_taken_for_others(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(LogFormat.CONSOLE, 0)
    try:
        int(EVIL)
    except ValueError:
        structlog.get_logger().exception("internal error")
    first, *rest = capsys.readouterr().err.rstrip("\n").split("\n")
    assert "internal error" in first
    assert any("synced" in line for line in rest)
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_verbosity_that_changes(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(LogFormat.CONSOLE, DEBUG_VERBOSITY)
    log = structlog.get_logger()
    log.debug("first")
    for verbosity in (0, DEBUG_VERBOSITY - 1, DEBUG_VERBOSITY, 0):
        set_verbosity(verbosity)
        log.debug("detail", verbosity=verbosity)
    log.info("news")
    first, detail, news = capsys.readouterr().err.splitlines()
    assert "first" in first
    assert f"verbosity={DEBUG_VERBOSITY}" in detail
    assert "news" in news


def test_commands_that_answer_one_question_print_notes(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_notes()
    log = structlog.get_logger()
    log.info("news")
    log.warning("running in single-stack mode", without="IPv6", why=EVIL)
    assert capsys.readouterr().err == f"note: running in single-stack mode (without IPv6, why {ESCAPED})\n"


@pytest.mark.parametrize("log_format", LogFormat)
def test_a_full_disk_costs_lines_and_nothing_else(log_format: LogFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    # Unbuffered, so that there is nothing left to write when it is closed.
    with io.TextIOWrapper(Path("/dev/full").open("wb", buffering=0), write_through=True) as stream:
        monkeypatch.setattr("sys.stderr", stream)
        set_up(log_format, 0)
        for _ in range(1000):
            structlog.get_logger().error("nobody is told", family="IPv4")
        monkeypatch.undo()
