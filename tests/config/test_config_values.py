"""Values of the configuration as text: addresses, durations, flags of each type, feature gates."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.config import flag_types
from pykubeproxy.config.addresses import without_secrets
from pykubeproxy.config.duration import Duration, DurationOrNanoseconds
from pykubeproxy.config.flag_types import FlagType
from pykubeproxy.config.gates import resolve
from pykubeproxy.config.types import VModuleItem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
        ("https://user:s3cr3t@10.0.0.1:6443/a@b", "https://xxxxx@10.0.0.1:6443/a@b"),
        ("https://s3@cr3t@host", "https://xxxxx@host"),
        ("user:s3cr3t@10.0.0.1:6443", "xxxxx@10.0.0.1:6443"),
        ("//s3cr3t@10.0.0.1", "//xxxxx@10.0.0.1"),
        ("https://10.0.0.1?a@b", "https://10.0.0.1?a@b"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("-0", "0s"),
        ("2.2µs", "2.2µs"),
        ("2.2μs", "2.2µs"),
        (".5s", "500ms"),
        ("5.s", "5s"),
        ("-1.5h", "-1h30m0s"),
        ("0.1234567891s", "123.456789ms"),
        ("2540400h10m10.000000000s", "2540400h10m10s"),
    ],
)
def test_durations_read_and_print_as_go_s(text: str, printed: str) -> None:
    assert str(Duration.parse(text)) == printed


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_duration_that_is_printed_is_read_back(nanoseconds: int) -> None:
    assert Duration.parse(str(Duration(nanoseconds))) == nanoseconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write it as"),
        (" 5s", "write it as"),
        ("5 s", 'unknown unit " s"'),
        ("9223372037s", "longer than 292 years"),
    ],
)
def test_durations_that_are_none(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f'invalid duration "{re.escape(text)}": .*{re.escape(reason)}'):
        Duration.parse(text)


def test_in_a_file_only_the_flush_frequency_may_be_an_integer() -> None:
    assert str(DurationOrNanoseconds.from_file(5_000_000_000)) == "5s"
    assert str(DurationOrNanoseconds.from_file("5s")) == "5s"
    for kind, value in ((DurationOrNanoseconds, True), (Duration, 5), (Duration, 1.5), (Duration, ["5s"])):
        with pytest.raises(ValueError, match="a duration must be a string"):
            kind.from_file(value)


@pytest.mark.parametrize(
    ("flag_type", "text", "value"),
    [
        (flag_types.STRING, " as it is ", " as it is "),
        *((flag_types.BOOL, text, True) for text in ("1", "t", "T", "TRUE", "true", "True")),
        *((flag_types.BOOL, text, False) for text in ("0", "f", "F", "FALSE", "false", "False")),
        (flag_types.INT32, "-999", -999),
        (flag_types.INT32, "0x1f", 31),
        (flag_types.UINT32, "4294967295", 4294967295),
        (flag_types.FLOAT, "2.5", 2.5),
        (flag_types.DURATION, "1m", 60_000_000_000),
        (flag_types.QUANTITY, "2Ki", "2Ki"),
        (flag_types.ADDRESS, "010.0.0.1", "010.0.0.1"),
        (flag_types.ADDRESS, "", None),
        (flag_types.ADDRESS_AND_PORT, "", None),
        (flag_types.ADDRESS_AND_PORT, "[::1]:65535", "[::1]:65535"),
        (flag_types.WORDS, 'a,b,"c,d"', ("a", "b", "c,d")),
        (flag_types.GATE_STATES, "A=true, B=0,", {"A": True, "B": False}),
        (
            flag_types.VMODULE,
            "a=1, b*=2",
            (VModuleItem(file_pattern="a", verbosity=1), VModuleItem(file_pattern="b*", verbosity=2)),
        ),
        (flag_types.VERSION, "true", "true"),
        (flag_types.VERSION, "v1.36.2-x", "v1.36.2-x"),
    ],
)
def test_a_flag_reads(flag_type: FlagType, text: str, value: object) -> None:
    assert flag_type.read(text) == value


@pytest.mark.parametrize(
    ("flag_type", "text", "reason"),
    [
        (flag_types.BOOL, "yes", '"yes" is not true or false'),
        (flag_types.INT32, "1.5", '"1.5" is not an integer from -2147483648 to 2147483647'),
        (flag_types.INT32, "2147483648", "not an integer from"),
        (flag_types.FLOAT, "inf", '"inf" is not a number'),
        (flag_types.DURATION, "30", "missing unit"),
        (flag_types.QUANTITY, "1K", 'invalid quantity "1K"'),
        (flag_types.ADDRESS, "1.2.3", '"1.2.3" is not a valid IP address'),
        *(
            (flag_types.ADDRESS_AND_PORT, text, "not in a valid format")
            for text in ("x", "[::1]", "[::1]80", "[[::1]]:80")
        ),
        (flag_types.ADDRESS_AND_PORT, "localhost:80", '"localhost" is not a valid IP address'),
        (flag_types.ADDRESS_AND_PORT, "1.2.3.4:0", '"0" is not a valid port'),
        (flag_types.GATE_STATES, "A", '"A" is not of the form'),
        (flag_types.VMODULE, "=1", '"=1" is not of the form pattern=N'),
        (flag_types.VERSION, "1.36", '"1.36" is not true, false, raw or a version'),
    ],
)
def test_a_flag_rejects(flag_type: FlagType, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        flag_type.read(text)


@pytest.mark.parametrize(
    ("flag_type", "texts", "value"),
    [
        (flag_types.INT32, ["1", "2"], 2),
        (flag_types.ADDRESS, ["1.2.3.4", ""], "1.2.3.4"),
        (flag_types.STRING, ["a", ""], ""),
        (flag_types.WORDS, ["a,b", "c"], ("a", "b", "c")),
        (flag_types.GATE_STATES, ["A=true,B=true", "B=false"], {"A": True, "B": False}),
    ],
)
def test_a_flag_that_is_repeated(flag_type: FlagType, texts: list[str], value: object) -> None:
    assert flag_type.combine([flag_type.read(text) for text in texts]) == value


LOCKED = ("PreferSameTrafficDistribution", "MultiCIDRServiceAllocator", "NFTablesProxyMode")
SWITCHED_ON = (
    *("AllowServiceExternalIPs", "ComponentFlagz", "ComponentStatusz", "WatchListClient", "NativeHistograms"),
    *("KubeProxyIPVS", "NFTablesNetlink", "KubeProxyNFTablesLocalhostNodePorts", "LoggingBetaOptions"),
    "ContextualLogging",
)


def test_feature_gates() -> None:
    gates = resolve({})
    assert all(gates.enabled(name) for name in (*LOCKED, *SWITCHED_ON))
    assert not gates.enabled("LoggingAlphaOptions")
    changed = resolve({**dict.fromkeys(SWITCHED_ON, False), **dict.fromkeys(LOCKED, True), "LoggingAlphaOptions": True})
    assert not any(changed.enabled(name) for name in SWITCHED_ON)
    assert all(changed.enabled(name) for name in (*LOCKED, "LoggingAlphaOptions"))
    assert resolve({"Zebra": True, "AntEater": False, "NativeHistograms": True}).unknown == ("AntEater", "Zebra")


def test_whole_stages_give_way_to_single_gates() -> None:
    gates = resolve({"AllAlpha": True, "NativeHistograms": True, "AllBeta": False})
    names = ("LoggingAlphaOptions", "NativeHistograms", "WatchListClient", "NFTablesProxyMode")
    assert [gates.enabled(name) for name in names] == [True, True, False, True]
    assert gates.unknown == ()
