"""Whether a configuration makes sense: all errors at once (`docs/reference/lifecycle.md` section 4).

Each message has kube-proxy's form, `PATH: Invalid value: VALUE: MESSAGE`, and the messages come in kube-proxy's order.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from pykubeproxy.config import gates
from pykubeproxy.config.addresses import is_port, split_host_port
from pykubeproxy.config.errors import ROOT, ConfigError, forbidden, invalid, required, unsupported
from pykubeproxy.config.release import minor_versions
from pykubeproxy.config.types import (
    Conntrack,
    IPTables,
    KubeProxyConfiguration,
    LocalMode,
    Logging,
    NodePortWord,
    OutputRouting,
    VModuleItem,
)
from pykubeproxy.model.ip import parse_cidr, parse_ip

# The present minor version, the previous one, and what that allows: configurations are made for either of them.
_MINORS = minor_versions(3)
_NOT_NEGATIVE = "must be greater than or equal to 0"
_POSITIVE = "must be greater than 0"
_MAX_VERBOSITY = 2**31 - 1
# Letters, digits and the signs that occur in names of interfaces, but nothing that has a meaning in rules.
_INTERFACE_NAME = re.compile(r"[\w.@:-]+", re.ASCII)

_ONE_OR_DUAL_STACK = (
    "must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
)
_OTHER_MODES = frozenset({"ipvs", "nftables"})


def validate(config: KubeProxyConfiguration, *, cluster_cidrs: Sequence[str]) -> tuple[str, ...]:
    """Every error of a completed configuration; none if it can be used. `cluster_cidrs`: clusterCIDR, split."""
    return tuple(
        chain(
            _feature_gate_errors(config),
            _iptables_errors(config.iptables),
            _linux_errors(config.conntrack, config.oom_score_adj),
            _mode_errors(config.mode),
            _client_and_period_errors(config),
            _address_errors(config),
            _node_port_address_errors(config.node_port_addresses),
            _hidden_metrics_errors(config.show_hidden_metrics_for_version),
            _detect_local_errors(config, cluster_cidrs),
            _logging_errors(config.logging, config.feature_gates),
        )
    )


def _feature_gate_errors(config: KubeProxyConfiguration) -> Iterator[str]:
    for error in gates.locked_gate_errors(config.feature_gates):
        yield invalid("featureGates", config.feature_gates, error)


def _iptables_errors(iptables: IPTables) -> Iterator[str]:
    if not 0 <= iptables.masquerade_bit <= 31:
        path = "KubeProxyIPTablesConfiguration.MasqueradeBit"
        yield invalid(path, iptables.masquerade_bit, "must be within the range [0, 31]")


def _linux_errors(conntrack: Conntrack, oom_score: int) -> Iterator[str]:
    path = "KubeProxyLinuxConfiguration"
    for name, value in (
        ("MaxPerCore", conntrack.max_per_core),
        ("Min", conntrack.min),
        ("TCPEstablishedTimeout", conntrack.tcp_established_timeout),
        ("TCPCloseWaitTimeout", conntrack.tcp_close_wait_timeout),
        ("UDPTimeout", conntrack.udp_timeout),
        ("UDPStreamTimeout", conntrack.udp_stream_timeout),
    ):
        if value < 0:
            yield invalid(f"{path}.KubeProxyConntrackConfiguration.{name}", value, _NOT_NEGATIVE)
    if not -1000 <= oom_score <= 1000:
        yield invalid(f"{path}.OOMScoreAdj", oom_score, "must be within the range [-1000, 1000]")


def _mode_errors(mode: str) -> Iterator[str]:
    if mode in _OTHER_MODES:
        message = "pykubeproxy supports iptables only; set it to iptables or leave it empty"
        yield invalid("Mode.ProxyMode", mode, message)
    elif mode not in ("", "iptables"):
        message = (
            "must be iptables, ipvs, nftables or blank (blank means the best-available proxy [currently iptables])"
        )
        yield invalid("Mode.ProxyMode", mode, message)


def _client_and_period_errors(config: KubeProxyConfiguration) -> Iterator[str]:
    sync, shortest = config.iptables.sync_period, config.iptables.min_sync_period
    if config.client_connection.burst < 0:
        yield invalid("ClientConnection.Burst", config.client_connection.burst, _NOT_NEGATIVE)
    if config.config_sync_period <= 0:
        yield invalid("ConfigSyncPeriod", config.config_sync_period, _POSITIVE)
    if sync <= 0:
        yield invalid("SyncPeriod", sync, _POSITIVE)
    if shortest < 0:
        yield invalid("MinSyncPeriod", shortest, _NOT_NEGATIVE)
    if sync < shortest:
        yield invalid("SyncPeriod", shortest, f"must be greater than or equal to {ROOT}.MinSyncPeriod")


def _address_errors(config: KubeProxyConfiguration) -> Iterator[str]:
    if parse_ip(config.bind_address) is None:
        yield invalid("BindAddress", config.bind_address, "not a valid textual representation of an IP address")
    if config.healthz_bind_address:
        yield from _ip_port_errors("HealthzBindAddress", config.healthz_bind_address)
    yield from _ip_port_errors("MetricsBindAddress", config.metrics_bind_address)


def _ip_port_errors(path: str, address: str) -> Iterator[str]:
    parts = split_host_port(address)
    if parts is None:
        yield invalid(path, address, "must be IP:port")
        return
    host, port = parts
    if parse_ip(host) is None:
        yield invalid(path, host, "must be a valid IP")
    if not is_port(port):
        yield invalid(path, port, "must be a valid port")


def _node_port_address_errors(addresses: Sequence[str]) -> Iterator[str]:
    for index, address in enumerate(addresses):
        if address not in tuple(NodePortWord) and parse_cidr(address) is None:
            message = f"must be a valid CIDR, or one of the words {', '.join(NodePortWord)}"
            yield invalid(f"NodePortAddresses[{index}]", address, message)


def _hidden_metrics_errors(version: str) -> Iterator[str]:
    if version and version not in _MINORS:
        message = f"must be omitted or one of {', '.join(_MINORS)}"
        yield invalid("ShowHiddenMetricsForVersion", version, message)


def _detect_local_errors(config: KubeProxyConfiguration, cluster_cidrs: Sequence[str]) -> Iterator[str]:
    path, detect_local = "DetectLocalConfiguration", config.detect_local
    match config.detect_local_mode:
        case LocalMode.BRIDGE_INTERFACE:
            yield from _interface_errors(f"{path}.InterfaceName", detect_local.bridge_interface, 15)
        case LocalMode.INTERFACE_NAME_PREFIX:
            yield from _interface_errors(f"{path}.InterfacePrefix", detect_local.interface_name_prefix, 14)
        case LocalMode.CLUSTER_CIDR:
            yield from _cluster_cidr_errors(f"{path}.ClusterCIDRs", cluster_cidrs)
        case mode if mode not in ("", *LocalMode):
            yield unsupported("DetectLocalMode", mode, supported=(*LocalMode, ""))


def _interface_errors(path: str, name: str, longest: int) -> Iterator[str]:
    """The kernel's own limits (dev_valid_name), and what would end a word of a rule; kube-proxy takes any text."""
    if not name:
        yield invalid(path, "", "must not be empty")
    elif len(name) > longest or not _INTERFACE_NAME.fullmatch(name):
        yield invalid(path, name, f"must be a network interface name of at most {longest} characters")


