"""`run`: the daemon, or one sync of it."""

import signal
from collections.abc import Mapping
from types import FrameType

import msgspec

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.assembly import Choices, NodeView, check_tools, find_tools, split_for
from pykubeproxy.daemon.family import FamilyProxy
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import Changed, Ready, Stop
from pykubeproxy.daemon.watching import ManifestWatcher
from pykubeproxy.host.backend import Tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.schedule import Schedule


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` is asked to do."""

    completed: Completed
    choices: Choices


def run_once(settings: RunSettings, manifests: Manifests) -> bool:
    """Sync once with the manifests as they are now. True if the kernel is in sync. Raises HostError."""
    loop = _assemble(settings)
    loop.take(Changed(manifests.load()))
    loop.take(Ready())
    return loop.sync()


def run(settings: RunSettings, manifests: Manifests) -> None:
    """Follow the manifests until a SIGTERM or SIGINT; the rules stay in force then. Raises HostError at start."""
    loop = _assemble(settings)

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        loop.inbox.put(Stop(signal.Signals(number).name))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    watcher = ManifestWatcher(manifests, loop.inbox)
    watcher.start()
    try:
        loop.run()
    finally:
        watcher.stop()


def _assemble(settings: RunSettings) -> Loop:
    tools = find_tools(settings.choices)
    check_tools(tools)
    node = NodeView(settings.completed, settings.choices, tools)
    iptables = settings.completed.config.iptables
    return Loop(
        families=_families(settings.choices, tools, node),
        options_for=node.options_for,
        schedule=Schedule(
            min_interval=iptables.min_sync_period.seconds,
            retry_interval=iptables.sync_period.seconds,
        ),
        node_name=settings.completed.node_name,
    )


def _families(choices: Choices, tools: Mapping[Family, Tools], node: NodeView) -> dict[Family, FamilyProxy]:
    return {
        family: FamilyProxy(node.options_for(None, family), IptablesHost(its), split_for(choices, its))
        for family, its in tools.items()
    }
