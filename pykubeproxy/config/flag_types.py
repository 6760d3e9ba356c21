"""The types of flag values: how a value is read from its text, shown, and combined with others of a repeated flag.

The syntax is that of Go's flag library (pflag), which kube-proxy uses. `read` raises ValueError with a one-line reason,
and returns None if the text leaves the value as it was: that is what an empty address means.
"""

import csv
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pykubeproxy.config.addresses import is_port, split_host_port, without_secrets
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.quantity import Quantity
from pykubeproxy.config.release import KUBERNETES_VERSION
from pykubeproxy.config.types import VModuleItem
from pykubeproxy.model.ip import parse_ip

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)", re.ASCII)
_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?", re.ASCII)


def _last(values: Sequence[Any]) -> Any:
    """The last value that says anything; None if none does."""
    return next((value for value in reversed(values) if value is not None), None)


class FlagType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of flag value.

    `read` takes the text that was given; `show` gives such a text. `combine` makes one value of those of a repeated
    flag. `bare` is the text that stands for a flag given without a value; None if it needs one.
    """

    metavar: str
    read: Callable[[str], Any]
    show: Callable[[Any], str] = str
    combine: Callable[[Sequence[Any]], Any] = _last
    bare: str | None = None


def _read_bool(text: str) -> bool:
    """Go's spellings of true and false."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'"{text}" is not true or false')


def _show_bool(value: object) -> str:
    return "true" if value else "false"


def _integer_reader(*, low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text, 0) if _INTEGER.fullmatch(text) else None
        if number is None or not low <= number <= high:
            raise ValueError(f'"{text}" is not an integer from {low} to {high}')
        return number

    return read


def _read_float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f'"{text}" is not a number')
    return number


def _read_ip(text: str) -> str | None:
    if text and parse_ip(text) is None:
        raise ValueError(f'"{text}" is not a valid IP address')
    return text or None


def _read_ip_port(text: str) -> str | None:
    if not text or parse_ip(text) is not None:
        return text or None
    parts = split_host_port(text)
    if parts is None:
        raise ValueError(f'"{text}" is not in a valid format (IP or IP:port, an IPv6 address in brackets)')
    host, port = parts
    if parse_ip(host) is None:
        raise ValueError(f'"{host}" is not a valid IP address')
    if not is_port(port):
        raise ValueError(f'"{port}" is not a valid port, must be from 1 to 65535')
    return text


def _read_list(text: str) -> tuple[str, ...]:
    """Comma-separated words; one that holds a comma itself is put in double quotes."""
    try:
        return tuple(word for row in csv.reader([text]) for word in row)
    except csv.Error:
        raise ValueError(f"{text!r} is not a list of words separated by commas") from None


def _concatenate(values: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(item for value in values for item in value)


def _read_gates(text: str) -> dict[str, bool]:
    gates = {}
    for pair in filter(None, text.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f'"{pair}" is not of the form Gate=true or Gate=false')
        gates[name.strip()] = _read_bool(value.strip())
    return gates


def _show_gates(gates: dict[str, bool]) -> str:
    return ",".join(f"{name}={_show_bool(value)}" for name, value in sorted(gates.items()))


def _merge(values: Sequence[dict[str, bool]]) -> dict[str, bool]:
    return {name: state for value in values for name, state in value.items()}


def _read_vmodule(text: str) -> tuple[VModuleItem, ...]:
    items = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        pattern, _, level = pair.partition("=")
        if not pattern or not level.isdecimal():
            raise ValueError(f'"{pair}" is not of the form pattern=N')
        items.append(VModuleItem(file_pattern=pattern, verbosity=int(level)))
    return tuple(items)


def _show_vmodule(items: Sequence[VModuleItem]) -> str:
    return ",".join(f"{item.file_pattern}={item.verbosity}" for item in items)


def _read_version(text: str) -> str:
    if text in _FALSE:
        return "false"
    if text in _TRUE:
        return "true"
    if text != "raw" and not _VERSION.fullmatch(text):
        raise ValueError(f'"{text}" is not true, false, raw or a version such as v{KUBERNETES_VERSION}')
    return text


STRING = FlagType(metavar="TEXT", read=str)
FILE = FlagType(metavar="FILE", read=str)
URL = FlagType(metavar="TEXT", read=str, show=without_secrets)
BOOL = FlagType(metavar="[true|false]", read=_read_bool, show=_show_bool, bare="true")
INT32 = FlagType(metavar="INT", read=_integer_reader(low=-(2**31), high=2**31 - 1))
UINT32 = FlagType(metavar="INT", read=_integer_reader(low=0, high=2**32 - 1))
FLOAT = FlagType(metavar="NUMBER", read=_read_float, show="{:g}".format)
DURATION = FlagType(metavar="DURATION", read=Duration.parse)
QUANTITY = FlagType(metavar="BYTES", read=Quantity.parse)
ADDRESS = FlagType(metavar="IP", read=_read_ip)
ADDRESS_AND_PORT = FlagType(metavar="IP[:PORT]", read=_read_ip_port)
WORDS = FlagType(metavar="A,B,...", read=_read_list, show=lambda words: f"[{','.join(words)}]", combine=_concatenate)
GATE_STATES = FlagType(metavar="GATE=true|false,...", read=_read_gates, show=_show_gates, combine=_merge)
VMODULE = FlagType(metavar="PATTERN=N,...", read=_read_vmodule, show=_show_vmodule, combine=_concatenate)
VERSION = FlagType(metavar="[true|false|raw|vX.Y.Z]", read=_read_version, bare="true")
