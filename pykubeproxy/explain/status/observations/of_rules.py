"""What `status` says of syncs, of the rules in the kernel, and of changes that other programs made to them."""

import msgspec

from pykubeproxy.explain.status.observations import Level, Observation, Topic
from pykubeproxy.explain.status.published import RefusedRules
from pykubeproxy.model.ip import Family


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


class PortsRefuse(Observation, frozen=True, kw_only=True):
    """So many ports of Services refuse connections, since they have no endpoints."""

    topic = Topic.ENDPOINTS
    level = Level.NOTE
    families: tuple[str, ...]
    count: int


class PortsDrop(Observation, frozen=True, kw_only=True):
    """So many ports of Services drop connections: their traffic policy is `Local`, and no endpoint is on this node.

    Of kube-proxy, `count` is the least that they may be, and `families` is empty if it does not tell them apart.
    """

    topic = Topic.ENDPOINTS
    level = Level.OK
    families: tuple[str, ...]
    count: int
