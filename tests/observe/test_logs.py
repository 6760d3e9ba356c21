"""Log lines: whatever they tell of, one event is one line, and nothing in it speaks to a terminal."""

import json
from collections.abc import Iterator

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
    set_up(LogFormat.JSON, 0)
    log = structlog.get_logger()
    for verbosity in (0, DEBUG_VERBOSITY, 0):
        set_verbosity(verbosity)
        log.debug("detail", verbosity=verbosity)
    (line,) = capsys.readouterr().err.splitlines()
    assert f'"verbosity": {DEBUG_VERBOSITY}' in line


@pytest.mark.parametrize(("verbosity", "lines"), [(0, 1), (DEBUG_VERBOSITY - 1, 1), (DEBUG_VERBOSITY, 2)])
def test_verbosity(verbosity: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(LogFormat.CONSOLE, verbosity)
    structlog.get_logger().debug("detail")
    structlog.get_logger().info("news")
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_commands_that_answer_one_question_print_notes(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_notes()
    log = structlog.get_logger()
    log.info("news")
    log.warning("running in single-stack mode", without="IPv6", why=EVIL)
    assert capsys.readouterr().err == f"note: running in single-stack mode (without IPv6, why {ESCAPED})\n"
