"""Validation: the rows of the reference's table."""

from collections.abc import Mapping

import pytest

from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.errors import joined
from pykubeproxy.config.flags import put_at
from pykubeproxy.config.quantity import Quantity
from pykubeproxy.config.types import VModuleItem
from pykubeproxy.config.validate import validate

LINUX = "KubeProxyLinuxConfiguration"
CONNTRACK = f"{LINUX}.KubeProxyConntrackConfiguration"
BIT = "KubeProxyIPTablesConfiguration.MasqueradeBit"
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
ALPHA = "Feature LoggingAlphaOptions is disabled"

ZERO = Duration(0)
MINUS = Duration.parse("-1s")


def errors(fields: Mapping[str, object], cluster_cidrs: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The errors of the defaults with these fields (by attribute path), without the path's root."""
    config = DEFAULTS
    for path, value in fields.items():
        config = put_at(config, path, value)
    found = validate(config, cluster_cidrs=cluster_cidrs)
    return tuple(error.removeprefix("KubeProxyConfiguration.") for error in found)


def items(pattern: str, verbosity: int = 0) -> tuple[VModuleItem, ...]:
    return VModuleItem(file_pattern="ok"), VModuleItem(file_pattern=pattern, verbosity=verbosity)


EQUALS_OR_COMMA = "File pattern must not contain equal sign or comma"


def test_all_errors_come_at_once_in_the_reference_s_order() -> None:
    wrong = {
        "logging.format": "xml",
        "metrics_bind_address": "::1",
        "healthz_bind_address": "h:p",
        "bind_address": "10.0.0",
        "iptables.sync_period": ZERO,
        "iptables.masquerade_bit": 32,
        "conntrack.max_per_core": -1,
        "conntrack.min": -1,
        "conntrack.tcp_established_timeout": MINUS,
        "conntrack.tcp_close_wait_timeout": MINUS,
        "conntrack.udp_timeout": MINUS,
        "conntrack.udp_stream_timeout": MINUS,
        "mode": "userspace",
        "node_port_addresses": ("1.2.3", "Primary", "primary"),
        "show_hidden_metrics_for_version": "1.38",
        "oom_score_adj": 1001,
        "client_connection.burst": -1,
        "config_sync_period": ZERO,
        "feature_gates": {"NFTablesProxyMode": False},
    }
    locked = "cannot set feature gate NFTablesProxyMode to false, feature is locked to true"
    assert errors(wrong, ("x", "y")) == (
        f'featureGates: Invalid value: {{"NFTablesProxyMode":false}}: {locked}',
        f"{BIT}: Invalid value: 32: {BIT_RANGE}",
        f"{CONNTRACK}.MaxPerCore: Invalid value: -1: {NOT_NEGATIVE}",
        f"{CONNTRACK}.Min: Invalid value: -1: {NOT_NEGATIVE}",
        f'{CONNTRACK}.TCPEstablishedTimeout: Invalid value: "-1s": {NOT_NEGATIVE}',
        f'{CONNTRACK}.TCPCloseWaitTimeout: Invalid value: "-1s": {NOT_NEGATIVE}',
        f'{CONNTRACK}.UDPTimeout: Invalid value: "-1s": {NOT_NEGATIVE}',
        f'{CONNTRACK}.UDPStreamTimeout: Invalid value: "-1s": {NOT_NEGATIVE}',
        f"{LINUX}.OOMScoreAdj: Invalid value: 1001: {OOM_RANGE}",
        f'Mode.ProxyMode: Invalid value: "userspace": {MODES}',
        f"ClientConnection.Burst: Invalid value: -1: {NOT_NEGATIVE}",
        f'ConfigSyncPeriod: Invalid value: "0s": {POSITIVE}',
        f'SyncPeriod: Invalid value: "0s": {POSITIVE}',
        f'SyncPeriod: Invalid value: "1s": {AT_LEAST_MIN}',
        'BindAddress: Invalid value: "10.0.0": not a valid textual representation of an IP address',
        'HealthzBindAddress: Invalid value: "h": must be a valid IP',
        'HealthzBindAddress: Invalid value: "p": must be a valid port',
        'MetricsBindAddress: Invalid value: "::1": must be IP:port',
        f'NodePortAddresses[0]: Invalid value: "1.2.3": {NO_CIDR}',
        f'NodePortAddresses[1]: Invalid value: "Primary": {NO_CIDR}',
        f'ShowHiddenMetricsForVersion: Invalid value: "1.38": {HIDDEN}',
        f'DetectLocalConfiguration.ClusterCIDRs[0]: Invalid value: "x": {CIDR_BLOCK}',
        f'DetectLocalConfiguration.ClusterCIDRs[1]: Invalid value: "y": {CIDR_BLOCK}',
        'logging.format: Invalid value: "xml": Unsupported log format, must be text or json',
    )


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("iptables.masquerade_bit", -1, f"{BIT}: Invalid value: -1: {BIT_RANGE}"),
        ("iptables.min_sync_period", MINUS, f'MinSyncPeriod: Invalid value: "-1s": {NOT_NEGATIVE}'),
        ("iptables.min_sync_period", Duration.parse("31s"), f'SyncPeriod: Invalid value: "31s": {AT_LEAST_MIN}'),
        ("mode", "ipvs", f'Mode.ProxyMode: Invalid value: "ipvs": {IPTABLES_ONLY}'),
        ("metrics_bind_address", "localhost:1", 'MetricsBindAddress: Invalid value: "localhost": must be a valid IP'),
        ("healthz_bind_address", "1.2.3.4:0", 'HealthzBindAddress: Invalid value: "0": must be a valid port'),
        ("healthz_bind_address", "1.2.3.4:65536", 'HealthzBindAddress: Invalid value: "65536": must be a valid port'),
        (
            "node_port_addresses",
            ("1.2.3.0/24", "1.2.3.4"),
            f'NodePortAddresses[1]: Invalid value: "1.2.3.4": {NO_CIDR}',
        ),
        (
            "detect_local_mode",
            "clustercidr",
            f'DetectLocalMode: Unsupported value: "clustercidr": supported values: {LOCAL_MODES}',
        ),
        ("logging.verbosity", 2**31, "logging.verbosity: Invalid value: 2147483648: Must be <= 2147483647"),
        ("logging.vmodule", items(""), "logging.vmodule[1]: Required value: File pattern must not be empty"),
        ("logging.vmodule", items("a=b"), f'logging.vmodule[1]: Invalid value: "a=b": {EQUALS_OR_COMMA}'),
        ("logging.vmodule", items("a", 2**31), "logging.vmodule[1]: Invalid value: 2147483648: Must be <= 2147483647"),
        ("logging.options.text.split_stream", True, f"logging.options.text.splitStream: Forbidden: {ALPHA}"),
        (
            "logging.options.json.info_buffer_size",
            Quantity("1k"),
            f"logging.options.json.infoBufferSize: Forbidden: {ALPHA}",
        ),
    ],
)
def test_one_error(field: str, value: object, error: str) -> None:
    assert errors({field: value}) == (error,)


