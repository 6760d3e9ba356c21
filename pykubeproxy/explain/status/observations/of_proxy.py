"""What `status` says of the proxy that runs on a node, of its objects, its tools, and the node that it serves."""

from pykubeproxy.explain.status.node_state import EndedProcess
from pykubeproxy.explain.status.observations import Level, Observation, Topic
from pykubeproxy.model.ip import Family


class ProxyRuns(Observation, frozen=True, kw_only=True):
    """A Service proxy runs here, and answers. `pid` and `seconds`, since it was started, are None if not known."""

    topic = Topic.PROXY
    level = Level.OK
    program: str
    pid: int | None
    seconds: float | None


class ShadowRuns(ProxyRuns, frozen=True, kw_only=True):
    """A proxy in shadow mode answers; another one writes the rules."""

    level = Level.NOTE


class OnlyShadowRuns(ProxyRuns, frozen=True, kw_only=True):
    """A proxy in shadow mode answers, and no other one is to be seen, which would write rules."""

    level = Level.BAD


class NoProxyRuns(Observation, frozen=True, kw_only=True):
    """No Service proxy is to be seen, and none answers at the addresses `asked`.

    Of these, `silent` ones take connections and send nothing, and `foreign` ones answer as no proxy does.
    """

    topic = Topic.PROXY
    level = Level.BAD
    asked: tuple[str, ...]
    silent: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


class ProxyDoesNotAnswer(Observation, frozen=True, kw_only=True):
    """A Service proxy runs here, but its metrics server does not answer at the addresses `asked`."""

    topic = Topic.PROXY
    level = Level.BAD
    process: str
    asked: tuple[str, ...]
    silent: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


class ProxyMayBeElsewhere(Observation, frozen=True, kw_only=True):
    """A Service proxy runs that does not answer, and only root may know whether it is in this network namespace."""

    topic = Topic.PROXY
    level = Level.UNKNOWN
    process: str
    asked: tuple[str, ...]
    silent: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


class ProxyStuck(Observation, frozen=True, kw_only=True):
    """A Service proxy is here, and cannot go on.

    By its `state` (proc_pid_stat(5)) a signal has stopped it (T) or a debugger (t), or it waits within the kernel (D).
    """

    topic = Topic.PROXY
    level = Level.BAD
    process: str
    pid: int
    state: str


class ProxyEnded(Observation, frozen=True, kw_only=True):
    """No Service proxy answers, and this one has ended, while its parent has not noticed: it has not waited for it."""

    topic = Topic.PROXY
    level = Level.NOTE
    process: EndedProcess


class SeveralProxies(Observation, frozen=True, kw_only=True):
    """More than one Service proxy writes rules here."""

    topic = Topic.PROXY
    level = Level.BAD
    processes: tuple[str, ...]


class OtherOwner(Observation, frozen=True, kw_only=True):
    """The metrics server at `address` belongs to another user than root, or to nobody that is known (None)."""

    topic = Topic.PROXY
    level = Level.NOTE
    address: str
    owner: int | None


class OtherMode(Observation, frozen=True, kw_only=True):
    """kube-proxy runs in another mode than iptables, of which little can be said."""

    topic = Topic.PROXY
    level = Level.NOTE
    mode: str


class Healthy(Observation, frozen=True, kw_only=True):
    """/healthz says that the proxy keeps up, and that the node may get new traffic."""

    topic = Topic.HEALTH
    level = Level.OK
    address: str


class Unhealthy(Observation, frozen=True, kw_only=True):
    """/healthz says that a sync is overdue."""

    topic = Topic.HEALTH
    level = Level.BAD
    address: str


class NotEligible(Observation, frozen=True, kw_only=True):
    """/healthz says that the node is about to be deleted, or that the proxy has not seen its Node object."""

    topic = Topic.HEALTH
    level = Level.NOTE
    address: str


class HealthNotServed(Observation, frozen=True, kw_only=True):
    """Nobody answers /healthz at `address`."""

    topic = Topic.HEALTH
    level = Level.NOTE
    address: str


class Configured(Observation, frozen=True, kw_only=True):
    """The proxy is configured by a file, or by its command line alone if `file` is empty."""

    topic = Topic.CONFIGURATION
    level = Level.OK
    file: str


class OptionsOn(Observation, frozen=True, kw_only=True):
    """Options that kube-proxy does not have, and that are off by default, are on.

    `rejectUnused` is the value of --reject-unused-ports; `endEstablishedTcp` is true with --end-established-tcp.
    """

    topic = Topic.CONFIGURATION
    level = Level.OK
    reject_unused: str
    end_established_tcp: bool


class FollowsManifests(Observation, frozen=True, kw_only=True):
    """Objects come from files."""

    topic = Topic.OBJECTS
    level = Level.OK
    path: str


class FollowsApi(Observation, frozen=True, kw_only=True):
    """Objects come from the API server, which is reached."""

    topic = Topic.OBJECTS
    level = Level.OK
    server: str


class ApiAway(Observation, frozen=True, kw_only=True):
    """The API server, or a part of it, cannot be followed for so many seconds."""

    topic = Topic.OBJECTS
    level = Level.BAD
    server: str
    seconds: float
    error: str


class WaitsForObjects(Observation, frozen=True, kw_only=True):
    """Nothing is synced before these kinds of objects have been listed."""

    topic = Topic.OBJECTS
    level = Level.BAD
    kinds: tuple[str, ...]


class ObjectsUnread(Observation, frozen=True, kw_only=True):
    """Some objects cannot be read now, so there may be more than are known, and nothing is removed."""

    topic = Topic.OBJECTS
    level = Level.BAD
    unread: tuple[str, ...]


class BackendUsed(Observation, frozen=True, kw_only=True):
    """The iptables tools that serve some families."""

    topic = Topic.BACKEND
    level = Level.OK
    backend: str
    families: tuple[Family, ...]
    tools: tuple[str, ...]


class BothBackendsUsed(Observation, frozen=True, kw_only=True):
    """Both kinds of tools hold chains of a Service proxy, and both apply to packets.

    `wrong` is the backend that the running proxy does not use; None if that is not known.
    """

    topic = Topic.BACKEND
    level = Level.BAD
    family: Family
    wrong: str | None


class NoTools(Observation, frozen=True, kw_only=True):
    """The node has no iptables tools that can be used."""

    topic = Topic.BACKEND
    level = Level.BAD
    problem: str


class LayoutUsed(Observation, frozen=True, kw_only=True):
    """How the dispatch chains are laid out (`tree` or `linear`); `commit` is empty for kube-proxy."""

    topic = Topic.LAYOUT
    level = Level.OK
    dispatch: str
    commit: str


class NodeKnown(Observation, frozen=True, kw_only=True):
    """The node's name, and the addresses by which it is known."""

    topic = Topic.NODE
    level = Level.OK
    name: str
    addresses: tuple[str, ...]


class NoAddress(Observation, frozen=True, kw_only=True):
    """The node has no address by which others could know it."""

    topic = Topic.NODE
    level = Level.NOTE
    name: str


class FamiliesServed(Observation, frozen=True, kw_only=True):
    """The IP families that are served, and for how many Services.

    `why_not_ipv6` is empty if it is served, or not wanted.
    """

    topic = Topic.FAMILIES
    level = Level.OK
    families: tuple[Family, ...]
    services: int | None
    why_not_ipv6: str = ""
