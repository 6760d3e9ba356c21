"""The settings that follow from a configuration: the tables of `docs/reference/lifecycle.md` section 8."""

import pytest

from pykubeproxy.plan.sysctls import (
    CONNTRACK_MAX,
    HASH_SIZE,
    ConntrackSettings,
    Sysctl,
    conntrack_max,
    conntrack_sysctls,
)


@pytest.mark.parametrize(
    ("cpus", "max_per_core", "minimum", "expected"),
    [
        (1, 32768, 131072, 131072),
        (8, 32768, 131072, 262144),
        (64, 32768, 131072, 1048576),
        (4, 0, 131072, None),
        (4, 0, 0, None),
        (64, 32768, 4000000, 1048576),
        (4, 1, 4000000, 4000000),
        (32, 32768, 131072, 1048576),
        (16, 67890, 0, 1048576),
        (15, 67890, 0, 1018350),
        (512, 32768, 131072, 1048576),
    ],
)
def test_how_many_connections(cpus: int, max_per_core: int, minimum: int, expected: int | None) -> None:
    assert conntrack_max(ConntrackSettings(max_per_core=max_per_core, min=minimum), cpus) == expected


@pytest.mark.parametrize(
    ("setting", "current", "is_met"),
    [
        (Sysctl("a", 5), 5, True),
        (Sysctl("a", 5), 4, False),
        (Sysctl("a", 5), 6, False),
        (Sysctl("a", 5, only_raised=True), 4, False),
        (Sysctl("a", 5, only_raised=True), 5, True),
        (Sysctl("a", 5, only_raised=True), 6, True),
    ],
)
def test_what_is_larger_may_do(setting: Sysctl, current: int, *, is_met: bool) -> None:
    assert setting.is_met_by(current) == is_met


def test_only_the_sizes_of_the_table_may_be_larger() -> None:
    everything = ConntrackSettings(tcp_be_liberal=True, udp_timeout=7, udp_stream_timeout=8)
    raised = {sysctl.name for sysctl in conntrack_sysctls(everything, cpus=2) if sysctl.only_raised}
    assert raised == {CONNTRACK_MAX, HASH_SIZE}


def test_defaults() -> None:
    assert settings(ConntrackSettings()) == {
        "nf_conntrack_max": 131072,
        HASH_SIZE: 32768,
        "nf_conntrack_tcp_timeout_established": 86400,
        "nf_conntrack_tcp_timeout_close_wait": 3600,
    }


def test_everything_in_order() -> None:
    everything = ConntrackSettings(
        tcp_established_timeout=5,
        tcp_close_wait_timeout=6.9,
        tcp_be_liberal=True,
        udp_timeout=7,
        udp_stream_timeout=8,
    )
    assert list(settings(everything).items()) == [
        ("nf_conntrack_max", 131072),
        (HASH_SIZE, 32768),
        ("nf_conntrack_tcp_timeout_established", 5),
        ("nf_conntrack_tcp_timeout_close_wait", 6),
        ("nf_conntrack_tcp_be_liberal", 1),
        ("nf_conntrack_udp_timeout", 7),
        ("nf_conntrack_udp_timeout_stream", 8),
    ]


def test_zero_leaves_a_setting_alone() -> None:
    nothing = ConntrackSettings(max_per_core=0, tcp_established_timeout=0, tcp_close_wait_timeout=0)
    assert settings(nothing) == {}


def test_less_than_a_second_does_not_become_zero() -> None:
    """A timeout of zero would end every connection at once."""
    assert settings(ConntrackSettings(udp_timeout=0.5))["nf_conntrack_udp_timeout"] == 1


def settings(asked: ConntrackSettings) -> dict[str, int]:
    return {name(sysctl): sysctl.value for sysctl in conntrack_sysctls(asked, cpus=2)}


def name(sysctl: Sysctl) -> str:
    return sysctl.name.removeprefix("net/netfilter/")