@pytest.mark.parametrize(
    "fields",
    [
        {
            "iptables.masquerade_bit": 0,
            "conntrack.max_per_core": 0,
            "conntrack.min": 0,
            "conntrack.tcp_established_timeout": ZERO,
            "oom_score_adj": -1000,
            "mode": "",
            "client_connection.burst": 0,
            "iptables.min_sync_period": ZERO,
            "bind_address": "010.0.0.1",
            "healthz_bind_address": "",
            "metrics_bind_address": "[::]:65535",
            "node_port_addresses": ("localhost", "primary", "1.2.3.0/24", "primary"),
            "show_hidden_metrics_for_version": "1.35",
            "detect_local_mode": "",
            "feature_gates": {"Unknown": True},
        },
        {
            "iptables.masquerade_bit": 31,
            "oom_score_adj": 1000,
            "iptables.min_sync_period": Duration.parse("30s"),
            "bind_address": "fd00::1",
            "node_port_addresses": ("fd00::/64", "all", "0.0.0.0/0", "10.0.0.1/8"),
            "show_hidden_metrics_for_version": "1.37",
            "detect_local_mode": "NodeCIDR",
            "logging.format": "json",
            "logging.options.text.split_stream": True,
            "logging.options.json.info_buffer_size": Quantity("1k"),
            "feature_gates": {"LoggingAlphaOptions": True},
        },
        {"logging.options.text.info_buffer_size": Quantity("0Ki")},
    ],
)
def test_what_is_allowed(fields: dict[str, object]) -> None:
    assert errors(fields) == ()


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        ((), ()),
        (("fd00::/8",), ()),
        (("fd00::/8", "010.0.0.0/08"), ()),
        (("",), (f'[0]: Invalid value: "": {CIDR_BLOCK}',)),
        (("10.0.0.0/8", " fd00::/8"), (f'[1]: Invalid value: " fd00::/8": {CIDR_BLOCK}',)),
        (("10.0.0.0/8", "11.0.0.0/8"), (f': Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: {ONE_OR_PAIR}',)),
        (("10.0.0.0/8", "fd00::/8", "x"), (f': Invalid value: ["10.0.0.0/8","fd00::/8","x"]: {ONE_OR_PAIR}',)),
    ],
)
def test_cluster_cidrs(cidrs: tuple[str, ...], expected: tuple[str, ...]) -> None:
    path = "DetectLocalConfiguration.ClusterCIDRs"
    assert errors({}, cidrs) == tuple(path + error for error in expected)
    assert errors({"detect_local_mode": "NodeCIDR"}, cidrs) == ()


@pytest.mark.parametrize(
    ("mode", "field", "path", "longest"),
    [
        ("BridgeInterface", "detect_local.bridge_interface", "InterfaceName", 15),
        ("InterfaceNamePrefix", "detect_local.interface_name_prefix", "InterfacePrefix", 14),
    ],
)
def test_names_of_interfaces_add_no_words_to_a_rule(mode: str, field: str, path: str, longest: int) -> None:
    missing = f'DetectLocalConfiguration.{path}: Invalid value: "": must not be empty'
    assert errors({"detect_local_mode": mode}) == (missing,)
    assert errors({"detect_local_mode": mode, field: "x" * longest}) == ()
    for name in ("x" * (longest + 1), "x -j ACCEPT", 'x"', "x/y", "x\ny"):
        (error,) = errors({"detect_local_mode": mode, field: name})
        assert error.startswith(f"DetectLocalConfiguration.{path}: Invalid value: ")
        assert error.endswith(f": must be a network interface name of at most {longest} characters")


def test_json_logs_need_the_beta_gate_and_take_no_vmodule() -> None:
    assert errors({"logging.format": "json", "feature_gates": {"LoggingBetaOptions": False}}) == (
        "logging.format: Forbidden: Log format json is disabled, see LoggingBetaOptions feature",
    )
    assert errors({"logging.format": "json", "logging.vmodule": (VModuleItem(file_pattern="a"),)}) == (
        "logging.vmodule: Forbidden: Only supported for text log format",
    )


def test_messages_are_joined_once_each() -> None:
    assert joined(["a", "b", "a"]) == "[a, b]"
    assert joined(["a", "a"]) == "a"
