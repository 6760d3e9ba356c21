"""Metrics whose values are collected when /metrics is requested."""

from collections.abc import Callable, Iterator, Mapping

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pykubeproxy.config.gates import GATES, FeatureGates, FeatureStage
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.about import Build
from pykubeproxy.traffic.connections import ConnectionCounter

_SERVICE_LABELS = ("ip_family", "namespace", "service", "port", "protocol")
# As Kubernetes writes it: nothing for what has graduated.
_STAGE = {FeatureStage.ALPHA: "ALPHA", FeatureStage.BETA: "BETA", FeatureStage.STABLE: "", FeatureStage.LOCKED: ""}


class ConnectionCollector(Collector):
    """New connections, those that are refused, and packets dropped because they belong to none."""

    def __init__(self, counters: Mapping[Family, ConnectionCounter]) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """The totals as of the last reading."""
        services = CounterMetricFamily(
            "pykubeproxy_service_new_connections", "New connections to a Service port", labels=_SERVICE_LABELS
        )
        endpoints = CounterMetricFamily(
            "pykubeproxy_endpoint_new_connections",
            "New connections to an endpoint of a Service port",
            labels=(*_SERVICE_LABELS, "endpoint"),
        )
        refused = CounterMetricFamily(
            "pykubeproxy_service_refused_connections",
            "Packets of new connections to a Service that rules refuse or drop, by reason",
            labels=("ip_family", "namespace", "service", "reason"),
        )
        invalid = []
        for family, counter in self._counters.items():
            counts = counter.counts
            for port, total in counts.services.items():
                services.add_metric((family, *port), total)
            for name, total in counts.endpoints.items():
                endpoints.add_metric((family, *name.port, name.endpoint), total)
            for refusal, total in counts.refused.items():
                refused.add_metric((family, *refusal), total)
            if counts.invalid is not None:
                invalid.append(counts.invalid)
        yield from (services, endpoints, refused)
        if invalid:
            yield CounterMetricFamily(
                "kubeproxy_iptables_ct_state_invalid_dropped_packets",
                "[ALPHA] packets dropped by iptables to work around conntrack problems",
                value=sum(invalid),
            )


class LocalhostCollector(Collector):
    """Packets to node ports on localhost, which the kernel counts; nothing while it has no such counter."""

    def __init__(self, packets: Callable[[], int | None]) -> None:
        self._packets = packets

    def collect(self) -> Iterator[Metric]:
        """The total as of now."""
        value = self._packets()
        if value is not None:
            yield CounterMetricFamily(
                "kubeproxy_iptables_localhost_nodeports_accepted_packets",
                "[ALPHA] Number of packets accepted on nodeports of loopback interface",
                value=value,
            )


class ConntrackCollector(Collector):
    """The kernel's table of connections; nothing before the first reading."""

    def __init__(self) -> None:
        self._seen: tuple[int, int, int] | None = None

    def saw(self, entries: int, limit: int, dropped: int) -> None:
        """Take the numbers of the last reading."""
        self._seen = entries, limit, dropped

    def collect(self) -> Iterator[Metric]:
        """The numbers of the last reading."""
        if self._seen is None:
            return
        entries, limit, dropped = self._seen
        name = "pykubeproxy_conntrack"
        yield GaugeMetricFamily(f"{name}_entries", "Connections in the kernel's table of connections", entries)
        yield GaugeMetricFamily(f"{name}_entries_limit", "Connections for which that table has room", limit)
        yield CounterMetricFamily(
            f"{name}_dropped_packets", "Packets of new connections dropped since that table is full", dropped
        )


class BuildCollector(Collector):
    """`kubernetes_build_info`: what runs here."""

    def __init__(self, build: Build) -> None:
        self._labels = {name: str(value) for name, value in msgspec.structs.asdict(build).items()}

    def collect(self) -> Iterator[Metric]:
        """The constant 1 with the build as labels."""
        family = GaugeMetricFamily(
            "kubernetes_build_info",
            "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree "
            "state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is "
            "running.",
            labels=tuple(self._labels),
        )
        family.add_metric(tuple(self._labels.values()), 1)
        yield family


class GateCollector(Collector):
    """`kubernetes_feature_enabled`: the feature gates."""

    def __init__(self, gates: FeatureGates) -> None:
        self._gates = gates

    def collect(self) -> Iterator[Metric]:
        """1 or 0 for each gate."""
        family = GaugeMetricFamily(
            "kubernetes_feature_enabled",
            "[BETA] This metric records the data about the stage and enablement of a k8s feature.",
            labels=("name", "stage"),
        )
        for gate in GATES:
            family.add_metric((gate.name, _STAGE[gate.stage]), float(self._gates.enabled(gate.name)))
        yield family
