"""Configuration files, combined with flags and defaults, and the result as text."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.flag_table import FLAG_BY_NAME
from pykubeproxy.config.load import load
from pykubeproxy.config.types import ClientConnection, Conntrack, IPTables, Logging, VModuleItem
from pykubeproxy.config.write import write

DATA = Path(__file__).parent / "data"
HEADER = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


def completed(flags: dict[str, str], file: str | None = None, hostname: str = "Kernel-Name") -> Completed:
    values: dict[str, Any] = {name: FLAG_BY_NAME[name].type.read(text) for name, text in flags.items()}
    return complete(values, None if file is None else (HEADER + file).encode(), hostname)


def test_the_defaults_are_valid_and_written_as_kube_proxy_writes_them() -> None:
    result = completed({})
    check(result)
    assert (result.errors, result.warnings, result.cluster_cidrs, result.master) == ((), (), (), "")
    assert result.feature_gates.enabled("AllowServiceExternalIPs")
    assert write(result.config) == (DATA / "defaults.yaml").read_text()


@pytest.mark.parametrize(("name", "max_per_core"), [("kubeadm.conf", 32768), ("kind.conf", 0)])
def test_a_cluster_s_own_command_line_and_file(name: str, max_per_core: int) -> None:
    flags = {"config": "/var/lib/kube-proxy/config.conf", "hostname-override": "kind-worker"}
    result = complete(flags, (DATA / name).read_bytes(), "some-pod")
    assert (result.warnings, result.errors, result.node_name) == ((), (), "kind-worker")
    assert result.cluster_cidrs == ("10.244.0.0/16",)
    config = result.config
    assert (config.mode, config.detect_local_mode) == ("iptables", "ClusterCIDR")
    assert config.client_connection.kubeconfig == "/var/lib/kube-proxy/kubeconfig.conf"
    assert (config.client_connection.qps, config.healthz_bind_address) == (5, "0.0.0.0:10256")
    assert config.iptables == IPTables()
    assert replace(config.conntrack, max_per_core=32768) == Conntrack()
    assert config.conntrack.max_per_core == max_per_core


def test_further_documents_and_unknown_and_duplicate_fields_are_warnings() -> None:
    text = (
        "nonsense: 1\nlogging: {vmodule: [{filePattern: a, x: 1}]}\niptables:\n  a: 1\n  masqueradeBit: 3\n"
        f"Mode: ipvs\nmode: ''\nmode: iptables\n---\n{HEADER}"
    )
    found = load((HEADER + text).encode())
    assert (found.config.mode, found.config.iptables.masquerade_bit) == ("iptables", 3)
    lenient, first = sorted(found.warnings, reverse=True)
    assert first == "Only the first document of the configuration file is used"
    assert lenient == (
        'Using lenient decoding as strict decoding failed: unknown field "nonsense"; '
        'unknown field "logging.vmodule[0].x"; unknown field "iptables.a"; unknown field "Mode"; '
        'duplicate field "mode", the last one counts'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        ("mode: [", "line 1, column 8"),
        ("mode: ''", "apiVersion is missing, must be kubeproxy.config.k8s.io/v1alpha1"),
        ("apiVersion: v1\nkind: ConfigMap", "apiVersion is 'v1', must be kubeproxy.config.k8s.io/v1alpha1"),
        (HEADER.replace("KubeProxyC", "KubeletC"), "kind is 'KubeletConfiguration', must be KubeProxyConfiguration"),
        (HEADER + "iptables: {masqueradeBit: '14'}", "iptables.masqueradeBit: expected an integer, got a string"),
        (HEADER + "oomScoreAdj: 2147483648", "oomScoreAdj: expected an integer <= 2147483647"),
        (HEADER + "logging: {verbosity: -1}", "logging.verbosity: expected an integer >= 0"),
        (HEADER + "nodePortAddresses: [a, 1]", "nodePortAddresses[1]: expected a string, got an integer"),
        (HEADER + "featureGates: {A: 'true'}", "featureGates[...]: expected true or false, got a string"),
        (HEADER + "iptables: {syncPeriod: 30}", "iptables.syncPeriod: a duration must be a string, got 30"),
        (HEADER + "iptables: {syncPeriod: 30x}", 'iptables.syncPeriod: invalid duration "30x": unknown unit "x"'),
        (
            HEADER + "logging: {options: {json: {infoBufferSize: x}}}",
            'logging.options.json.infoBufferSize: invalid quantity "x"',
        ),
    ],
)
def test_files_that_cannot_be_decoded(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text.encode())
    message = str(error.value)
    assert message.startswith(f"failed to decode: {reason}")
    assert "\n" not in message


def test_beside_a_file_only_some_flags_count() -> None:
    counted = {"v": "4", "logging-format": "json", "vmodule": "a=1", "master": "https://1.2.3.4"}
    kept_quiet = {"config": "f", "cleanup": "true", "init-only": "true", "write-config-to": "x"}
    ignored = {"cluster-cidr": "10.0.0.0/8", "healthz-port": "0", "feature-gates": "NFTablesProxyMode=false"}
    file = "logging: {verbosity: 2, flushFrequency: 1s, vmodule: [{filePattern: b}]}\n"
    result = completed({**kept_quiet, **counted, **ignored}, file)
    logging = result.config.logging
    assert (logging.verbosity, logging.format, str(logging.flush_frequency)) == (4, "json", "1s")
    assert [item.file_pattern for item in logging.vmodule] == ["a", "b"]
    assert result.master == "https://1.2.3.4"
    assert (result.cluster_cidrs, result.config.feature_gates) == ((), {})
    assert result.config.healthz_bind_address == "0.0.0.0:10256"
    assert result.warnings == (
        "--healthz-port is deprecated: use --healthz-bind-address instead",
        "Ignored because --config is given: --cluster-cidr, --healthz-port, --feature-gates",
    )


@pytest.mark.parametrize(
    ("flags", "file", "hostname", "name"),
    [
        ({}, None, " Kernel-Name\n", "kernel-name"),
        ({"hostname-override": " TEST-node "}, None, "k", "test-node"),
        ({}, "hostnameOverride: ' FILE '", "k", "file"),
        ({"hostname-override": ""}, "hostnameOverride: file", "k", "file"),
        ({"hostname-override": "Flag"}, "hostnameOverride: file", "k", "flag"),
    ],
)
def test_node_name(flags: dict[str, str], file: str | None, hostname: str, name: str) -> None:
    assert completed(flags, file, hostname).node_name == name


LOCKED = "cannot set feature gate {} to false, feature is locked to true"


@pytest.mark.parametrize(
    ("flags", "file", "hostname", "reason"),
    [
        ({"hostname-override": "  "}, "hostnameOverride: file", "k", "empty hostname-override is invalid"),
        ({}, "hostnameOverride: ' '", "k", "empty hostname is invalid: hostnameOverride is blank"),
        ({}, None, "\n", "empty hostname is invalid: the host name is blank"),
        ({}, "mode: 1", "k", "failed to decode: mode: expected a string, got an integer"),
        ({"feature-gates": "NFTablesProxyMode=false"}, None, "k", LOCKED.format("NFTablesProxyMode")),
        ({}, "featureGates: {NFTablesProxyMode: false}", "k", LOCKED.format("NFTablesProxyMode")),
    ],
)
def test_fatal(flags: dict[str, str], file: str | None, hostname: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        completed(flags, file, hostname)
    assert str(error.value) == f"failed complete: {reason}"


@pytest.mark.parametrize(
    ("flags", "file", "healthz", "metrics"),
    [
        ({"healthz-bind-address": "", "metrics-bind-address": ""}, None, "0.0.0.0:10256", "127.0.0.1:10249"),
        ({"healthz-bind-address": "1.2.3.4", "metrics-bind-address": "::"}, None, "1.2.3.4:10256", "[::]:10249"),
        ({"healthz-port": "80", "metrics-port": "81"}, None, "0.0.0.0:10256", "127.0.0.1:10249"),
        ({"healthz-port": "80", "healthz-bind-address": "1.2.3.4"}, None, "1.2.3.4:80", "127.0.0.1:10249"),
        ({"metrics-port": "81", "metrics-bind-address": "::"}, None, "0.0.0.0:10256", "[::]:81"),
        ({"healthz-port": "0", "healthz-bind-address": "1.2.3.4:80"}, None, "", "127.0.0.1:10249"),
        ({"write-config-to": "f", "healthz-bind-address": "1.2.3.4"}, None, "1.2.3.4", "127.0.0.1:10249"),
        ({}, "bindAddress: '::'", "[::]:10256", "[::1]:10249"),
        ({}, "bindAddress: '::'\nhealthzBindAddress: 1.2.3.4", "1.2.3.4:10256", "[::1]:10249"),
        ({}, "healthzBindAddress: localhost\nmetricsBindAddress: '[::]:81'", "localhost", "[::]:81"),
    ],
)
def test_server_addresses(flags: dict[str, str], file: str | None, healthz: str, metrics: str) -> None:
    config = completed(flags, file).config
    assert (config.healthz_bind_address, config.metrics_bind_address) == (healthz, metrics)


def test_flags_and_feature_gates_without_effect_are_a_warning_each() -> None:
    flags = {"ipvs-scheduler": "rr", "boot-id-file": "/x", "metrics-port": "10249"}
    assert completed({**flags, "feature-gates": "Nonsense=true"}).warnings == (
        "--ipvs-scheduler has no effect: pykubeproxy works in iptables mode only",
        "--boot-id-file has no effect: kube-proxy accepts it and does not use it",
        "--metrics-port is deprecated: use --metrics-bind-address instead",
        "unrecognized feature gate: Nonsense",
    )


@pytest.mark.parametrize("text", (DATA / "errors.txt").read_text().splitlines())
def test_example_d_of_the_reference(text: str) -> None:
    flag, _, message = text.partition(" ")
    name, _, value = flag.removeprefix("--").partition("=")
    with pytest.raises(ConfigError) as error:
        check(completed({name: value}))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("flags", "file", "is_given"),
    [
        ({}, None, False),
        ({"proxy-mode": "", "detect-local-mode": ""}, None, False),
        ({"proxy-mode": "iptables"}, None, True),
        ({}, 'mode: ""\ndetectLocalMode: ""', False),
        ({}, "mode: iptables", True),
        ({"proxy-mode": "iptables"}, "", False),
    ],
)
def test_modes_that_are_empty_become_the_platform_s(flags: dict[str, str], file: str | None, *, is_given: bool) -> None:
    its = completed(flags, file)
    assert its.is_mode_given is is_given
    assert (its.config.mode, its.config.detect_local_mode) == ("iptables", "ClusterCIDR")


def test_what_is_written_loads_again() -> None:
    long = "a " * 200 + "b"
    config = replace(
        DEFAULTS,
        feature_gates={"AllowServiceExternalIPs": False},
        healthz_bind_address="[::]:10256",
        node_port_addresses=("10.0.0.0/8", "fd00::/8"),
        client_connection=ClientConnection(qps=2.5),
        logging=Logging(vmodule=(VModuleItem(file_pattern="a*", verbosity=3),)),
        hostname_override="123",
        port_range=long,
        windows_run_as_service=True,
    )
    text = write(config)
    for line in (
        "healthzBindAddress: '[::]:10256'\n",
        "nodePortAddresses:\n- 10.0.0.0/8\n- fd00::/8\n",
        'hostnameOverride: "123"\n',
        f"portRange: {long}\n",
    ):
        assert line in text
    again = load(text.encode())
    assert (again.config, again.warnings) == (config, ())
