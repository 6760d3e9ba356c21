"""The table of kube-proxy's flags; options, merging with a file, warnings and help texts all come from it."""

from typing import Any

from pykubeproxy.config.addresses import HEALTHZ_PORT, METRICS_PORT
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.flag_types import (
    ADDRESS,
    ADDRESS_AND_PORT,
    BOOL,
    DURATION,
    FILE,
    FLOAT,
    GATE_STATES,
    INT32,
    QUANTITY,
    STRING,
    UINT32,
    URL,
    VERSION,
    VMODULE,
    WORDS,
    FlagType,
)
from pykubeproxy.config.flags import Flag, FlagCategory
from pykubeproxy.config.release import minor_versions
from pykubeproxy.config.types import LocalMode

_IPVS = "pykubeproxy works in iptables mode only"
_LOCAL_MODES = ", ".join(LocalMode)
_UNUSED = "kube-proxy accepts it and does not use it"


def _setting(name: str, type_: FlagType, field: str, text: str) -> Flag:
    return Flag(name=name, type=type_, category=FlagCategory.SETTING, field=field, help=text)


def _logging(name: str, type_: FlagType, field: str, text: str) -> Flag:
    return Flag(name=name, type=type_, category=FlagCategory.LOGGING, field=f"logging.{field}", help=text)


def _instruction(name: str, type_: FlagType, fallback: Any, text: str) -> Flag:
    return Flag(name=name, type=type_, category=FlagCategory.INSTRUCTION, fallback=fallback, help=text)


def _deprecated(name: str, fallback: int, *, instead: str) -> Flag:
    note = f"use --{instead} instead"
    text = f"Port used if --{instead} has none; 0 disables. Deprecated: {note}."
    return Flag(name=name, type=INT32, category=FlagCategory.DEPRECATED, fallback=fallback, help=text, note=note)


def _without_effect(name: str, type_: FlagType, note: str, *, field: str = "", fallback: Any = None) -> Flag:
    text = f"No effect: {note}."
    return Flag(
        name=name,
        type=type_,
        category=FlagCategory.WITHOUT_EFFECT,
        field=field,
        fallback=fallback,
        help=text,
        note=note,
    )


_INSTRUCTIONS = (
    _instruction("config", FILE, "", "Path of the configuration file; most other flags are then ignored."),
    _instruction("write-config-to", FILE, "", "Write the effective configuration to this file and exit."),
    _instruction("cleanup", BOOL, False, "Remove everything that was installed and exit."),
    _instruction("init-only", BOOL, False, "Do what needs full root privileges and exit; run again without them."),
    _instruction("version", VERSION, "false", "Print the version and exit."),
    _instruction("master", URL, "", "Address of the API server; overrides the one in the kubeconfig."),
    _instruction("hostname-override", STRING, "", "Name of this Node; otherwise the host name."),
)

_SERVERS = (
    _setting("bind-address", ADDRESS, "bind_address", "Overrides the node's primary IP; nothing is bound to it."),
    _setting("healthz-bind-address", ADDRESS_AND_PORT, "healthz_bind_address", "Where the health server listens."),
    _setting("metrics-bind-address", ADDRESS_AND_PORT, "metrics_bind_address", "Where the metrics server listens."),
    _setting("bind-address-hard-fail", BOOL, "bind_address_hard_fail", "Exit if a server cannot bind its port."),
    _setting("profiling", BOOL, "enable_profiling", "Serve profiling pages on the metrics port."),
    _setting(
        "show-hidden-metrics-for-version",
        STRING,
        "show_hidden_metrics_for_version",
        f"Also show metrics hidden since {minor_versions(2)[0]}.",
    ),
    _deprecated("healthz-port", HEALTHZ_PORT, instead="healthz-bind-address"),
    _deprecated("metrics-port", METRICS_PORT, instead="metrics-bind-address"),
)

_API_SERVER = (
    _setting("kubeconfig", FILE, "client_connection.kubeconfig", "Path of a kubeconfig file."),
    _setting("kube-api-content-type", STRING, "client_connection.content_type", "Content type of API requests."),
    _setting("kube-api-qps", FLOAT, "client_connection.qps", "API requests per second."),
    _setting("kube-api-burst", INT32, "client_connection.burst", "API requests that may come at once."),
    _setting("config-sync-period", DURATION, "config_sync_period", "How often API objects are refreshed; > 0."),
)

_RULES = (
    _setting("proxy-mode", STRING, "mode", "iptables, or empty, which means iptables."),
    _setting("iptables-masquerade-bit", INT32, "iptables.masquerade_bit", "Bit of the mark for SNAT, 0 to 31."),
    _setting("masquerade-all", BOOL, "iptables.masquerade_all", "SNAT all traffic sent to cluster IPs."),
    _setting(
        "iptables-localhost-nodeports", BOOL, "iptables.localhost_node_ports", "Serve node ports on localhost (IPv4)."
    ),
    _setting("iptables-sync-period", DURATION, "iptables.sync_period", "Interval of retries and checks; > 0."),
    _setting(
        "iptables-min-sync-period", DURATION, "iptables.min_sync_period", "Shortest time between syncs; may be 0."
    ),
    _setting(
        "nodeport-addresses",
        WORDS,
        "node_port_addresses",
        "CIDRs of the IPs that serve node ports, and the words primary, localhost, all.",
    ),
)

