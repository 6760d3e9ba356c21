"""What `status` says about a node, line by line, as values: each has a topic, and tells whether that is well.

Times are in seconds since 1970, and `seconds` a length of time.
"""

from enum import StrEnum
from typing import ClassVar

import msgspec

from pykubeproxy.explain.status.node_state import Setting
from pykubeproxy.explain.status.published import RefusedRules
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable


class Level(StrEnum):
    """How well it is: well; worth knowing; wrong; or it could not be looked at."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"
    UNKNOWN = "unknown"


class Topic(StrEnum):
    """What it is about, in the order of the screen."""

    PROXY = "proxy"
    HEALTH = "health"
    CONFIGURATION = "configuration"
    OBJECTS = "objects"
    BACKEND = "backend"
    LAYOUT = "layout"
    NODE = "node"
    FAMILIES = "families"
    LAST_SYNC = "last sync"
    RULES = "rules"
    DRIFT = "drift"
    CONNECTIONS = "connections"
    KERNEL = "kernel"
    TABLES = "other tables"
    LEFTOVERS = "leftovers"
    KERNEL_VERSION = "version"
    NODE_PORTS = "node ports"
    LOCALHOST = "localhost"
    INVALID = "odd packets"
    FIREWALL = "firewall"
    OTHER_RULES = "other rules"
    OPTIONS = "options"


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="kind", rename="camel"):
    """Something that was found out about the node."""

    topic: ClassVar[Topic]
    level: ClassVar[Level]


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
    """A proxy in shadow mode answers, and no other one is to be seen: nothing writes rules."""

    level = Level.BAD


class NoProxyRuns(Observation, frozen=True, kw_only=True):
    """No Service proxy is to be seen, and none answers at the addresses `asked`."""

    topic = Topic.PROXY
    level = Level.BAD
    asked: tuple[str, ...]


class ProxyDoesNotAnswer(Observation, frozen=True, kw_only=True):
    """A Service proxy runs here, but its metrics server does not answer at the addresses `asked`."""

    topic = Topic.PROXY
    level = Level.BAD
    process: str
    asked: tuple[str, ...]


class ProxyMayBeElsewhere(Observation, frozen=True, kw_only=True):
    """A Service proxy runs that does not answer, and only root may know whether it is in this network namespace."""

    topic = Topic.PROXY
    level = Level.UNKNOWN
    process: str
    asked: tuple[str, ...]


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


class FamilyTime(msgspec.Struct, frozen=True, rename="camel"):
    """So many seconds ago, a sync of one family ended, which took `took` seconds; "" is both families together."""

    family: str
    seconds: float
    took: float | None


class LastSyncs(Observation, frozen=True, kw_only=True):
    """The last sync of each family that succeeded. `is_mean` if kube-proxy tells only how long they take on average."""

    topic = Topic.LAST_SYNC
    level = Level.OK
    times: tuple[FamilyTime, ...]
    is_mean: bool = False


class NeverSynced(Observation, frozen=True, kw_only=True):
    """No sync of these families has succeeded yet."""

    topic = Topic.LAST_SYNC
    level = Level.BAD
    families: tuple[str, ...]


class SyncFails(Observation, frozen=True, kw_only=True):
    """Syncs of a family have failed for so many seconds; the rules in force stay."""

    topic = Topic.LAST_SYNC
    level = Level.BAD
    family: Family
    seconds: float
    error: str


class RestoresFailed(Observation, frozen=True, kw_only=True):
    """iptables-restore has refused so many inputs of kube-proxy since that was started."""

    topic = Topic.LAST_SYNC
    level = Level.NOTE
    count: int


class InSync(Observation, frozen=True, kw_only=True):
    """The rules of these families are as they should be."""

    topic = Topic.RULES
    level = Level.OK
    families: tuple[Family, ...]


class WouldChange(Observation, frozen=True, kw_only=True):
    """A proxy in shadow mode would change so many chains and rules."""

    topic = Topic.RULES
    level = Level.NOTE
    family: Family
    chains: int
    rules: int


class ServicesRefused(Observation, frozen=True, kw_only=True):
    """The node refuses the rules of so many Services, of which `services` are some."""

    topic = Topic.RULES
    level = Level.BAD
    family: Family
    count: int
    services: tuple[RefusedRules, ...]


class RulesMissing(Observation, frozen=True, kw_only=True):
    """There are no chains of a Service proxy in the kernel, though one is said to be in sync."""

    topic = Topic.RULES
    level = Level.BAD
    family: Family
    backend: str


class RulesWithoutProxy(Observation, frozen=True, kw_only=True):
    """Rules of a Service proxy are in force, and nothing keeps them up to date."""

    topic = Topic.RULES
    level = Level.BAD
    families: tuple[Family, ...]


class NoRules(Observation, frozen=True, kw_only=True):
    """There are no rules of a Service proxy."""

    topic = Topic.RULES
    level = Level.NOTE


class RulesNotCompared(Observation, frozen=True, kw_only=True):
    """A kube-proxy does not say whether its rules are in force."""

    topic = Topic.RULES
    level = Level.NOTE


class RulesNotLookedAt(Observation, frozen=True, kw_only=True):
    """Whether there are rules may only root know."""

    topic = Topic.RULES
    level = Level.UNKNOWN


class NoDrift(Observation, frozen=True, kw_only=True):
    """No other program has changed the rules in the last so many seconds, as far as that is remembered."""

    topic = Topic.DRIFT
    level = Level.OK
    seconds: float


class Drifted(Observation, frozen=True, kw_only=True):
    """A program has changed rules so many times of late, which was repaired; the last time so many seconds ago.

    `program` is empty if the kernel did not say which; `chains` are some of the last one's.
    """

    topic = Topic.DRIFT
    level = Level.NOTE
    program: str
    pid: int
    times: int
    seconds: float
    chains: tuple[str, ...]
    chain_count: int


class KeepsDrifting(Drifted, frozen=True, kw_only=True):
    """A program changes rules again and again."""

    level = Level.BAD


class TableUsed(Observation, frozen=True, kw_only=True):
    """How full the table of connections is."""

    topic = Topic.CONNECTIONS
    level = Level.OK
    entries: int
    limit: int


class TableNearlyFull(TableUsed, frozen=True, kw_only=True):
    """There will soon be no room for another connection."""

    level = Level.NOTE


class TableFull(TableUsed, frozen=True, kw_only=True):
    """There is no room, or hardly any."""

    level = Level.BAD


class PacketsDropped(Observation, frozen=True, kw_only=True):
    """So many packets of new connections were dropped since boot, since the table was full."""

    topic = Topic.CONNECTIONS
    level = Level.NOTE
    count: int


class TableUnknown(Observation, frozen=True, kw_only=True):
    """The kernel does not say how full its table of connections is."""

    topic = Topic.CONNECTIONS
    level = Level.UNKNOWN


class Forwards(Observation, frozen=True, kw_only=True):
    """Packets of these families are forwarded."""

    topic = Topic.KERNEL
    level = Level.OK
    families: tuple[Family, ...]


class ForwardingOff(Observation, frozen=True, kw_only=True):
    """Packets of a family are not forwarded, so only the node itself reaches pods through Services."""

    topic = Topic.KERNEL
    level = Level.BAD
    family: Family


class SettingsMade(Observation, frozen=True, kw_only=True):
    """So many kernel settings are as the configuration asks for."""

    topic = Topic.KERNEL
    level = Level.OK
    count: int


class SettingDiffers(Observation, frozen=True, kw_only=True):
    """A kernel setting is another one, or smaller, than the configuration asks for."""

    topic = Topic.KERNEL
    level = Level.NOTE
    setting: Setting


class SettingsNotLookedAt(Observation, frozen=True, kw_only=True):
    """Kernel settings, by name, that only root may read."""

    topic = Topic.KERNEL
    level = Level.UNKNOWN
    names: tuple[str, ...]


class NoNativeTables(Observation, frozen=True, kw_only=True):
    """No native table of nftables has rules."""

    topic = Topic.TABLES
    level = Level.OK


class NativeTables(Observation, frozen=True, kw_only=True):
    """Native tables of nftables whose rules packets pass as well, and which `diff` and `trace` do not look at."""

    topic = Topic.TABLES
    level = Level.NOTE
    tables: tuple[NftTable, ...]


class TablesNotLookedAt(Observation, frozen=True, kw_only=True):
    """Native tables of nftables are shown to root only."""

    topic = Topic.TABLES
    level = Level.UNKNOWN


class NoLeftovers(Observation, frozen=True, kw_only=True):
    """Nothing is left of kube-proxy's other modes."""

    topic = Topic.LEFTOVERS
    level = Level.OK


class NftablesLeft(Observation, frozen=True, kw_only=True):
    """Tables are left of kube-proxy's nftables mode; they take connections before the rules of iptables do."""

    topic = Topic.LEFTOVERS
    level = Level.BAD
    tables: tuple[NftTable, ...]


class IpvsLeft(Observation, frozen=True, kw_only=True):
    """Something is left of kube-proxy's ipvs mode."""

    topic = Topic.LEFTOVERS
    level = Level.BAD
    leftovers: Leftovers


class LeftoversNotLookedAt(Observation, frozen=True, kw_only=True):
    """What is left of other modes is shown to root only."""

    topic = Topic.LEFTOVERS
    level = Level.UNKNOWN
