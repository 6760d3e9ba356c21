"""Every flag of the reference: its field, its default, and that setting it sets just that field."""

from typing import Any

import pytest

from pykubeproxy.config.completed import complete
from pykubeproxy.config.flag_table import FLAG_BY_NAME, FLAGS
from pykubeproxy.config.write import as_api_object

# field of the file, flag, default as text, another value
FIELDS = [
    ("bindAddress", "bind-address", "0.0.0.0", "10.0.0.1"),  # noqa: S104
    ("bindAddressHardFail", "bind-address-hard-fail", "false", "true"),
    ("healthzBindAddress", "healthz-bind-address", "0.0.0.0:10256", "10.0.0.1:1"),
    ("metricsBindAddress", "metrics-bind-address", "127.0.0.1:10249", "10.0.0.1:1"),
    ("enableProfiling", "profiling", "false", "true"),
    ("showHiddenMetricsForVersion", "show-hidden-metrics-for-version", "", "1.35"),
    ("clientConnection.kubeconfig", "kubeconfig", "", "/k"),
    ("clientConnection.contentType", "kube-api-content-type", "application/vnd.kubernetes.protobuf", "x"),
    ("clientConnection.qps", "kube-api-qps", "5", "7.5"),
    ("clientConnection.burst", "kube-api-burst", "10", "0"),
    ("configSyncPeriod", "config-sync-period", "15m0s", "1s"),
    ("mode", "proxy-mode", "iptables", "ipvs"),
    ("iptables.masqueradeBit", "iptables-masquerade-bit", "14", "0"),
    ("iptables.masqueradeAll", "masquerade-all", "false", "true"),
    ("iptables.localhostNodePorts", "iptables-localhost-nodeports", "true", "false"),
    ("iptables.syncPeriod", "iptables-sync-period", "30s", "1m0s"),
    ("iptables.minSyncPeriod", "iptables-min-sync-period", "1s", "0s"),
    ("detectLocalMode", "detect-local-mode", "ClusterCIDR", "NodeCIDR"),
    ("clusterCIDR", "cluster-cidr", "", "10.0.0.0/8"),
    ("detectLocal.bridgeInterface", "pod-bridge-interface", "", "cni0"),
    ("detectLocal.interfaceNamePrefix", "pod-interface-name-prefix", "", "veth"),
    ("nodePortAddresses", "nodeport-addresses", "[]", "[primary]"),
    ("oomScoreAdj", "oom-score-adj", "-999", "0"),
    ("conntrack.maxPerCore", "conntrack-max-per-core", "32768", "0"),
    ("conntrack.min", "conntrack-min", "131072", "0"),
    ("conntrack.tcpEstablishedTimeout", "conntrack-tcp-timeout-established", "24h0m0s", "0s"),
    ("conntrack.tcpCloseWaitTimeout", "conntrack-tcp-timeout-close-wait", "1h0m0s", "0s"),
    ("conntrack.tcpBeLiberal", "conntrack-tcp-be-liberal", "false", "true"),
    ("conntrack.udpTimeout", "conntrack-udp-timeout", "0s", "1s"),
    ("conntrack.udpStreamTimeout", "conntrack-udp-timeout-stream", "0s", "1s"),
    ("featureGates", "feature-gates", "", "A=false,NativeHistograms=true"),
    ("logging.format", "logging-format", "text", "json"),
    ("logging.flushFrequency", "log-flush-frequency", "5s", "1s"),
    ("logging.verbosity", "v", "0", "4"),
    ("logging.vmodule", "vmodule", "", "a=1,b*=2"),
    ("logging.options.text.splitStream", "log-text-split-stream", "false", "true"),
    ("logging.options.text.infoBufferSize", "log-text-info-buffer-size", "0", "2Ki"),
    ("logging.options.json.splitStream", "log-json-split-stream", "false", "true"),
    ("logging.options.json.infoBufferSize", "log-json-info-buffer-size", "0", "2Ki"),
    ("ipvs.scheduler", "ipvs-scheduler", "", "rr"),
    ("ipvs.excludeCIDRs", "ipvs-exclude-cidrs", "[]", "[10.0.0.0/8,fd00::/8]"),
    ("ipvs.strictARP", "ipvs-strict-arp", "false", "true"),
    ("ipvs.tcpTimeout", "ipvs-tcp-timeout", "0s", "1s"),
    ("ipvs.tcpFinTimeout", "ipvs-tcpfin-timeout", "0s", "1s"),
    ("ipvs.udpTimeout", "ipvs-udp-timeout", "0s", "1s"),
]

# flag, default as text
WITHOUT_FIELD = [
    ("config", ""),
    ("write-config-to", ""),
    ("cleanup", "false"),
    ("init-only", "false"),
    ("version", "false"),
    ("master", ""),
    ("hostname-override", ""),
    ("healthz-port", "10256"),
    ("metrics-port", "10249"),
    ("ipvs-sync-period", "30s"),
    ("ipvs-min-sync-period", "1s"),
    ("boot-id-file", "/proc/sys/kernel/random/boot_id"),
    ("machine-id-file", "/etc/machine-id,/var/lib/dbus/machine-id"),
]


def leaves(value: object, path: str = "") -> dict[str, object]:
    """Every field of an API object, by path."""
    if not isinstance(value, dict):
        return {path: value}
    return {key: leaf for name, item in value.items() for key, leaf in leaves(item, f"{path}.{name}").items()}


def effective(flags: dict[str, Any]) -> dict[str, object]:
    return leaves(as_api_object(complete(flags, None, "node").config))


def test_the_reference_s_flags_are_all_there() -> None:
    assert {flag.name for flag in FLAGS} == {row[1] for row in FIELDS} | {row[0] for row in WITHOUT_FIELD}
    assert len(FLAGS) == len(FLAG_BY_NAME)


@pytest.mark.parametrize(("field", "name", "default", "other"), FIELDS)
def test_flag_with_a_field(field: str, name: str, default: str, other: str) -> None:
    flag = FLAG_BY_NAME[name]
    assert flag.shown(flag.default) == default
    value = flag.type.read(other.strip("[]"))
    assert flag.shown(value) == other
    before, after = effective({}), effective({name: value})
    changed = {path.removeprefix(".") for path in before | after if before.get(path) != after.get(path)}
    assert {path for path in changed if not path.startswith(field)} == set()
    assert changed


@pytest.mark.parametrize(("name", "default"), WITHOUT_FIELD)
def test_flag_without_a_field(name: str, default: str) -> None:
    flag = FLAG_BY_NAME[name]
    assert (flag.field, flag.shown(flag.default)) == ("", default)
    assert effective({name: flag.default}) == effective({})
