"""The settings that follow from a configuration: the tables of `lifecycle.md` section 8."""

import pytest

from pykubeproxy.plan.sysctls import ConntrackSettings, Sysctl, conntrack_hash_size, conntrack_max, conntrack_sysctls


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
    ("connections", "current", "expected"),
    [(131072, 65536, None), (131072, 32768, None), (131072, 32767, 32768), (262147, 1, 65536)],
)
def test_the_hash_table_only_grows(connections: int, current: int, expected: int | None) -> None:
    assert conntrack_hash_size(connections, current) == expected


def test_defaults() -> None:
    assert settings(ConntrackSettings()) == {
        "nf_conntrack_max": 131072,
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
    found = list(conntrack_sysctls(asked, cpus=2))
    assert all(sysctl.name.startswith("net/netfilter/") for sysctl in found)
    return {name(sysctl): sysctl.value for sysctl in found}


def name(sysctl: Sysctl) -> str:
    return sysctl.name.removeprefix("net/netfilter/")
