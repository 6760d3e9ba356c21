"""What was found out about a node for `status`: its proxies, what the one that answers says, and what the kernel shows.

All times are in seconds since 1970.
"""

from collections.abc import Mapping

import msgspec

from pykubeproxy.explain.status.published import ProxyStatus
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable


class ProxyProcess(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A process of a Service proxy. `name` is its program's (`kube-proxy`), `started_at` None if that is not known.

    `is_here` tells whether it is in this network namespace; None if only root may know. `state` is the letter of
    proc_pid_stat(5) for what it does, such as S while it sleeps and T while it is stopped; empty if that is not known.
    """

    pid: int
    name: str
    command: tuple[str, ...]
    started_at: float | None = None
    is_here: bool | None = True
    state: str = ""

    @property
    def is_shadow(self) -> bool:
        """True for a proxy that only says what it would do."""
        return "--dry-run" in self.command

    @property
    def is_stopped(self) -> bool:
        """True if a signal (T) or a debugger (t) keeps it from running."""
        return self.state in ("T", "t")

    @property
    def title(self) -> str:
        """Command and pid, as they are shown."""
        return f"{' '.join(self.command)} (pid {self.pid})"

    def value_of(self, flag: str) -> str | None:
        """The value of the last `--flag value` or `--flag=value` of the command line; None if it is not given."""
        found = None
        for word, following in zip(self.command, (*self.command[1:], ""), strict=True):
            name, equals, value = word.replace("_", "-", word.partition("=")[0].count("_")).partition("=")
            if name == f"--{flag}":
                found = value if equals else following
        return found


class EndedProcess(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A process that has ended, and that its parent has not waited for: a zombie, of which `name` is the program."""

    pid: int
    name: str
    parent_pid: int
    parent_name: str


class KubeProxyMetrics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the metrics server of a kube-proxy says: its version, its mode, and how its syncs went.

    `synced_at` is the last sync that succeeded, and `mean_seconds` how long syncs took on average, by family; releases
    that do not tell families apart have "" for it. `restore_failures` counts refusals of iptables-restore, and
    `ports_dropping`, by family, the ports of Services that drop connections since they have no endpoint on the node.
    """

    version: str
    mode: str
    started_at: float | None = None
    synced_at: Mapping[str, float] = {}
    mean_seconds: Mapping[str, float] = {}
    restore_failures: int = 0
    ports_dropping: Mapping[str, int] = {}


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What /healthz of a Service proxy at `address` answers; `is_eligible` if the node may get new traffic."""

    address: str
    is_healthy: bool
    is_eligible: bool


class ProxyAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a running proxy says at `address`: one of ours its `status`, kube-proxy its `metrics`.

    `owner` is the user id that this server belongs to, None if that is not known; `is_trusted` if that is root's or
    that of whoever asks, since anybody can listen where nobody else does. `health` is None if the health server did
    not answer at `health_address`.
    """

    address: str
    owner: int | None = None
    is_trusted: bool = False
    status: ProxyStatus | None = None
    metrics: KubeProxyMetrics | None = None
    health_address: str = ""
    health: Health | None = None


class ToolsFound(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The iptables tools that serve one family here: backend (`nft` or `legacy`), program, version."""

    family: Family
    backend: str
    tool: str
    tool_version: str


class Setting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A kernel setting that the configuration asks for; `current` is None if it cannot be read."""

    name: str
    wanted: int
    current: int | None
    is_met: bool


class KernelState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the kernel shows. Without the right to ask about nftables, `may_ask` is False, and its part is empty.

    `proxy_chains` are the backends that hold chains of a Service proxy, by family. `forwarding` is by family, without
    those of which nothing is known. `forward_drop` are the backends whose chain FORWARD has the policy DROP, by family.
    """

    may_ask: bool
    proxy_chains: Mapping[Family, tuple[str, ...]] = {}
    forward_drop: Mapping[Family, tuple[str, ...]] = {}
    other_tables: tuple[NftTable, ...] = ()
    leftovers: Leftovers = Leftovers()
    connections: ConntrackUsage | None = None
    forwarding: Mapping[Family, bool] = {}
    settings: tuple[Setting, ...] = ()


class NodeState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All that `status` knows, as of `time`; `node_name` and `addresses` unless the proxy tells them itself.

    `processes` are the Service proxies that run, `process` the one that gave the `answer`, if one can be told.
    `ended` are proxies that have ended, and that their parents have not waited for.
    `asked` are the addresses at which no proxy answered: those that take connections in silence are also `silent`, and
    those that answer as no proxy does `foreign`. Where shadow mode answered, `writer_address` is that of a proxy that
    writes, if one answers. `tools_problem` says why there are no `tools`.
    """

    time: float
    node_name: str
    addresses: tuple[str, ...] = ()
    processes: tuple[ProxyProcess, ...] = ()
    ended: tuple[EndedProcess, ...] = ()
    process: ProxyProcess | None = None
    answer: ProxyAnswer | None = None
    asked: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    writer_address: str = ""
    tools: tuple[ToolsFound, ...] = ()
    tools_problem: str = ""
    why_no_ipv6: str = ""
    kernel: KernelState
