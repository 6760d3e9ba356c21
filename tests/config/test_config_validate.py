"""Validation: the rows of the reference's table, but for the logging options."""

import pytest

from pykubeproxy.config.duration import Duration
from pykubeproxy.config.errors import joined
from tests.config.fields import errors

IPTABLES = "KubeProxyIPTablesConfiguration"
LINUX = "KubeProxyLinuxConfiguration"
CONNTRACK = f"{LINUX}.KubeProxyConntrackConfiguration"
NOT_NEGATIVE = "must be greater than or equal to 0"
POSITIVE = "must be greater than 0"
BIT_RANGE = "must be within the range [0, 31]"
OOM_RANGE = "must be within the range [-1000, 1000]"
AT_LEAST_MIN = "must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod"
ONE_OR_PAIR = "must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
CIDR_BLOCK = "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"
MODES = "must be iptables, ipvs, nftables or blank (blank means the best-available proxy [currently iptables])"
IPTABLES_ONLY = "pykubeproxy supports iptables only; set it to iptables or leave it empty"
NO_CIDR = "must be a valid CIDR, or one of the words primary, localhost, all"
HIDDEN = "must be omitted or one of 1.35, 1.36, 1.37"
LOCAL_MODES = '"ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", ""'

ZERO = Duration(0)
MINUS = Duration.parse("-1s")


@pytest.mark.parametrize(
    ("field", "value", "path", "message"),
    [
        ("iptables.masquerade_bit", -1, f"{IPTABLES}.MasqueradeBit", BIT_RANGE),
        ("iptables.masquerade_bit", 32, f"{IPTABLES}.MasqueradeBit", BIT_RANGE),
        ("conntrack.max_per_core", -1, f"{CONNTRACK}.MaxPerCore", NOT_NEGATIVE),
        ("conntrack.min", -1, f"{CONNTRACK}.Min", NOT_NEGATIVE),
        ("oom_score_adj", -1001, f"{LINUX}.OOMScoreAdj", OOM_RANGE),
        ("oom_score_adj", 1001, f"{LINUX}.OOMScoreAdj", OOM_RANGE),
        ("client_connection.burst", -1, "ClientConnection.Burst", NOT_NEGATIVE),
    ],
)
def test_numbers(field: str, value: int, path: str, message: str) -> None:
    assert errors({field: value}) == (f"{path}: Invalid value: {value}: {message}",)


@pytest.mark.parametrize(
    ("field", "value", "path", "message"),
    [
        ("conntrack.tcp_established_timeout", MINUS, f"{CONNTRACK}.TCPEstablishedTimeout", NOT_NEGATIVE),
        ("conntrack.tcp_close_wait_timeout", MINUS, f"{CONNTRACK}.TCPCloseWaitTimeout", NOT_NEGATIVE),
        ("conntrack.udp_timeout", MINUS, f"{CONNTRACK}.UDPTimeout", NOT_NEGATIVE),
        ("conntrack.udp_stream_timeout", MINUS, f"{CONNTRACK}.UDPStreamTimeout", NOT_NEGATIVE),
        ("config_sync_period", ZERO, "ConfigSyncPeriod", POSITIVE),
        ("config_sync_period", MINUS, "ConfigSyncPeriod", POSITIVE),
        ("iptables.min_sync_period", MINUS, "MinSyncPeriod", NOT_NEGATIVE),
        ("iptables.min_sync_period", Duration.parse("31s"), "SyncPeriod", AT_LEAST_MIN),
        ("bind_address", "10.0.0", "BindAddress", "not a valid textual representation of an IP address"),
        ("bind_address", "", "BindAddress", "not a valid textual representation of an IP address"),
        ("mode", "userspace", "Mode.ProxyMode", MODES),
        ("mode", "IPTables", "Mode.ProxyMode", MODES),
        ("mode", "ipvs", "Mode.ProxyMode", IPTABLES_ONLY),
        ("mode", "nftables", "Mode.ProxyMode", IPTABLES_ONLY),
        ("show_hidden_metrics_for_version", "1.38", "ShowHiddenMetricsForVersion", HIDDEN),
        ("show_hidden_metrics_for_version", "1.34", "ShowHiddenMetricsForVersion", HIDDEN),
    ],
)
def test_texts_and_durations(field: str, value: object, path: str, message: str) -> None:
    assert errors({field: value}) == (f'{path}: Invalid value: "{value}": {message}',)


