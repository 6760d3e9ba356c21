"""Configuration files: what loads, what is defaulted, what is fatal."""

from pathlib import Path

import pytest

from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.load import load
from pykubeproxy.config.types import Conntrack, IPTables, KubeProxyConfiguration
from pykubeproxy.config.write import as_api_object

DATA = Path(__file__).parent / "data"
HEADER = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


def load_text(text: str) -> KubeProxyConfiguration:
    loaded = load((HEADER + text).encode())
    assert loaded.warnings == ()
    return loaded.config


def field(config: KubeProxyConfiguration, path: str) -> object:
    value: object = as_api_object(config)
    for name in path.split("."):
        assert isinstance(value, dict)
        value = value[name]
    return value


def test_kubeadm_config_map() -> None:
    loaded = load((DATA / "kubeadm.conf").read_bytes())
    assert loaded.warnings == ()
    assert loaded.config.client_connection.kubeconfig == "/var/lib/kube-proxy/kubeconfig.conf"
    assert loaded.config.client_connection.qps == 5
    assert loaded.config.cluster_cidr == "10.244.0.0/16"
    assert loaded.config.conntrack == Conntrack()
    assert loaded.config.iptables == IPTables()
    assert str(loaded.config.logging.flush_frequency) == "5s"
    assert loaded.config.healthz_bind_address == "0.0.0.0:10256"


def test_kind_config_map() -> None:
    loaded = load((DATA / "kind.conf").read_bytes())
    assert loaded.warnings == ()
    assert loaded.config.conntrack.max_per_core == 0
    assert loaded.config.iptables == IPTables()
    assert loaded.config.mode == "iptables"


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("iptables: {syncPeriod: 0s}", "iptables.syncPeriod", "30s"),
        ("iptables: {minSyncPeriod: 0s}", "iptables.minSyncPeriod", "1s"),
        ("configSyncPeriod: 0s", "configSyncPeriod", "15m0s"),
        ("clientConnection: {qps: 0}", "clientConnection.qps", 5),
        ("clientConnection: {burst: 0}", "clientConnection.burst", 10),
        (
            "clientConnection: {contentType: ''}",
            "clientConnection.contentType",
            "application/vnd.kubernetes.protobuf",
        ),
        ("bindAddress: ''", "bindAddress", "0.0.0.0"),  # noqa: S104
        ("healthzBindAddress: ''", "healthzBindAddress", "0.0.0.0:10256"),
        ("metricsBindAddress: ''", "metricsBindAddress", "127.0.0.1:10249"),
        ("logging: {format: '', flushFrequency: 0s}", "logging.format", "text"),
        ("logging: {flushFrequency: 0}", "logging.flushFrequency", "5s"),
    ],
)
def test_zero_and_empty_mean_unset(text: str, path: str, value: object) -> None:
    assert field(load_text(text), path) == value


@pytest.mark.parametrize(
    ("section", "name", "zero", "default"),
    [
        ("conntrack", "maxPerCore", "0", 32768),
        ("conntrack", "min", "0", 131072),
        ("conntrack", "tcpEstablishedTimeout", "0s", "24h0m0s"),
        ("conntrack", "tcpCloseWaitTimeout", "0s", "1h0m0s"),
        ("iptables", "masqueradeBit", "0", 14),
        ("iptables", "localhostNodePorts", "false", True),
    ],
)
def test_pointer_fields_keep_zeros(section: str, name: str, zero: str, default: object) -> None:
    def loaded(value: str) -> object:
        return field(load_text(f"{section}: {{{name}: {value}}}"), f"{section}.{name}")

    assert str(loaded(zero)).lower() == zero
    assert loaded("null") == default


def test_oom_score_adj_keeps_zero() -> None:
    assert load_text("oomScoreAdj: 0").oom_score_adj == 0
    assert load_text("oomScoreAdj: null").oom_score_adj == -999


