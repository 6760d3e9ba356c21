"""What the user asks of this program, beside kube-proxy's own configuration."""

from enum import StrEnum
from pathlib import Path

import msgspec

from pykubeproxy.cluster.timeouts import Backoff, Timeouts
from pykubeproxy.config.completed import Completed
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.rules.options import Dispatch, RejectUnused


class CommitMode(StrEnum):
    """How a Plan is committed: AUTO is in several sections where that is faster, SINGLE always as a whole."""

    AUTO = "auto"
    SINGLE = "single"


class OwnOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of this program that kube-proxy does not have.

    `families` is None for both, if the node has both; `backend` is None for the one that the node uses.
    `host_addresses`, if there are any, replace the addresses of the node's interfaces.
    """

    families: tuple[Family, ...] | None = None
    backend: Backend | None = None
    dispatch: Dispatch = Dispatch.TREE
    commit: CommitMode = CommitMode.AUTO
    reject_unused: RejectUnused = RejectUnused.NONE
    end_established_tcp: bool = False
    host_addresses: tuple[IP, ...] = ()

    @property
    def wanted_families(self) -> tuple[Family, ...]:
        """The families that are asked for."""
        return self.families or tuple(Family)

    @property
    def only_family(self) -> Family | None:
        """The family, if only one is asked for; else None."""
        return self.families[0] if self.families and len(self.families) == 1 else None


class DaemonTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long the daemon waits for others, in seconds.

    `once` is how long a single sync waits for objects; `pod_cidrs` how long a node may have no pod networks, counted
    from when its Node object was looked for, where rules depend on them (`docs/reference/lifecycle.md` section 6).
    """

    once: float = 60.0
    pod_cidrs: float = 300.0
    api: Timeouts = Timeouts()
    backoff: Backoff = Backoff()


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` is asked to do.

    `manifests` is None to follow the API server; with `allow_empty`, they may well have no Service at first. `is_dry`
    is shadow mode: nothing is ever written. `config_file` is the configuration file with what was read from it, if
    there is one; `flags` are all flags and their values; `timeouts` says how long to wait for others.
    """

    completed: Completed
    own_options: OwnOptions
    manifests: str | None = None
    allow_empty: bool = False
    is_dry: bool = False
    config_file: tuple[Path, bytes] | None = None
    flags: dict[str, str] = {}
    timeouts: DaemonTimeouts = DaemonTimeouts()