def test_a_sync_period_of_zero_is_also_below_the_minimum() -> None:
    assert errors({"iptables.sync_period": ZERO}) == (
        f'SyncPeriod: Invalid value: "0s": {POSITIVE}',
        f'SyncPeriod: Invalid value: "1s": {AT_LEAST_MIN}',
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("1.2.3.4", [("1.2.3.4", "must be IP:port")]),
        ("::1", [("::1", "must be IP:port")]),
        ("localhost:10256", [("localhost", "must be a valid IP")]),
        ("123.456.789.10:12345", [("123.456.789.10", "must be a valid IP")]),
        ("1.2.3.4:http", [("http", "must be a valid port")]),
        ("1.2.3.4:0", [("0", "must be a valid port")]),
        ("1.2.3.4:65536", [("65536", "must be a valid port")]),
        ("h:p", [("h", "must be a valid IP"), ("p", "must be a valid port")]),
        ("0.0.0.0:10256", []),
        ("[::]:65535", []),
    ],
)
def test_server_addresses(address: str, found: list[tuple[str, str]]) -> None:
    for field, path in (
        ("healthz_bind_address", "HealthzBindAddress"),
        ("metrics_bind_address", "MetricsBindAddress"),
    ):
        expected = tuple(f'{path}: Invalid value: "{value}": {message}' for value, message in found)
        assert errors({field: address}) == expected


def test_only_the_health_server_can_be_without_an_address() -> None:
    assert errors({"healthz_bind_address": ""}) == ()
    assert errors({"metrics_bind_address": ""}) == ('MetricsBindAddress: Invalid value: "": must be IP:port',)


@pytest.mark.parametrize(
    ("addresses", "index", "message"),
    [
        (("127.0.0.1",), 0, NO_CIDR),
        (("::1",), 0, NO_CIDR),
        (("1.2.3",), 0, NO_CIDR),
        (("",), 0, NO_CIDR),
        (("Primary",), 0, NO_CIDR),
        (("1.2.3.0/24", "1.2.3.4"), 1, NO_CIDR),
        (("primary,localhost",), 0, NO_CIDR),
        (("all", "none"), 1, NO_CIDR),
    ],
)
def test_node_port_addresses(addresses: tuple[str, ...], index: int, message: str) -> None:
    found = errors({"node_port_addresses": addresses})
    assert found == (f'NodePortAddresses[{index}]: Invalid value: "{addresses[index]}": {message}',)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iptables.masquerade_bit", 0),
        ("iptables.masquerade_bit", 31),
        ("conntrack.max_per_core", 0),
        ("conntrack.min", 0),
        ("conntrack.tcp_established_timeout", ZERO),
        ("oom_score_adj", -1000),
        ("oom_score_adj", 1000),
        ("mode", ""),
        ("mode", "iptables"),
        ("client_connection.burst", 0),
        ("iptables.min_sync_period", ZERO),
        ("iptables.min_sync_period", Duration.parse("30s")),
        ("bind_address", "010.0.0.1"),
        ("bind_address", "fd00::1"),
        ("node_port_addresses", ("primary",)),
        ("node_port_addresses", ("primary", "localhost")),
        ("node_port_addresses", ("localhost", "primary", "1.2.3.0/24", "primary")),
        ("node_port_addresses", ("fd00::/64", "all", "localhost")),
        ("node_port_addresses", ("0.0.0.0/0",)),
        ("node_port_addresses", ("1.2.3.0/24", "::/0", "10.0.0.1/8")),
        ("show_hidden_metrics_for_version", "1.35"),
        ("show_hidden_metrics_for_version", "1.36"),
        ("show_hidden_metrics_for_version", "1.37"),
        ("detect_local_mode", ""),
        ("detect_local_mode", "NodeCIDR"),
        ("feature_gates", {"Unknown": True}),
    ],
)
def test_what_is_allowed(field: str, value: object) -> None:
    assert errors({field: value}) == ()


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        ((), ()),
        (("10.0.0.0/8",), ()),
        (("fd00::/8",), ()),
        (("10.0.0.0/8", "fd00::/8"), ()),
        (("fd00::/8", "010.0.0.0/08"), ()),
        (("",), (f'[0]: Invalid value: "": {CIDR_BLOCK}',)),
        (("10.0.0.0",), (f'[0]: Invalid value: "10.0.0.0": {CIDR_BLOCK}',)),
        (("10.0.0.0/8", " fd00::/8"), (f'[1]: Invalid value: " fd00::/8": {CIDR_BLOCK}',)),
        (("x", "y"), (f'[0]: Invalid value: "x": {CIDR_BLOCK}', f'[1]: Invalid value: "y": {CIDR_BLOCK}')),
        (("10.0.0.0/8", "11.0.0.0/8"), (f': Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: {ONE_OR_PAIR}',)),
        (("10.0.0.0/8", "fd00::/8", "x"), (f': Invalid value: ["10.0.0.0/8","fd00::/8","x"]: {ONE_OR_PAIR}',)),
    ],
)
def test_cluster_cidrs(cidrs: tuple[str, ...], expected: tuple[str, ...]) -> None:
    path = "DetectLocalConfiguration.ClusterCIDRs"
    assert errors({}, cidrs) == tuple(path + error for error in expected)
    assert errors({"detect_local_mode": "NodeCIDR"}, cidrs) == ()


