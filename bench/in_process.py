"""The daemon's loop inside the measuring process, on the node's real iptables tools."""

from collections.abc import Iterable

from bench.synthetic import CLUSTER_CIDR, Shape, objects
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.host.backend import Backend, find_tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.protocol import Host
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.plan.sections import sections, whole
from pykubeproxy.rules.options import Dispatch, PodTraffic, RuleOptions
from tests.memory_host import MemoryHost

NODE_NAME = "node-0"


class RecordingHost(IptablesHost):
    """The node's own tools; what was last written is remembered, to be written again alone."""

    _last: Iterable[str] = ()

    def restore(self, lines: Iterable[str]) -> None:
        """Write."""
        self._last = lines
        super().restore(lines)

    def last_payload(self) -> bytes:
        """The input of the last restore; empty if it had none."""
        return "".join(f"{line}\n" for line in self._last).encode()


class NoHost(MemoryHost):
    """A node that takes everything and does nothing: what is left is the program's own work."""

    def restore(self, lines: Iterable[str]) -> None:
        """Have the input made."""
        for _ in lines:
            pass


def real_host(backend: Backend) -> RecordingHost:
    """The tools of this node."""
    return RecordingHost(find_tools(Family.IPV4, backend))


def restore_command(backend: Backend) -> list[str]:
    """The command with which a host writes."""
    tools = find_tools(Family.IPV4, backend)
    return [tools.restore, *tools.wait_flags(5), "--noflush", "--counters"]


def options(dispatch: Dispatch = Dispatch.TREE) -> RuleOptions:
    """The rule options of the measured node."""
    return RuleOptions(
        family=Family.IPV4,
        node_name=NODE_NAME,
        node_ip=IP(Family.IPV4, "192.0.2.1"),
        pod_traffic=PodTraffic(source=CLUSTER_CIDR),
        dispatch=dispatch,
    )


def proxy_for(host: Host, backend: Backend, dispatch: Dispatch = Dispatch.TREE) -> FamilyProxy:
    """One family's proxy, as the daemon makes it."""
    return FamilyProxy(options(dispatch), host, sections if backend is Backend.NFT else whole)


def loop_for(proxy: FamilyProxy, min_interval: float = 1.0) -> Loop:
    """A loop for one family, with kube-proxy's intervals by default."""
    return Loop(
        families={Family.IPV4: proxy},
        options_for=lambda _node, _family: proxy.options,
        schedule=Schedule(min_interval=min_interval, retry_interval=30.0),
        node_name=NODE_NAME,
    )


def synced_loop(shape: Shape, host: Host, backend: Backend, dispatch: Dispatch = Dispatch.TREE) -> Loop:
    """A loop that knows a whole cluster, and has written its rules."""
    loop = loop_for(proxy_for(host, backend, dispatch))
    loop.take(ObjectsChanged(ObjectChanges(put=tuple(objects(shape)))))
    assert loop.sync(), "the first sync failed"
    return loop
