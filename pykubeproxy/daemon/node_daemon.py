"""The loop of one node with all that runs beside it, put together from what the user asked for."""

import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pykubeproxy import logger
from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.events import health_check_failed, healthz_failed, metrics_failed
from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.config.addresses import without_secrets
from pykubeproxy.config.release import KUBERNETES_VERSION, program_version
from pykubeproxy.config.types import LocalMode
from pykubeproxy.daemon.follow.ended_connections import ConnectionEnder
from pykubeproxy.daemon.follow.flows import FlowCleaner
from pykubeproxy.daemon.follow.heap import Heap
from pykubeproxy.daemon.follow.leftovers import LeftoverRemoval
from pykubeproxy.daemon.follow.status import StatusKeeper
from pykubeproxy.daemon.follow.telemetry import Telemetry
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, POD_CIDRS, FatalError
from pykubeproxy.daemon.setup.node_view import NodeView
from pykubeproxy.daemon.setup.preparation import prepare, protect_from_oom_killer
from pykubeproxy.daemon.setup.run_settings import RunSettings
from pykubeproxy.daemon.setup.tools import split_for, working_tools
from pykubeproxy.daemon.sync.family import FamilyProxy, ShadowProxy
from pykubeproxy.daemon.watch.api_source import ApiSource
from pykubeproxy.daemon.watch.conntrack_watch import ConntrackWatch
from pykubeproxy.daemon.watch.drift import DriftWatch, LegacyPoll
from pykubeproxy.daemon.watch.manifest_watcher import ManifestWatcher
from pykubeproxy.explain.status.published import ApiOutage, ObjectSource, ProxyStatus
from pykubeproxy.host import interfaces, nfacct
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.conntrack import ConntrackTable, DeletionResult, ReadOnlyConntrackTable
from pykubeproxy.host.iptables import IptablesHost, RestoreRun
from pykubeproxy.host.protocol import ReadOnlyHost
from pykubeproxy.host.sysctl import Sysctls
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.node import Node
from pykubeproxy.observe.check_server import HealthCheckFailed
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.pages import HealthPages, MetricsPages
from pykubeproxy.observe.servers import ServerFailed, Servers, addresses_of
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.rules.text import LOCALHOST_COUNTER

log = logger.get()

_SERVER_FAILED = {"healthz": healthz_failed, "metrics": metrics_failed}


