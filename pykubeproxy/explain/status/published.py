"""What a running pykubeproxy says about itself at /pykubeproxy/status of its metrics server.

One small document, however many Services there are, so that it is read in no time. All times are in seconds since 1970.
"""

import msgspec

from pykubeproxy.model.ip import Family

PATH = "/pykubeproxy/status"

# Repairs that are remembered, and Services that are named, at most.
MOST_REPAIRS = 20
MOST_NAMED = 20


class Repair(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """At `time`, `chains` that another program had changed (`nat KUBE-SERVICES`; at most MOST_NAMED) were repaired.

    `chain_count` is how many they were. `program` and `pid` say who it was, as far as the kernel told.
    """

    time: float
    family: Family
    chains: tuple[str, ...]
    chain_count: int
    program: str = ""
    pid: int = 0


class RefusedRules(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A Service (`namespace/name`) whose rules the node refuses, and the tool's complaint.

    `module` is the kernel module that is missing, if that is why.
    """

    service: str
    cause: str
    module: str = ""


class FamilySync(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far the rules of one family are.

    `tool` and `tool_version` are those of iptables. The last sync that succeeded ended at `synced_at` and took
    `seconds`; None before the first one. If it failed since, `failing_since` is when that began, and `error` says why.
    The pending numbers are what is not yet as it should be; in shadow mode, what would be changed. `refused` are at
    most MOST_NAMED of the `refused_count` Services whose rules the node refuses. `ports_refusing` are how many ports of
    Services refuse connections since they have no endpoints, and `ports_dropping` how many drop some since they have
    none on this node.
    """

    family: Family
    backend: str
    tool: str
    tool_version: str
    services: int = 0
    synced_at: float | None = None
    seconds: float = 0.0
    failing_since: float | None = None
    error: str = ""
    pending_chains: int = 0
    pending_rules: int = 0
    refused: tuple[RefusedRules, ...] = ()
    refused_count: int = 0
    ports_refusing: int = 0
    ports_dropping: int = 0


class ApiOutage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The API server, or a part of it, could not be followed since `since`, because of `error`."""

    since: float
    error: str


class ObjectSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where Services, EndpointSlices and the Node come from: the path `manifests`, or, if empty, the API at `server`.

    `waits_for` names what has to be known before the first sync, and is not yet. `unread` names what cannot be read
    now, so that nothing is removed. `api_outage` is None while the API server is reached.
    """

    manifests: str = ""
    server: str = ""
    waits_for: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    api_outage: ApiOutage | None = None


class ProxyStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A running proxy: what it is, how it was configured beyond /configz, and how far it is.

    `config_file` is empty if there is none. `only_family`, `host_addresses`, `dispatch`, `commit`, `reject_unused`,
    `end_established_tcp` and `master` are the command line's. `repairs` are the last MOST_REPAIRS, the newest last.
    """

    version: int = 1
    program: str
    kubernetes_version: str
    pid: int
    started_at: float
    node_name: str
    node_addresses: tuple[str, ...] = ()
    is_shadow: bool = False
    config_file: str = ""
    master: str = ""
    only_family: Family | None = None
    host_addresses: tuple[str, ...] = ()
    dispatch: str
    commit: str
    reject_unused: str = "none"
    end_established_tcp: bool = False
    source: ObjectSource = ObjectSource()
    families: tuple[FamilySync, ...] = ()
    repairs: tuple[Repair, ...] = ()
