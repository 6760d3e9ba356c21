"""What `status` says of the node's kernel: connection tracking, settings, native tables, and what other modes left."""

from pykubeproxy.explain.status.node_state import Setting
from pykubeproxy.explain.status.observations import Level, Observation, Topic
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable


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


class ForwardDrops(Observation, frozen=True, kw_only=True):
    """The policy of the chain FORWARD is DROP: packets are forwarded to pods only where a rule accepts them."""

    topic = Topic.KERNEL
    level = Level.NOTE
    family: Family
    backend: str


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