class Daemon:
    """The loop of one node, and what follows it and watches beside it."""

    def __init__(self, settings: RunSettings, host_name: str) -> None:
        """Find the tools, and make all parts. Raises HostError, SourceError."""
        self._settings = settings
        self._host_name = host_name
        self._config = settings.completed.config
        self._tools = working_tools(settings.own_options)
        self._hosts = {family: IptablesHost(its) for family, its in self._tools.items()}
        self._view = NodeView(settings.completed, settings.own_options, self._tools)
        self._api: ApiSource | None = None
        self._metrics = Metrics()
        self._proxies = {family: self._proxy(family, its) for family, its in self._tools.items()}
        self.loop = Loop(
            families=self._proxies,
            options_for=self._view.options_for,
            schedule=Schedule(
                min_interval=self._config.iptables.min_sync_period.seconds,
                retry_interval=self._config.iptables.sync_period.seconds,
            ),
            node_name=settings.completed.node_name,
            wait_for=ALL_KINDS | self._node_needs(),
            pod_cidr_timeout=settings.timeouts.pod_cidrs,
            why_not_served=self._view.why_not_served,
            follows_addresses=bool(self._config.node_port_addresses),
        )
        self._leftovers = LeftoverRemoval(settings.own_options.wanted_families, self._tools, is_dry=settings.is_dry)
        self.loop.follow(self._leftovers)
        # Before anything on the node is changed: if there is no such source, nothing must be left behind.
        self._source = self._open_source()

    @property
    def missing_objects(self) -> str:
        """What the first sync still waits for, in a sentence, with the errors of the API server."""
        known = self._api.errors if self._api is not None else {}
        missing = sorted(self.loop.waits_for)
        return "; ".join(f"{kind}: {known[kind]}" if kind in known else f"nothing heard of {kind}" for kind in missing)

    @property
    def would_write(self) -> bool:
        """True in shadow mode if the last sync found something to write, or leftovers of kube-proxy to delete."""
        return self._leftovers.would_delete or any(proxy.would_write for proxy in self._proxies.values())

    def prepare(self) -> None:
        """Make the kernel settings, and the counter for node ports on localhost.

        A setting that cannot be made is fatal, unless manifests take the place of the API server.
        """
        self._log_start()
        sysctls = Sysctls(read_only=self._settings.is_dry)
        facts = self._view.facts(None, next(iter(self._tools)))
        must_succeed = self._settings.manifests is None and not self._settings.is_dry
        prepare(self._settings.completed, facts, sysctls, families=self._tools.keys(), must_succeed=must_succeed)
        if not self._settings.is_dry:
            self._view.make_counter()
            self.loop.reconfigure()

    def watch(self, closing: ExitStack) -> None:
        """Start what runs beside the loop for as long as `closing` is open. Raises FatalError."""
        protect_from_oom_killer(self._settings.completed)
        self._serve(closing)
        self.follow_flows(closing)
        if self._settings.own_options.end_established_tcp:
            self._follow_gone_endpoints(closing)
        self._watch_conntrack(closing)
        if not self._settings.is_dry:
            self._watch_drift(closing)

    def follow_flows(self, closing: ExitStack) -> FlowCleaner:
        """Remove stale UDP flows after each sync that concerns them, for as long as `closing` is open."""
        flows = FlowCleaner(self._conntrack_table(), self._node_addresses, self._flows_removed)
        closing.callback(flows.close)
        flows.start()
        self.loop.follow(flows)
        return flows

    def _follow_gone_endpoints(self, closing: ExitStack) -> None:
        ender = ConnectionEnder(self._conntrack_table(), self._node_addresses)
        closing.callback(ender.close)
        ender.start()
        self.loop.follow(ender)

    def _conntrack_table(self) -> ConntrackTable:
        return ReadOnlyConntrackTable() if self._settings.is_dry else ConntrackTable()

    def _node_addresses(self) -> tuple[IP, ...]:
        return self._settings.own_options.host_addresses or interfaces.local_addresses()

    def follow_objects(self, closing: ExitStack) -> None:
        """Begin to follow Services, EndpointSlices and this node's Node."""
        heap = Heap(self._tools)
        closing.callback(heap.close)
        self.loop.follow(heap)
        closing.callback(self._source.stop)
        if self._settings.manifests is not None:
            # Manifests are read at once, so fetch the live rules now. With an API server, the first object begins that.
            self.loop.expect()
        self._source.start()

    def _open_source(self) -> ManifestWatcher | ApiSource:
        """The source of objects, not yet started. Raises SourceError."""
        if self._settings.manifests is not None:
            manifests = Manifests([self._settings.manifests])
            return ManifestWatcher(manifests, self.loop.inbox, allow_empty=self._settings.allow_empty)
        completed, timeouts = self._settings.completed, self._settings.timeouts
        self._api = ApiSource(
            connect(self._config.client_connection, completed.master, timeouts.api, timeouts.backoff, self._metrics),
            completed.node_name,
            self._host_name,
            self.loop.inbox,
            can_stream=completed.feature_gates.enabled("WatchListClient"),
            emits_events=not self._settings.is_dry,
        )
        return self._api

    def _node_needs(self) -> frozenset[str]:
        """What the Node object must have before the first sync: its pod CIDRs, if rules depend on them."""
        if self._settings.manifests is None and self._config.detect_local_mode == LocalMode.NODE_CIDR:
            return frozenset({POD_CIDRS})
        return frozenset()

    def _serve(self, closing: ExitStack) -> None:
        health = ProxyHealth(timeout=2 * self._config.iptables.sync_period.seconds)
        if self._settings.manifests is not None:
            # Health wants to know whether the node is being deleted; without a cluster, it never is.
            health.saw_node(Node(name=self._settings.completed.node_name))
        keeper = StatusKeeper(self._about(), self._tools.values(), source=self._object_source)
        servers = Servers(
            addresses_of(self._config),
            health,
            health_pages=HealthPages(health, self._metrics),
            metrics_pages=MetricsPages(self._metrics, self._config, self._settings.flags, keeper.status),
            on_check_failed=self._check_failed,
        )
        telemetry = Telemetry(
            node_name=self._settings.completed.node_name,
            families=tuple(self._tools),
            metrics=self._metrics,
            health=health,
            servers=servers,
            check_addresses=self._view.health_check_addresses,
        )
        self._metrics.uses_gates(self._settings.completed.feature_gates)
        if self._view.counts_localhost:
            self._metrics.counts_localhost(partial(nfacct.packets, LOCALHOST_COUNTER))
        try:
            servers.start()
        except ServerFailed as error:
            self._emit_server_failed(error)
            raise FatalError(str(error)) from None
        closing.callback(servers.stop)
        telemetry.started()
        self.loop.follow(telemetry)
        self.loop.follow(keeper)
        for proxy in self._proxies.values():
            proxy.reads_counters = True

    def _about(self) -> ProxyStatus:
        """What this proxy is, and how it was configured beyond /configz."""
        settings, own_options = self._settings, self._settings.own_options
        own = own_options.host_addresses or self._view.facts(None, next(iter(self._tools))).own_ips
        return ProxyStatus(
            program=f"pykubeproxy {program_version()}",
            kubernetes_version=f"v{KUBERNETES_VERSION}",
            pid=os.getpid(),
            started_at=time.time(),
            node_name=settings.completed.node_name,
            node_addresses=tuple(ip.text for ip in own),
            is_shadow=settings.is_dry,
            config_file=str(settings.config_file[0].absolute()) if settings.config_file else "",
            master=without_secrets(settings.completed.master),
            only_family=own_options.only_family,
            host_addresses=tuple(ip.text for ip in own_options.host_addresses),
            dispatch=own_options.dispatch,
            commit=own_options.commit,
            reject_unused=own_options.reject_unused,
            end_established_tcp=own_options.end_established_tcp,
        )

    def _log_start(self) -> None:
        about = self._about()
        log.info(
            "starting",
            version=about.program,
            backend=", ".join(f"{family} {its.backend}" for family, its in self._tools.items()),
            layout=about.dispatch,
            node=about.node_name,
            addresses=", ".join(about.node_addresses) or "none",
            source=self._settings.manifests or (self._api.server if self._api is not None else ""),
        )
        if about.is_shadow:
            log.info("shadow mode: nothing is written, neither rules nor kernel settings; what would be done is logged")

    def _object_source(self) -> ObjectSource:
        """Where objects come from, and how that is going. Any thread may call it."""
        manifests, api = self._settings.manifests, self._api
        failing_for = api.failing_for if api is not None else None
        outage = None
        if api is not None and failing_for is not None:
            outage = ApiOutage(since=time.time() - failing_for, error=next(iter(api.errors.values()), ""))
        return ObjectSource(
            manifests=str(Path(manifests).absolute()) if manifests is not None else "",
            server=api.server if api is not None else "",
            waits_for=tuple(sorted(self.loop.waits_for)),
            unread=self.loop.unread,
            api_outage=outage,
        )

    def _emit_server_failed(self, failed: ServerFailed) -> None:
        if self._api is not None:
            event_of = _SERVER_FAILED[failed.server]
            self._api.emit_last(event_of(self._settings.completed.node_name, str(failed)))

    def _check_failed(self, failed: HealthCheckFailed) -> None:
        if self._api is not None:
            node = self._settings.completed.node_name
            self._api.emit(health_check_failed(node, failed.service, failed.port, failed.error))

    def _flows_removed(self, family: Family, removal: DeletionResult, seconds: float) -> None:
        self._metrics.conntrack_reconciled(family, seconds=seconds, deleted=removal.deleted)

    def _watch_conntrack(self, closing: ExitStack) -> None:
        watch = ConntrackWatch(self._table_seen)
        closing.callback(watch.join)
        watch.start()

    def _table_seen(self, usage: ConntrackUsage) -> None:
        self._metrics.connections_tracked(entries=usage.entries, limit=usage.limit, dropped=usage.dropped)

    def _watch_drift(self, closing: ExitStack) -> None:
        legacy = [family for family, its in self._tools.items() if its.backend is Backend.LEGACY]
        if legacy:
            self.loop.poll(LegacyPoll(legacy))
        if len(legacy) < len(self._tools):
            watch = DriftWatch(self.loop.inbox, self._take_nft_writes)
            closing.callback(watch.close)
            self.loop.follow(watch)
            self.loop.poll(watch)

    def _take_nft_writes(self) -> tuple[RestoreRun, ...]:
        nft = (host for family, host in self._hosts.items() if self._tools[family].backend is Backend.NFT)
        return (*(write for host in nft for write in host.take_restore_runs()), *self._leftovers.take_restore_runs())

    def _proxy(self, family: Family, tools: Tools) -> FamilyProxy:
        options = self._view.options_for(None, family)
        if self._settings.is_dry:
            return ShadowProxy(options, ReadOnlyHost(self._hosts[family]))
        return FamilyProxy(options, self._hosts[family], split_for(self._settings.own_options, tools))
