"""The suite tells of a measurement that failed, and makes all others."""

from collections.abc import Iterator

import pytest

from bench import __main__ as suite
from bench import latency, memory
from bench.figures import Figure
from bench.runs import Run


def failing(run: Run) -> Iterator[Figure]:
    yield Figure(measurement="one", case="that came first", value=1.0)
    raise RuntimeError(run)


def working(run: Run) -> Iterator[Figure]:
    del run
    yield Figure(measurement="two", case="", value=2.0)


def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(latency, "figures", failing)
    monkeypatch.setattr(memory, "figures", working)
    done, broken = suite.measure(["latency", "memory"], is_quick=True)
    assert [figure.measurement for figure in done.figures] == ["one", "two"]
    assert broken == ["latency"]
    assert "RuntimeError" in capsys.readouterr().err
