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
        (32, 32768, 131072, 1048576),
        (512, 32768, 131072, 1048576),
        (4, 0, 131072, None),
        (64, 32768, 4000000, 1048576),
        (4, 1, 4000000, 4000000),
        (16, 67890, 0, 1048576),
        (15, 67890, 0, 1018350),
    ],
)
def test_how_many_connections(cpus: int, max_per_core: int, minimum: int, expected: int | None) -> None:
    assert conntrack_max(ConntrackSettings(max_per_core=max_per_core, min=minimum), cpus) == expected


@pytest.mark.parametrize(("only_raised", "met"), [(False, [5]), (True, [5, 6])])
def test_what_is_larger_may_do(met: list[int], *, only_raised: bool) -> None:
    setting = Sysctl("a", 5, only_raised=only_raised)
    assert [current for current in (4, 5, 6) if setting.is_met_by(current)] == met


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            {},
            [
                ("nf_conntrack_max", 131072),
                (HASH_SIZE, 32768),
                ("nf_conntrack_tcp_timeout_established", 86400),
                ("nf_conntrack_tcp_timeout_close_wait", 3600),
            ],
        ),
        (
            {
                "min": 131075,
                "tcp_established_timeout": 5,
                "tcp_close_wait_timeout": 6.9,
                "tcp_be_liberal": True,
                "udp_timeout": 0.5,  # a timeout of zero would end every connection at once
                "udp_stream_timeout": 8,
            },
            [
                ("nf_conntrack_max", 131075),
                (HASH_SIZE, 32768),
                ("nf_conntrack_tcp_timeout_established", 5),
                ("nf_conntrack_tcp_timeout_close_wait", 6),
                ("nf_conntrack_tcp_be_liberal", 1),
                ("nf_conntrack_udp_timeout", 1),
                ("nf_conntrack_udp_timeout_stream", 8),
            ],
        ),
        ({"max_per_core": 0, "tcp_established_timeout": 0, "tcp_close_wait_timeout": 0}, []),
    ],
    ids=["defaults", "everything-in-order", "zero-leaves-a-setting-alone"],
)
def test_what_is_set(asked: dict[str, float], expected: list[tuple[str, int]]) -> None:
    settings = tuple(conntrack_sysctls(ConntrackSettings(**asked), cpus=2))  # type: ignore[arg-type]
    assert [(each.name.removeprefix("net/netfilter/"), each.value) for each in settings] == expected
    raised = {each.name for each in settings if each.only_raised}
    assert raised == ({CONNTRACK_MAX, HASH_SIZE} if expected else set())
