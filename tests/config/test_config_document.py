"""Reading the text of a configuration file, in which plain words mean what they mean to go-yaml v2."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.config.document import Document, read_document
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.yaml_values import as_go_reads


@pytest.mark.parametrize(
    "text",
    [
        '{\n\t"mode": "iptables",\n\t"iptables": {"masqueradeAll": true}\n}',
        "{mode: iptables, iptables: {masqueradeAll: yes}}",
        "---\nmode: iptables\niptables:\n  masqueradeAll: true\n",
        "\ufeffmode: iptables\niptables: {masqueradeAll: true, syncPeriod: ~}\nconntrack:\n  min: null\nipvs:\n",
    ],
)
def test_yaml_and_json_without_nulls(text: str) -> None:
    document = read_document(text.encode())
    document.fields.pop("conntrack", None)
    fields = {"mode": "iptables", "iptables": {"masqueradeAll": True}}
    assert document == Document(fields=fields, duplicates=(), more_documents=False)


@pytest.mark.parametrize(
    ("text", "fields", "duplicates"),
    [
        (
            "mode: a\niptables:\n  syncPeriod: 1s\n  syncPeriod: 2s\nmode: b\n",
            {"mode": "b", "iptables": {"syncPeriod": "2s"}},
            {"iptables.syncPeriod", "mode"},
        ),
        ('{"mode": "a", "mode": "b"}', {"mode": "b"}, {"mode"}),
        (
            "vmodule:\n- {filePattern: a, filePattern: b}\n",
            {"vmodule": [{"filePattern": "b"}]},
            {"vmodule[0].filePattern"},
        ),
        ("a: &a {s: rr}\nb: {<<: *a, s: lc}\n", {"a": {"s": "rr"}, "b": {"s": "lc"}}, set()),
    ],
    ids=["yaml", "json", "in a list", "a merged key is none"],
)
def test_of_duplicates_the_last_one_counts(text: str, fields: dict[str, Any], duplicates: set[str]) -> None:
    document = read_document(text.encode())
    assert document.fields == fields
    assert set(document.duplicates) == duplicates


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"# only a comment\n", "the file is empty"),
        (b"- a\n", "not a mapping of fields"),
        (b"just text", "not a mapping of fields"),
        (b"mode: iptables\n  bad: indent\n", "line 2, column 6: mapping values are not allowed here"),
        (b"bindAddress: ::\n", "line 1, column 15"),
        (b"mode: \x00\n", "special characters are not allowed"),
        (b"mode: !!int x\n", "invalid literal"),
        (b"mode: !!python/object:os.system x\n", "could not determine a constructor"),
        (b"a: &a [*a]\n", "recursive"),
        (b"a: \xff\n", "not UTF-8 text: byte 3 is 0xff"),
        (b"[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read(data: bytes, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_document(data)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@as_go_reads
class PythonLoader(yaml.SafeLoader):
    pass


@as_go_reads
class CLoader(yaml.CSafeLoader):
    pass


LOADERS = pytest.mark.parametrize("loader", [PythonLoader, CLoader])


def load(text: str, loader: type[Any] = CLoader) -> Any:
    return yaml.load(text, loader)  # noqa: S506  safe loaders, both of them


@LOADERS
def test_words_that_are_no_text(loader: type[Any]) -> None:
    integers = load("[-10, 1_000, 0O17, 0X1f, -0b101, 0x_1_f, 18446744073709551615]", loader)
    assert integers == [-10, 1000, 15, 31, -5, 31, 2**64 - 1]
    assert all(type(value) is int for value in integers)
    # What begins with 0 and is not octal is a number all the same, and so is what is too large for 64 bits.
    floats = load("[08, 18446744073709551616, -9223372036854775809, -.5, +1_0.2_5, 1E+3, .5e-1, -.INF]", loader)
    assert floats == [8, 2.0**64, -(2.0**63), -0.5, 10.25, 1000, 0.05, -math.inf]
    assert all(type(value) is float for value in floats)
    assert load("[no, ~, '', '10', .]", loader) == [False, None, "", "10", "."]


# To the base of 60, for PyYAML: IPv6 addresses, MAC addresses, times. Dates. And what is only almost a number.
TEXTS = (
    *("2001:10:20:30:40:50:1:2", "1:20", "-1:20", "10:20:30.5", "02:42:10:00:00:05"),
    *("2024-01-01", "2024-01-01T00:00:00Z", "0x", "0xg", "0b2", "0o8", "1e", "1_e", "_1", "+_", "._5", ".5_0"),
    *("10.0.0.1", "1.2.3", "fd00::1", "0x1ffffffffffffffff", "1-2"),
)


@LOADERS
@pytest.mark.parametrize("text", TEXTS)
def test_words_that_are_text(loader: type[Any], text: str) -> None:
    assert load(f"a: {text}\n", loader) == {"a": text}
    assert load(f"- {text}\n", loader) == [text]


@given(st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8))
def test_no_ipv6_address_is_a_number(groups: list[int]) -> None:
    for form in ("x", "04x"):
        address = ":".join(f"{group:{form}}" for group in groups)
        assert load(f"a: {address}\n") == {"a": address}