@pytest.mark.parametrize(
    ("mode", "field", "path"),
    [
        ("BridgeInterface", "detect_local.bridge_interface", "InterfaceName"),
        ("InterfaceNamePrefix", "detect_local.interface_name_prefix", "InterfacePrefix"),
    ],
)
def test_local_modes_need_a_name(mode: str, field: str, path: str) -> None:
    expected = f'DetectLocalConfiguration.{path}: Invalid value: "": must not be empty'
    assert errors({"detect_local_mode": mode}) == (expected,)
    assert errors({"detect_local_mode": mode, field: "cni0"}) == ()


def test_an_unknown_local_mode_gets_the_list() -> None:
    assert errors({"detect_local_mode": "clustercidr"}) == (
        f'DetectLocalMode: Unsupported value: "clustercidr": supported values: {LOCAL_MODES}',
    )


def test_a_locked_gate_does_not_hide_the_other_errors() -> None:
    locked = "cannot set feature gate NFTablesProxyMode to false, feature is locked to true"
    assert errors({"feature_gates": {"NFTablesProxyMode": False}, "oom_score_adj": 5000}) == (
        f'featureGates: Invalid value: {{"NFTablesProxyMode":false}}: {locked}',
        f"{LINUX}.OOMScoreAdj: Invalid value: 5000: {OOM_RANGE}",
    )


def test_all_errors_come_at_once_in_the_reference_s_order() -> None:
    wrong = {
        "logging.format": "xml",
        "metrics_bind_address": "m",
        "healthz_bind_address": "h:p",
        "bind_address": "b",
        "iptables.sync_period": ZERO,
        "iptables.masquerade_bit": 99,
        "conntrack.min": -1,
        "mode": "m",
        "node_port_addresses": ("a", "b"),
        "show_hidden_metrics_for_version": "1",
        "oom_score_adj": 5000,
        "client_connection.burst": -1,
        "config_sync_period": ZERO,
    }
    assert [error.partition(":")[0] for error in errors(wrong, ("x",))] == [
        f"{IPTABLES}.MasqueradeBit",
        f"{CONNTRACK}.Min",
        f"{LINUX}.OOMScoreAdj",
        "Mode.ProxyMode",
        "ClientConnection.Burst",
        "ConfigSyncPeriod",
        "SyncPeriod",
        "SyncPeriod",
        "BindAddress",
        "HealthzBindAddress",
        "HealthzBindAddress",
        "MetricsBindAddress",
        "NodePortAddresses[0]",
        "NodePortAddresses[1]",
        "ShowHiddenMetricsForVersion",
        "DetectLocalConfiguration.ClusterCIDRs[0]",
        "logging.format",
    ]


def test_messages_are_joined_once_each() -> None:
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "a"]) == "[a, b]"
    assert joined(["a", "a"]) == "a"


@pytest.mark.parametrize("name", ["a-name-too-long-x", "x -j ACCEPT", 'x"', "x/y", "x\ny"])
@pytest.mark.parametrize(
    ("mode", "field", "path", "longest"),
    [
        ("BridgeInterface", "detect_local.bridge_interface", "InterfaceName", 15),
        ("InterfaceNamePrefix", "detect_local.interface_name_prefix", "InterfacePrefix", 14),
    ],
)
def test_an_interface_name_cannot_add_words_to_a_rule(
    mode: str, field: str, path: str, longest: int, name: str
) -> None:
    (error,) = errors({"detect_local_mode": mode, field: name})
    assert error.startswith(f"DetectLocalConfiguration.{path}: Invalid value: ")
    assert error.endswith(f": must be a network interface name of at most {longest} characters")