def _cluster_cidr_errors(path: str, texts: Sequence[str]) -> Iterator[str]:
    if len(texts) > 2:
        yield invalid(path, tuple(texts), _ONE_OR_DUAL_STACK)
        return
    cidrs = [parse_cidr(text) for text in texts]
    for index, (text, cidr) in enumerate(zip(texts, cidrs, strict=True)):
        if cidr is None:
            message = "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"
            yield invalid(f"{path}[{index}]", text, message)
    families = {cidr.family for cidr in cidrs if cidr is not None}
    if len(texts) == 2 and None not in cidrs and len(families) == 1:
        yield invalid(path, tuple(texts), _ONE_OR_DUAL_STACK)


def _logging_errors(logging: Logging, feature_gates: Mapping[str, bool]) -> Iterator[str]:
    """The errors that component-base finds in the `logging` section, given the feature gates asked for."""
    try:
        states = gates.resolve(feature_gates)
    except ConfigError:  # already an error of its own
        states = gates.resolve({})
    yield from _format_errors(logging, states)
    if logging.verbosity > _MAX_VERBOSITY:
        yield invalid("logging.verbosity", logging.verbosity, f"Must be <= {_MAX_VERBOSITY}")
    if logging.vmodule and logging.format != "text":
        yield forbidden("logging.vmodule", "Only supported for text log format")
    for index, item in enumerate(logging.vmodule):
        yield from _vmodule_errors(f"logging.vmodule[{index}]", item)
    yield from _routing_errors("logging.options.text", logging.options.text, states)
    yield from _routing_errors("logging.options.json", logging.options.json, states)


def _format_errors(logging: Logging, states: gates.FeatureGates) -> Iterator[str]:
    if logging.format not in ("text", "json"):
        yield invalid("logging.format", logging.format, "Unsupported log format, must be text or json")
    elif logging.format == "json" and not states.enabled("LoggingBetaOptions"):
        yield forbidden("logging.format", "Log format json is disabled, see LoggingBetaOptions feature")


def _vmodule_errors(path: str, item: VModuleItem) -> Iterator[str]:
    if not item.file_pattern:
        yield required(path, "File pattern must not be empty")
    if any(sign in item.file_pattern for sign in "=,"):
        yield invalid(path, item.file_pattern, "File pattern must not contain equal sign or comma")
    if item.verbosity > _MAX_VERBOSITY:
        yield invalid(path, item.verbosity, f"Must be <= {_MAX_VERBOSITY}")


def _routing_errors(path: str, routing: OutputRouting, states: gates.FeatureGates) -> Iterator[str]:
    if states.enabled("LoggingAlphaOptions"):
        return
    if routing.split_stream:
        yield forbidden(f"{path}.splitStream", "Feature LoggingAlphaOptions is disabled")
    if routing.info_buffer_size:
        yield forbidden(f"{path}.infoBufferSize", "Feature LoggingAlphaOptions is disabled")
