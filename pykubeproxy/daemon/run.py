"""`run`: the daemon, or one sync of it."""

import signal
from contextlib import ExitStack
from types import FrameType

import msgspec
import structlog

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.assembly import Choices, NodeView, check_tools, find_tools, split_for
from pykubeproxy.daemon.drift import DriftPoll, DriftWatch
from pykubeproxy.daemon.family import FamilyProxy, ShadowProxy
from pykubeproxy.daemon.flows import FlowCleaner
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, Changed, Listed
from pykubeproxy.daemon.preparation import prepare, protect_from_oom_killer
from pykubeproxy.daemon.watching import ManifestWatcher
from pykubeproxy.host import interfaces
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.conntrack import ConntrackTable, ReadOnlyConntrackTable
from pykubeproxy.host.generations import Generation
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.protocol import ReadOnlyHost
from pykubeproxy.host.sysctl import Sysctls
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.schedule import Schedule

log = structlog.get_logger()


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` is asked to do. `is_dry` is shadow mode: nothing is ever written."""

    completed: Completed
    choices: Choices
    is_dry: bool = False


class Terminated(BaseException):
    """A signal has asked the process to end; raised on the main thread, wherever it is.

    iptables-restore, if it is being fed, sees the end of its input, and drops what was not committed.
    """


def run_once(settings: RunSettings, manifests: Manifests) -> bool:
    """Sync once with the manifests as they are now. True if the kernel is in sync. Raises HostError."""
    daemon = Daemon(settings)
    daemon.prepare(must_succeed=False)
    daemon.loop.take(Changed(manifests.load()))
    daemon.loop.take(Listed(ALL_KINDS))
    return daemon.loop.sync()


def run(settings: RunSettings, manifests: Manifests) -> None:
    """Follow the manifests until a SIGTERM or SIGINT; the rules stay in force then. Raises HostError at start."""
    with ExitStack() as closing:
        try:
            _end_on_signals()
            daemon = Daemon(settings)
            daemon.prepare(must_succeed=False)
            daemon.watch(closing)
            watcher = ManifestWatcher(manifests, daemon.loop.inbox)
            closing.callback(watcher.stop)
            watcher.start()
            daemon.loop.run()
        except Terminated as ending:
            log.info("stopping; the rules stay in force", why=str(ending))


class Daemon:
    """The loop of one node, and what runs beside it."""

    def __init__(self, settings: RunSettings) -> None:
        """Find the tools, and put everything together. Raises HostError."""
        self._settings = settings
        self._tools = find_tools(settings.choices)
        check_tools(self._tools)
        self._hosts = {family: IptablesHost(its) for family, its in self._tools.items()}
        self._view = NodeView(settings.completed, settings.choices, self._tools)
        iptables = settings.completed.config.iptables
        self.loop = Loop(
            families={family: self._proxy(family, its) for family, its in self._tools.items()},
            options_for=self._view.options_for,
            schedule=Schedule(
                min_interval=iptables.min_sync_period.seconds, retry_interval=iptables.sync_period.seconds
            ),
            node_name=settings.completed.node_name,
            wait_for=ALL_KINDS,
        )

    def prepare(self, *, must_succeed: bool) -> None:
        """Make the kernel settings. Raises PreparationError if they `must_succeed` and do not."""
        sysctls = Sysctls(read_only=self._settings.is_dry)
        facts = self._view.facts(None, next(iter(self._tools)))
        prepare(self._settings.completed, facts, sysctls, must_succeed=must_succeed)

    def watch(self, closing: ExitStack) -> None:
        """Start what runs beside the loop for as long as `closing` is open."""
        protect_from_oom_killer(self._settings.completed)
        self._watch_flows(closing)
        if not self._settings.is_dry:
            self._watch_drift(closing)

    def _watch_flows(self, closing: ExitStack) -> None:
        table = ReadOnlyConntrackTable() if self._settings.is_dry else ConntrackTable()
        flows = FlowCleaner(table, lambda: self._settings.choices.host_addresses or interfaces.local_addresses())
        closing.callback(flows.close)
        flows.start()
        self.loop.follow(flows)

    def _watch_drift(self, closing: ExitStack) -> None:
        legacy = [family for family, its in self._tools.items() if its.backend is Backend.LEGACY]
        if legacy:
            self.loop.poll(DriftPoll(legacy))
        if len(legacy) == len(self._tools):
            return
        watch = DriftWatch(self.loop.inbox, self._is_own)
        closing.callback(watch.close)
        self.loop.follow(watch)

    def _is_own(self, generation: Generation) -> bool:
        return any(host.has_run(pid) for host in self._hosts.values() for pid in (generation.pid, generation.port))

    def _proxy(self, family: Family, tools: Tools) -> FamilyProxy:
        options = self._view.options_for(None, family)
        if self._settings.is_dry:
            return ShadowProxy(options, ReadOnlyHost(self._hosts[family]))
        return FamilyProxy(options, self._hosts[family], split_for(self._settings.choices, tools))


def _end_on_signals() -> None:
    def end(number: int, frame: FrameType | None) -> None:
        del frame
        # Asked once is enough: a second signal must not interrupt the ending.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