_LOCAL_DETECTION = (
    _setting(
        "detect-local-mode", STRING, "detect_local_mode", f"How local pods' traffic is recognised: {_LOCAL_MODES}."
    ),
    _setting("cluster-cidr", STRING, "cluster_cidr", "CIDR of the cluster's pods, or a dual-stack pair A,B."),
    _setting("pod-bridge-interface", STRING, "detect_local.bridge_interface", "The bridge, for BridgeInterface."),
    _setting(
        "pod-interface-name-prefix",
        STRING,
        "detect_local.interface_name_prefix",
        "What the names start with, for InterfaceNamePrefix.",
    ),
)

_NODE = (
    _setting("oom-score-adj", INT32, "oom_score_adj", "The process's oom_score_adj, -1000 to 1000."),
    _setting(
        "conntrack-max-per-core", INT32, "conntrack.max_per_core", "Tracked connections per CPU; 0 leaves the limit."
    ),
    _setting("conntrack-min", INT32, "conntrack.min", "Tracked connections at least, whatever the CPUs."),
    _setting(
        "conntrack-tcp-timeout-established",
        DURATION,
        "conntrack.tcp_established_timeout",
        "Timeout of idle TCP; 0 leaves it.",
    ),
    _setting(
        "conntrack-tcp-timeout-close-wait",
        DURATION,
        "conntrack.tcp_close_wait_timeout",
        "Timeout of TCP in CLOSE_WAIT; 0 leaves it.",
    ),
    _setting("conntrack-tcp-be-liberal", BOOL, "conntrack.tcp_be_liberal", "Let TCP packets outside the window pass."),
    _setting("conntrack-udp-timeout", DURATION, "conntrack.udp_timeout", "Timeout of unreplied UDP; 0 leaves it."),
    _setting(
        "conntrack-udp-timeout-stream", DURATION, "conntrack.udp_stream_timeout", "Timeout of assured UDP; 0 leaves it."
    ),
    _setting("feature-gates", GATE_STATES, "feature_gates", "Feature gates to switch on or off."),
)

_LOGS = (
    _logging("logging-format", STRING, "format", "Log format: text or json."),
    _logging("log-flush-frequency", DURATION, "flush_frequency", "Longest time between log flushes."),
    _logging("v", UINT32, "verbosity", "Log verbosity."),
    _logging("vmodule", VMODULE, "vmodule", "Log verbosity per source file (text format)."),
    _logging("log-text-split-stream", BOOL, "options.text.split_stream", "Text format: errors go to stderr."),
    _logging("log-text-info-buffer-size", QUANTITY, "options.text.info_buffer_size", "Text format: buffer size."),
    _logging("log-json-split-stream", BOOL, "options.json.split_stream", "JSON format: errors go to stderr."),
    _logging("log-json-info-buffer-size", QUANTITY, "options.json.info_buffer_size", "JSON format: buffer size."),
)

_OTHERS = (
    _without_effect("ipvs-sync-period", DURATION, _IPVS, fallback=Duration.parse("30s")),
    _without_effect("ipvs-min-sync-period", DURATION, _IPVS, fallback=Duration.parse("1s")),
    _without_effect("ipvs-scheduler", STRING, _IPVS, field="ipvs.scheduler"),
    _without_effect("ipvs-exclude-cidrs", WORDS, _IPVS, field="ipvs.exclude_cidrs"),
    _without_effect("ipvs-strict-arp", BOOL, _IPVS, field="ipvs.strict_arp"),
    _without_effect("ipvs-tcp-timeout", DURATION, _IPVS, field="ipvs.tcp_timeout"),
    _without_effect("ipvs-tcpfin-timeout", DURATION, _IPVS, field="ipvs.tcp_fin_timeout"),
    _without_effect("ipvs-udp-timeout", DURATION, _IPVS, field="ipvs.udp_timeout"),
    _without_effect("boot-id-file", STRING, _UNUSED, fallback="/proc/sys/kernel/random/boot_id"),
    _without_effect("machine-id-file", STRING, _UNUSED, fallback="/etc/machine-id,/var/lib/dbus/machine-id"),
)

FLAGS = (*_INSTRUCTIONS, *_SERVERS, *_API_SERVER, *_RULES, *_LOCAL_DETECTION, *_NODE, *_LOGS, *_OTHERS)

FLAG_BY_NAME = {flag.name: flag for flag in FLAGS}
