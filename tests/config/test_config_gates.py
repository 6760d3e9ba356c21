"""Feature gates: every row of the reference, locked and unknown ones."""

import pytest

from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.gates import resolve


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("AllowServiceExternalIPs", True),
        ("PreferSameTrafficDistribution", True),
        ("MultiCIDRServiceAllocator", True),
        ("NFTablesProxyMode", True),
        ("ComponentFlagz", True),
        ("ComponentStatusz", True),
        ("WatchListClient", True),
        ("NativeHistograms", True),
        ("KubeProxyIPVS", True),
        ("NFTablesNetlink", True),
        ("KubeProxyNFTablesLocalhostNodePorts", True),
        ("LoggingAlphaOptions", False),
        ("LoggingBetaOptions", True),
        ("ContextualLogging", True),
    ],
)
def test_defaults(name: str, *, default: bool) -> None:
    assert resolve({}).enabled(name) is default


@pytest.mark.parametrize(
    "name",
    [
        "AllowServiceExternalIPs",
        "KubeProxyIPVS",
        "ComponentFlagz",
        "ComponentStatusz",
        "WatchListClient",
        "ContextualLogging",
    ],
)
def test_gates_that_can_be_switched_off(name: str) -> None:
    assert not resolve({name: False}).enabled(name)


@pytest.mark.parametrize("name", ["PreferSameTrafficDistribution", "MultiCIDRServiceAllocator", "NFTablesProxyMode"])
def test_locked_gates(name: str) -> None:
    assert resolve({name: True}).enabled(name)
    with pytest.raises(ConfigError) as error:
        resolve({name: False})
    assert str(error.value) == f"cannot set feature gate {name} to false, feature is locked to true"


def test_all_locked_gates_are_reported_at_once() -> None:
    with pytest.raises(ConfigError, match=r"^\[cannot set .* MultiCIDR.*, cannot set .* NFTables.*\]$"):
        resolve({"NFTablesProxyMode": False, "MultiCIDRServiceAllocator": False})


def test_unknown_names() -> None:
    assert resolve({"Zebra": True, "AntEater": False, "NativeHistograms": True}).unknown == ("AntEater", "Zebra")


def test_whole_stages_give_way_to_single_gates() -> None:
    gates = resolve({"AllAlpha": True, "NativeHistograms": True, "AllBeta": False})
    assert gates.enabled("LoggingAlphaOptions")
    assert gates.enabled("NativeHistograms")
    assert not gates.enabled("WatchListClient")
    assert gates.enabled("NFTablesProxyMode")
    assert gates.unknown == ()
