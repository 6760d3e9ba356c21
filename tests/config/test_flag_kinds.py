"""Flag values: their syntax, and what several occurrences of a flag make together."""

import re
from typing import Any

import pytest

from pykubeproxy.config import kinds
from pykubeproxy.config.kinds import Kind
from pykubeproxy.config.types import VModuleItem


def level(pattern: str, verbosity: int) -> VModuleItem:
    return VModuleItem(file_pattern=pattern, verbosity=verbosity)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.STRING, " as it is ", " as it is "),
        *((kinds.BOOL, text, True) for text in ("1", "t", "T", "TRUE", "true", "True")),
        *((kinds.BOOL, text, False) for text in ("0", "f", "F", "FALSE", "false", "False")),
        (kinds.INT32, "-999", -999),
        (kinds.INT32, "0x1f", 31),
        (kinds.INT32, "2147483647", 2147483647),
        (kinds.UINT32, "4294967295", 4294967295),
        (kinds.FLOAT, "2.5", 2.5),
        (kinds.DURATION, "1m", 60_000_000_000),
        (kinds.QUANTITY, "2Ki", "2Ki"),
        (kinds.ADDRESS, "010.0.0.1", "010.0.0.1"),
        (kinds.ADDRESS, "", None),
        (kinds.ADDRESS_AND_PORT, "", None),
        (kinds.ADDRESS_AND_PORT, "1.2.3.4", "1.2.3.4"),
        (kinds.ADDRESS_AND_PORT, "::", "::"),
        (kinds.ADDRESS_AND_PORT, "1.2.3.4:65535", "1.2.3.4:65535"),
        (kinds.ADDRESS_AND_PORT, "[::1]:1", "[::1]:1"),
        (kinds.WORDS, "", ()),
        (kinds.WORDS, 'a,b,"c,d"', ("a", "b", "c,d")),
        (kinds.GATE_STATES, "", {}),
        (kinds.GATE_STATES, "A=true, B=0,", {"A": True, "B": False}),
        (kinds.VMODULE, "a=1, b*=2", (level("a", 1), level("b*", 2))),
        (kinds.VERSION, "true", "true"),
        (kinds.VERSION, "0", "false"),
        (kinds.VERSION, "raw", "raw"),
        (kinds.VERSION, "v1.36.2-x", "v1.36.2-x"),
    ],
)
def test_reads(kind: Kind, text: str, value: object) -> None:
    assert kind.read(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (kinds.BOOL, "yes", '"yes" is not true or false'),
        (kinds.BOOL, "", '"" is not true or false'),
        (kinds.INT32, "1.5", '"1.5" is not an integer from -2147483648 to 2147483647'),
        (kinds.INT32, "2147483648", "not an integer from"),
        (kinds.INT32, " 1", "not an integer from"),
        (kinds.INT32, "1_000", "not an integer from"),
        (kinds.UINT32, "-1", "not an integer from 0"),
        (kinds.FLOAT, "x", '"x" is not a number'),
        (kinds.FLOAT, "inf", '"inf" is not a number'),
        (kinds.DURATION, "30", "missing unit"),
        (kinds.QUANTITY, "1K", 'invalid quantity "1K"'),
        (kinds.ADDRESS, "localhost", '"localhost" is not a valid IP address'),
        (kinds.ADDRESS, "1.2.3", '"1.2.3" is not a valid IP address'),
        (kinds.ADDRESS_AND_PORT, "localhost", "not in a valid format"),
        (kinds.ADDRESS_AND_PORT, "localhost:80", '"localhost" is not a valid IP address'),
        (kinds.ADDRESS_AND_PORT, "1.2.3.4:", '"" is not a valid port'),
        (kinds.ADDRESS_AND_PORT, "1.2.3.4:http", '"http" is not a valid port'),
        (kinds.ADDRESS_AND_PORT, "1.2.3.4:0", '"0" is not a valid port'),
        (kinds.ADDRESS_AND_PORT, "1.2.3.4:65536", '"65536" is not a valid port'),
        (kinds.GATE_STATES, "A", '"A" is not of the form'),
        (kinds.GATE_STATES, "A=maybe", '"maybe" is not true or false'),
        (kinds.VMODULE, "a", '"a" is not of the form pattern=N'),
        (kinds.VMODULE, "=1", "not of the form"),
        (kinds.VMODULE, "a=-1", "not of the form"),
        (kinds.VERSION, "1.36", '"1.36" is not true, false, raw or a version'),
    ],
)
def test_rejects(kind: Kind, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        kind.read(text)


@pytest.mark.parametrize(
    ("kind", "texts", "value"),
    [
        (kinds.INT32, ["1", "2"], 2),
        (kinds.BOOL, ["true", "false"], False),
        (kinds.ADDRESS, ["1.2.3.4", ""], "1.2.3.4"),
        (kinds.ADDRESS, ["", ""], None),
        (kinds.STRING, ["a", ""], ""),
        (kinds.WORDS, ["a,b", "c"], ("a", "b", "c")),
        (kinds.GATE_STATES, ["A=true,B=true", "B=false"], {"A": True, "B": False}),
    ],
)
def test_repeated(kind: Kind, texts: list[str], value: Any) -> None:
    assert kind.combine([kind.read(text) for text in texts]) == value