@pytest.mark.parametrize(
    ("text", "healthz", "metrics"),
    [
        ("bindAddress: '::'", "[::]:10256", "[::1]:10249"),
        ("bindAddress: fd00::1", "[::]:10256", "[::1]:10249"),
        ("bindAddress: 10.0.0.1", "0.0.0.0:10256", "127.0.0.1:10249"),
        ("bindAddress: '::'\nhealthzBindAddress: 1.2.3.4", "1.2.3.4:10256", "[::1]:10249"),
        ("healthzBindAddress: fd00::1\nmetricsBindAddress: '::'", "[fd00::1]:10256", "[::]:10249"),
        ("healthzBindAddress: 1.2.3.4:80\nmetricsBindAddress: '[::]:81'", "1.2.3.4:80", "[::]:81"),
    ],
)
def test_server_addresses(text: str, healthz: str, metrics: str) -> None:
    config = load_text(text)
    assert (config.healthz_bind_address, config.metrics_bind_address) == (healthz, metrics)


def test_unknown_and_duplicate_fields_are_a_warning() -> None:
    text = (
        "nonsense: 1\nlogging: {vmodule: [{filePattern: a, x: 1}]}\niptables:\n  a: 1\n  masqueradeBit: 3\nmode: ''\n"
    )
    loaded = load((HEADER + text + "mode: iptables\n").encode())
    assert loaded.config.mode == "iptables"
    assert loaded.config.iptables.masquerade_bit == 3
    (warning,) = loaded.warnings
    assert warning == (
        'Using lenient decoding as strict decoding failed: unknown field "nonsense"; '
        'unknown field "logging.vmodule[0].x"; unknown field "iptables.a"; duplicate field "mode", the last one counts'
    )


def test_field_names_are_case_sensitive() -> None:
    loaded = load((HEADER + "Mode: ipvs\n").encode())
    assert loaded.config.mode == "iptables"
    assert 'unknown field "Mode"' in loaded.warnings[0]


def test_further_documents_are_a_warning() -> None:
    loaded = load(f"{HEADER}---\n{HEADER}".encode())
    assert loaded.warnings == ("Only the first document of the configuration file is used",)


def test_json() -> None:
    text = '{"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "oomScoreAdj": -5}'
    assert load(text.encode()).config.oom_score_adj == -5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        ("mode: [", "line 1, column 8"),
        ("mode: ''", "apiVersion is missing, must be kubeproxy.config.k8s.io/v1alpha1"),
        ("apiVersion: v1\nkind: ConfigMap", "apiVersion is 'v1', must be kubeproxy.config.k8s.io/v1alpha1"),
        (HEADER.replace("KubeProxyC", "KubeletC"), "kind is 'KubeletConfiguration', must be KubeProxyConfiguration"),
        (HEADER + "hostnameOverride: 123", "hostnameOverride: expected a string, got an integer"),
        (HEADER + "iptables: {masqueradeAll: 1}", "iptables.masqueradeAll: expected true or false, got an integer"),
        (HEADER + "iptables: {masqueradeBit: '14'}", "iptables.masqueradeBit: expected an integer, got a string"),
        (HEADER + "oomScoreAdj: 2147483648", "oomScoreAdj: expected an integer <= 2147483647"),
        (HEADER + "logging: {verbosity: -1}", "logging.verbosity: expected an integer >= 0"),
        (HEADER + "nodePortAddresses: 10.0.0.0/8", "nodePortAddresses: expected a list, got a string"),
        (HEADER + "nodePortAddresses: [a, 1]", "nodePortAddresses[1]: expected a string, got an integer"),
        (HEADER + "conntrack: []", "conntrack: expected a mapping, got a list"),
        (HEADER + "featureGates: {A: 'true'}", "featureGates[...]: expected true or false, got a string"),
        (HEADER + "iptables: {syncPeriod: 30}", "iptables.syncPeriod: a duration must be a string, got 30"),
        (HEADER + "iptables: {syncPeriod: 30x}", 'iptables.syncPeriod: invalid duration "30x": unknown unit "x"'),
        (
            HEADER + "logging: {options: {json: {infoBufferSize: x}}}",
            'logging.options.json.infoBufferSize: invalid quantity "x"',
        ),
    ],
)
def test_fatal(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text.encode())
    message = str(error.value)
    assert message.startswith(f"failed to decode: {reason}")
    assert "\n" not in message
