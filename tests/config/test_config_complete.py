"""Combining flags, file and defaults."""

from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.flag_table import FLAG_BY_NAME

DATA = Path(__file__).parent / "data"
HEADER = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


def completed(flags: dict[str, str], file: str | None = None, hostname: str = "Kernel-Name") -> Completed:
    values: dict[str, Any] = {name: FLAG_BY_NAME[name].type.read(text) for name, text in flags.items()}
    return complete(values, None if file is None else (HEADER + file).encode(), hostname)


def test_defaults_pass_validation() -> None:
    result = completed({})
    assert result.errors == ()
    assert result.warnings == ()
    assert result.cluster_cidrs == ()
    assert result.master == ""
    assert result.feature_gates.enabled("AllowServiceExternalIPs")
    check(result)


@pytest.mark.parametrize("name", ["kubeadm.conf", "kind.conf"])
def test_a_cluster_s_own_command_line_and_file(name: str) -> None:
    flags = {"config": "/var/lib/kube-proxy/config.conf", "hostname-override": "kind-worker"}
    result = complete(flags, (DATA / name).read_bytes(), "some-pod")
    assert result.warnings == ()
    assert result.errors == ()
    assert result.node_name == "kind-worker"
    assert result.cluster_cidrs == ("10.244.0.0/16",)
    assert result.config.mode == "iptables"
    assert result.config.detect_local_mode == "ClusterCIDR"


def test_example_c_of_the_reference() -> None:
    flags = {"config": "f", "masquerade-all": "true", "hostname-override": " TEST-node "}
    result = completed(flags, "iptables: {minSyncPeriod: 0s, syncPeriod: 5s}\nunknown: 1\n")
    assert not result.config.iptables.masquerade_all
    assert result.node_name == "test-node"
    assert result.config.hostname_override == "test-node"
    assert str(result.config.iptables.min_sync_period) == "1s"
    assert str(result.config.iptables.sync_period) == "5s"
    assert result.warnings == (
        'Using lenient decoding as strict decoding failed: unknown field "unknown"',
        "Ignored because --config is given: --masquerade-all",
    )


def test_beside_a_file_only_some_flags_count() -> None:
    flags = {
        "config": "f",
        "v": "4",
        "logging-format": "json",
        "vmodule": "a=1",
        "master": "https://1.2.3.4",
        "cleanup": "true",
        "init-only": "true",
        "write-config-to": "x",
        "hostname-override": "flag",
        "cluster-cidr": "10.0.0.0/8",
        "healthz-port": "0",
        "feature-gates": "NFTablesProxyMode=false",
    }
    file = "hostnameOverride: file\nlogging: {verbosity: 2, flushFrequency: 1s, vmodule: [{filePattern: b}]}\n"
    result = completed(flags, file)
    assert result.config.logging.verbosity == 4
    assert result.config.logging.format == "json"
    assert str(result.config.logging.flush_frequency) == "1s"
    assert [item.file_pattern for item in result.config.logging.vmodule] == ["a", "b"]
    assert result.master == "https://1.2.3.4"
    assert result.node_name == "flag"
    assert result.cluster_cidrs == ()
    assert result.config.healthz_bind_address == "0.0.0.0:10256"
    assert result.config.feature_gates == {}
    assert result.warnings == (
        "--healthz-port is deprecated: use --healthz-bind-address instead",
        "Ignored because --config is given: --cluster-cidr, --healthz-port, --feature-gates",
    )


@pytest.mark.parametrize(
    ("flags", "file", "hostname", "name"),
    [
        ({}, None, " Kernel-Name\n", "kernel-name"),
        ({"hostname-override": " TEST-node "}, None, "k", "test-node"),
        ({"hostname-override": ""}, None, "k", "k"),
        ({}, "hostnameOverride: ' FILE '", "k", "file"),
        ({"hostname-override": ""}, "hostnameOverride: file", "k", "file"),
        ({"hostname-override": "Flag"}, "hostnameOverride: file", "k", "flag"),
    ],
)
def test_node_name(flags: dict[str, str], file: str | None, hostname: str, name: str) -> None:
    assert completed(flags, file, hostname).node_name == name


