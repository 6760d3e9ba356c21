"""Plain words in YAML mean what they mean to go-yaml v2: the rows are those of its resolver."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.config.yaml_values import as_go_reads


@as_go_reads
class PythonLoader(yaml.SafeLoader):
    pass


@as_go_reads
class CLoader(yaml.CSafeLoader):
    pass


LOADERS = [PythonLoader, CLoader]


def load(text: str, loader: type[Any] = CLoader) -> Any:
    return yaml.load(text, loader)  # noqa: S506  safe loaders, both of them


NUMBERS = {
    "0": 0,
    "10": 10,
    "-10": -10,
    "+10": 10,
    "1_000": 1000,
    "017": 15,
    "-017": -15,
    "0o17": 15,
    "0O17": 15,
    "0x1F": 31,
    "0X1f": 31,
    "-0x1f": -31,
    "0b101": 5,
    "-0b101": -5,
    "0x_1_f": 31,
    "0_x1f": 31,
    "9223372036854775807": 2**63 - 1,
    "18446744073709551615": 2**64 - 1,
    "18446744073709551616": 2.0**64,
    "-9223372036854775809": -(2.0**63),
    # Not octal, and so a number that happens to begin with zero.
    "08": 8.0,
    "1.5": 1.5,
    "1.": 1.0,
    ".5": 0.5,
    "-.5": -0.5,
    "+1_0.2_5": 10.25,
    "1e3": 1000.0,
    "1E+3": 1000.0,
    ".5e-1": 0.05,
    ".inf": math.inf,
    "-.INF": -math.inf,
}
TEXTS = [
    # To the base of 60, for PyYAML: IPv6 addresses, MAC addresses, times.
    "2001:10:20:30:40:50:1:2",
    "1:20",
    "-1:20",
    "10:20:30.5",
    "02:42:10:00:00:05",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "0x",
    "0xg",
    "0b2",
    "0o8",
    "1e",
    "1_e",
    "_1",
    "+_",
    "._5",
    ".5_0",
    "10.0.0.1",
    "1.2.3",
    "fd00::1",
    "0x1ffffffffffffffff",
    "1-2",
]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_numbers(loader: type[Any], text: str, value: float) -> None:
    found = load(f"a: {text}\n", loader)["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("text", TEXTS)
def test_text(loader: type[Any], text: str) -> None:
    assert load(f"a: {text}\n", loader) == {"a": text}
    assert load(f"- {text}\n", loader) == [text]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("no", False), ("~", None), ("null", None), ("", None), ("'10'", "10"), ("x", "x"), (".", ".")],
)
def test_the_rest_is_as_before(loader: type[Any], text: str, *, value: object) -> None:
    assert load(f"a: {text}\n", loader) == {"a": value}
    assert math.isnan(load("a: .nan\n", loader)["a"])


def test_loaders_of_others_stay_as_they_are() -> None:
    assert yaml.safe_load("a: 1:20\n") == {"a": 80}


@pytest.mark.parametrize("loader", LOADERS)
def test_what_is_only_called_a_number(loader: type[Any]) -> None:
    with pytest.raises(ValueError, match="soon"):
        load("a: !!int soon\n", loader)


@given(st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8))
def test_no_ipv6_address_is_a_number(groups: list[int]) -> None:
    for form in ("x", "04x"):
        address = ":".join(f"{group:{form}}" for group in groups)
        assert load(f"a: {address}\n") == {"a": address}
