"""Durations in the text form of Go's `time.Duration`, which kube-proxy's flags and configuration files use."""

import re
from typing import Self

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # MICRO SIGN
    "μs": 1_000,  # GREEK SMALL LETTER MU; Go reads both
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SECOND = _NANOSECONDS["s"]
_MAX = 2**63 - 1
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)", re.ASCII)
_EXAMPLES = "write it as 30s, 1m30s or 1h0m0s"


class Duration(int):
    """A length of time: an integer number of nanoseconds that prints as Go prints it (`1h0m0s`, `1.5s`, `0s`).

    Being an integer, it compares, and is false when zero.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read Go's syntax: an optional sign, then decimal numbers with units (`1h15m30.918s`), or a bare `0`.

        Raises ValueError with a one-line reason.
        """
        digits = text[1:] if text.startswith(("+", "-")) else text
        if digits == "0":
            return cls(0)
        nanoseconds = position = 0
        while position < len(digits):
            term = _TERM.match(digits, position)
            if term is None or not (term[1] or term[2]):
                break
            nanoseconds += _term_nanoseconds(text, whole=term[1], fraction=term[2] or "", unit=term[3])
            position = term.end()
        if not digits or position < len(digits):
            raise ValueError(f'invalid duration "{text}": {_EXAMPLES}')
        if nanoseconds > _MAX:
            raise ValueError(f'invalid duration "{text}": longer than 292 years')
        return cls(-nanoseconds if text.startswith("-") else nanoseconds)

    @classmethod
    def from_file(cls, value: object) -> Self:
        """Read the value of a configuration file's field: it must be a string. Raises ValueError."""
        if not isinstance(value, str):
            raise ValueError(f"a duration must be a string, got {value!r}: {_EXAMPLES}")  # noqa: TRY004
        return cls.parse(value)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return int(self) / _SECOND

    def __str__(self) -> str:
        length = abs(int(self))
        return ("-" if self < 0 else "") + (_short(length) if length < _SECOND else _long(length))

    __repr__ = __str__


class DurationOrNanoseconds(Duration):
    """`logging.flushFrequency`, which files written before Kubernetes 1.24 hold as an integer of nanoseconds."""

    @classmethod
    def from_file(cls, value: object) -> Self:
        """As `Duration.from_file`, but an integer is taken as well."""
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value)
        return super().from_file(value)


def _term_nanoseconds(text: str, *, whole: str, fraction: str, unit: str) -> int:
    if not unit:
        raise ValueError(f'invalid duration "{text}": missing unit: {_EXAMPLES}')
    if unit not in _NANOSECONDS:
        raise ValueError(f'invalid duration "{text}": unknown unit "{unit}": {_EXAMPLES}')
    scale = _NANOSECONDS[unit]
    # Digits past the nanosecond are cut off, not rounded.
    return int(whole or "0") * scale + int(fraction or "0") * scale // int(10 ** len(fraction))


def _short(length: int) -> str:
    """Less than a second: one unit, with a fraction."""
    if length == 0:
        return "0s"
    unit = next(unit for unit in ("ms", "µs", "ns") if length >= _NANOSECONDS[unit])
    return _decimal(length, _NANOSECONDS[unit]) + unit


def _long(length: int) -> str:
    """A second or more: hours and minutes only from the first that is not zero."""
    hours, rest = divmod(length, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + _decimal(rest, _SECOND) + "s"


def _decimal(length: int, scale: int) -> str:
    whole, rest = divmod(length, scale)
    fraction = f"{rest:0{len(str(scale)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
