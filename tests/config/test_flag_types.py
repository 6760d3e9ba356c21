"""Flag values: their syntax, and what several occurrences of a flag make together."""

import re
from typing import Any

import pytest

from pykubeproxy.config import flag_types
from pykubeproxy.config.flag_types import FlagType
from pykubeproxy.config.types import VModuleItem


def level(pattern: str, verbosity: int) -> VModuleItem:
    return VModuleItem(file_pattern=pattern, verbosity=verbosity)


@pytest.mark.parametrize(
    ("flag_type", "text", "value"),
    [
        (flag_types.STRING, " as it is ", " as it is "),
        *((flag_types.BOOL, text, True) for text in ("1", "t", "T", "TRUE", "true", "True")),
        *((flag_types.BOOL, text, False) for text in ("0", "f", "F", "FALSE", "false", "False")),
        (flag_types.INT32, "-999", -999),
        (flag_types.INT32, "0x1f", 31),
        (flag_types.INT32, "2147483647", 2147483647),
        (flag_types.UINT32, "4294967295", 4294967295),
        (flag_types.FLOAT, "2.5", 2.5),
        (flag_types.DURATION, "1m", 60_000_000_000),
        (flag_types.QUANTITY, "2Ki", "2Ki"),
        (flag_types.ADDRESS, "010.0.0.1", "010.0.0.1"),
        (flag_types.ADDRESS, "", None),
        (flag_types.ADDRESS_AND_PORT, "", None),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4", "1.2.3.4"),
        (flag_types.ADDRESS_AND_PORT, "::", "::"),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4:65535", "1.2.3.4:65535"),
        (flag_types.ADDRESS_AND_PORT, "[::1]:1", "[::1]:1"),
        (flag_types.WORDS, "", ()),
        (flag_types.WORDS, 'a,b,"c,d"', ("a", "b", "c,d")),
        (flag_types.GATE_STATES, "", {}),
        (flag_types.GATE_STATES, "A=true, B=0,", {"A": True, "B": False}),
        (flag_types.VMODULE, "a=1, b*=2", (level("a", 1), level("b*", 2))),
        (flag_types.VERSION, "true", "true"),
        (flag_types.VERSION, "0", "false"),
        (flag_types.VERSION, "raw", "raw"),
        (flag_types.VERSION, "v1.36.2-x", "v1.36.2-x"),
    ],
)
def test_reads(flag_type: FlagType, text: str, value: object) -> None:
    assert flag_type.read(text) == value


@pytest.mark.parametrize(
    ("flag_type", "text", "reason"),
    [
        (flag_types.BOOL, "yes", '"yes" is not true or false'),
        (flag_types.BOOL, "", '"" is not true or false'),
        (flag_types.INT32, "1.5", '"1.5" is not an integer from -2147483648 to 2147483647'),
        (flag_types.INT32, "2147483648", "not an integer from"),
        (flag_types.INT32, " 1", "not an integer from"),
        (flag_types.INT32, "1_000", "not an integer from"),
        (flag_types.UINT32, "-1", "not an integer from 0"),
        (flag_types.FLOAT, "x", '"x" is not a number'),
        (flag_types.FLOAT, "inf", '"inf" is not a number'),
        (flag_types.DURATION, "30", "missing unit"),
        (flag_types.QUANTITY, "1K", 'invalid quantity "1K"'),
        (flag_types.ADDRESS, "localhost", '"localhost" is not a valid IP address'),
        (flag_types.ADDRESS, "1.2.3", '"1.2.3" is not a valid IP address'),
        (flag_types.ADDRESS_AND_PORT, "localhost", "not in a valid format"),
        (flag_types.ADDRESS_AND_PORT, "localhost:80", '"localhost" is not a valid IP address'),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4:", '"" is not a valid port'),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4:http", '"http" is not a valid port'),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4:0", '"0" is not a valid port'),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4:65536", '"65536" is not a valid port'),
        (flag_types.GATE_STATES, "A", '"A" is not of the form'),
        (flag_types.GATE_STATES, "A=maybe", '"maybe" is not true or false'),
        (flag_types.VMODULE, "a", '"a" is not of the form pattern=N'),
        (flag_types.VMODULE, "=1", "not of the form"),
        (flag_types.VMODULE, "a=-1", "not of the form"),
        (flag_types.VERSION, "1.36", '"1.36" is not true, false, raw or a version'),
    ],
)
def test_rejects(flag_type: FlagType, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        flag_type.read(text)


@pytest.mark.parametrize(
    ("flag_type", "texts", "value"),
    [
        (flag_types.INT32, ["1", "2"], 2),
        (flag_types.BOOL, ["true", "false"], False),
        (flag_types.ADDRESS, ["1.2.3.4", ""], "1.2.3.4"),
        (flag_types.ADDRESS, ["", ""], None),
        (flag_types.STRING, ["a", ""], ""),
        (flag_types.WORDS, ["a,b", "c"], ("a", "b", "c")),
        (flag_types.GATE_STATES, ["A=true,B=true", "B=false"], {"A": True, "B": False}),
    ],
)
def test_repeated(flag_type: FlagType, texts: list[str], value: Any) -> None:
    assert flag_type.combine([flag_type.read(text) for text in texts]) == value
