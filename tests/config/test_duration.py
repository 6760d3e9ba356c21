"""Durations read and print as Go's do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.config.duration import Duration, DurationOrNanoseconds


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("0", "0s"),
        ("-0", "0s"),
        ("0s", "0s"),
        ("1ns", "1ns"),
        ("1100ns", "1.1µs"),
        ("2.2us", "2.2µs"),
        ("2.2µs", "2.2µs"),
        ("2.2μs", "2.2µs"),
        ("3300us", "3.3ms"),
        ("100ms", "100ms"),
        ("1s", "1s"),
        ("1.5s", "1.5s"),
        (".5s", "500ms"),
        ("5.s", "5s"),
        ("60s", "1m0s"),
        ("15m", "15m0s"),
        ("1h", "1h0m0s"),
        ("24h", "24h0m0s"),
        ("1h15m30.918s", "1h15m30.918s"),
        ("2h22m", "2h22m0s"),
        ("-1.5h", "-1h30m0s"),
        ("+5s", "5s"),
        ("0.1234567891s", "123.456789ms"),
        ("2540400h10m10.000000000s", "2540400h10m10s"),
    ],
)
def test_reads_and_prints(text: str, printed: str) -> None:
    assert str(Duration.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write it as"),
        ("-", "write it as"),
        ("s", "write it as"),
        (".s", "write it as"),
        (" 5s", "write it as"),
        ("+-5s", "write it as"),
        ("5", "missing unit"),
        ("1h5", "missing unit"),
        ("5d", 'unknown unit "d"'),
        ("5 s", 'unknown unit " s"'),
        ("9223372037s", "longer than 292 years"),
    ],
)
def test_rejects(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="invalid duration") as error:
        Duration.parse(text)
    assert reason in str(error.value)
    assert f'"{text}"' in str(error.value)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_what_it_prints_it_reads_back(nanoseconds: int) -> None:
    assert Duration.parse(str(Duration(nanoseconds))) == nanoseconds


def test_seconds() -> None:
    assert Duration.parse("1m0.5s").seconds == 60.5


@pytest.mark.parametrize("value", [5, 0, 1.5, True, ["5s"]])
def test_a_file_holds_it_as_a_string(value: object) -> None:
    with pytest.raises(ValueError, match="a duration must be a string"):
        Duration.from_file(value)


def test_flush_frequency_may_be_an_integer_of_nanoseconds() -> None:
    assert str(DurationOrNanoseconds.from_file(5_000_000_000)) == "5s"
    assert str(DurationOrNanoseconds.from_file("5s")) == "5s"
    with pytest.raises(ValueError, match="must be a string"):
        DurationOrNanoseconds.from_file(True)