@pytest.mark.parametrize(
    ("flags", "file", "hostname", "reason"),
    [
        ({"hostname-override": "  "}, None, "k", "empty hostname-override is invalid"),
        ({"hostname-override": "  "}, "hostnameOverride: file", "k", "empty hostname-override is invalid"),
        ({}, "hostnameOverride: ' '", "k", "empty hostname is invalid: hostnameOverride is blank"),
        ({}, None, "\n", "empty hostname is invalid: the host name is blank"),
        ({}, "mode: 1", "k", "failed to decode: mode: expected a string, got an integer"),
        (
            {"feature-gates": "NFTablesProxyMode=false"},
            None,
            "k",
            "cannot set feature gate NFTablesProxyMode to false, feature is locked to true",
        ),
        (
            {},
            "featureGates: {MultiCIDRServiceAllocator: false}",
            "k",
            "cannot set feature gate MultiCIDRServiceAllocator to false, feature is locked to true",
        ),
    ],
)
def test_fatal(flags: dict[str, str], file: str | None, hostname: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        completed(flags, file, hostname)
    assert str(error.value) == f"failed complete: {reason}"


@pytest.mark.parametrize(
    ("flags", "healthz", "metrics"),
    [
        ({"bind-address": "::"}, "0.0.0.0:10256", "127.0.0.1:10249"),
        ({"healthz-bind-address": "", "metrics-bind-address": ""}, "0.0.0.0:10256", "127.0.0.1:10249"),
        ({"healthz-bind-address": "1.2.3.4", "metrics-bind-address": "::"}, "1.2.3.4:10256", "[::]:10249"),
        ({"healthz-port": "80", "metrics-port": "81"}, "0.0.0.0:10256", "127.0.0.1:10249"),
        (
            {
                "healthz-port": "80",
                "healthz-bind-address": "1.2.3.4",
                "metrics-port": "81",
                "metrics-bind-address": "::",
            },
            "1.2.3.4:80",
            "[::]:81",
        ),
        ({"healthz-port": "0"}, "", "127.0.0.1:10249"),
        ({"healthz-port": "0", "healthz-bind-address": "1.2.3.4:80"}, "", "127.0.0.1:10249"),
        ({"metrics-port": "0"}, "0.0.0.0:10256", ""),
        ({"write-config-to": "f", "healthz-bind-address": "1.2.3.4"}, "1.2.3.4", "127.0.0.1:10249"),
        ({"write-config-to": "f", "healthz-port": "0"}, "0.0.0.0:10256", "127.0.0.1:10249"),
    ],
)
def test_server_addresses_by_flags(flags: dict[str, str], healthz: str, metrics: str) -> None:
    config = completed(flags).config
    assert (config.healthz_bind_address, config.metrics_bind_address) == (healthz, metrics)


def test_server_addresses_by_a_file_s_bind_address() -> None:
    config = completed({}, "bindAddress: '::'\n").config
    assert (config.healthz_bind_address, config.metrics_bind_address) == ("[::]:10256", "[::1]:10249")


def test_zeros_given_as_flags_are_kept() -> None:
    result = completed({"iptables-min-sync-period": "0", "kube-api-qps": "0", "kube-api-burst": "0"})
    assert result.config.iptables.min_sync_period == 0
    assert result.config.client_connection.qps == 0
    assert result.config.client_connection.burst == 0
    assert result.errors == ()


@pytest.mark.parametrize("file", [None, "mode: ''\ndetectLocalMode: ''"])
def test_empty_modes_become_the_platform_s(file: str | None) -> None:
    config = completed({} if file else {"proxy-mode": "", "detect-local-mode": ""}, file).config
    assert (config.mode, config.detect_local_mode) == ("iptables", "ClusterCIDR")


def test_only_the_mode_s_own_periods_remain() -> None:
    file = "ipvs: {syncPeriod: 3s, minSyncPeriod: 2s}\nnftables: {syncPeriod: 3s, masqueradeAll: true}\n"
    config = completed({}, file).config
    assert [str(config.ipvs.sync_period), str(config.ipvs.min_sync_period)] == ["0s", "0s"]
    assert str(config.nftables.sync_period) == "0s"
    assert not config.nftables.masquerade_all


@pytest.mark.parametrize(
    ("flags", "file", "cidrs"),
    [
        ({}, None, ()),
        ({"cluster-cidr": "10.0.0.0/8"}, None, ("10.0.0.0/8",)),
        ({"cluster-cidr": "10.0.0.0/8, fd00::/8"}, None, ("10.0.0.0/8", " fd00::/8")),
        ({"cluster-cidr": ""}, None, ("",)),
        ({}, "clusterCIDR: ''", ()),
        ({}, "clusterCIDR: 10.0.0.0/8,fd00::/8", ("10.0.0.0/8", "fd00::/8")),
        ({"cluster-cidr": ""}, "clusterCIDR: ''", ()),
    ],
)
def test_cluster_cidrs(flags: dict[str, str], file: str | None, cidrs: tuple[str, ...]) -> None:
    assert completed(flags, file).cluster_cidrs == cidrs


def test_an_explicitly_empty_cluster_cidr_fails_only_in_its_mode() -> None:
    assert len(completed({"cluster-cidr": ""}).errors) == 1
    assert completed({"cluster-cidr": "", "detect-local-mode": "NodeCIDR"}).errors == ()


def test_flags_without_effect_are_a_warning_each() -> None:
    result = completed({"ipvs-scheduler": "rr", "boot-id-file": "/x", "metrics-port": "10249"})
    assert result.warnings == (
        "--ipvs-scheduler has no effect: pykubeproxy works in iptables mode only",
        "--boot-id-file has no effect: kube-proxy accepts it and does not use it",
        "--metrics-port is deprecated: use --metrics-bind-address instead",
    )


def test_unknown_feature_gates_are_a_warning_each() -> None:
    result = completed({"feature-gates": "Nonsense=true,WatchListClient=false"})
    assert result.warnings == ("unrecognized feature gate: Nonsense",)
    assert not result.feature_gates.enabled("WatchListClient")


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
        ({"proxy-mode": ""}, None, False),
        ({"proxy-mode": "iptables"}, None, True),
        ({}, "", False),
        ({}, 'mode: ""', False),
        ({}, "mode: null", False),
        ({}, "mode: iptables", True),
        ({"proxy-mode": "iptables"}, "", False),
    ],
)
def test_whether_the_mode_is_given(flags: dict[str, object], file: str | None, *, is_given: bool) -> None:
    kind = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    its = complete(flags, None if file is None else (kind + file).encode(), "n1")
    assert its.is_mode_given is is_given
    assert its.config.mode == "iptables"
