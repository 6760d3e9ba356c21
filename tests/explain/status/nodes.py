"""Nodes as `status` finds them, to be changed in the one respect that a test is about."""

from typing import Any

from msgspec.structs import replace

from pykubeproxy.explain.status.nftables_move import MoveFacts, RuleFacts
from pykubeproxy.explain.status.node_state import (
    Health,
    KernelState,
    KubeProxyMetrics,
    NodeState,
    ProxyAnswer,
    ProxyProcess,
    ToolsFound,
)
from pykubeproxy.explain.status.published import ApiOutage, FamilySync, ObjectSource, ProxyStatus, RefusedRules, Repair
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable

NOW = 1_000_000.0
METRICS, HEALTH = "127.0.0.1:10249", "0.0.0.0:10256"

PROCESS = ProxyProcess(pid=4711, name="pykubeproxy", command=("pykubeproxy", "run"), started_at=NOW - 7200)
KUBE_PROXY = ProxyProcess(pid=12, name="kube-proxy", command=("kube-proxy", "--config=/c"), started_at=NOW - 60)
FAMILIES = tuple(
    FamilySync(
        family=family,
        backend="nft",
        tool=f"{tool}-nft",
        tool_version="1.8.9",
        services=10,
        synced_at=NOW - 3,
        seconds=0.012,
    )
    for family, tool in ((Family.IPV4, "iptables"), (Family.IPV6, "ip6tables"))
)
SOURCE = ObjectSource(server="https://10.0.0.1:6443")
STATUS = ProxyStatus(
    program="pykubeproxy 0.1.0",
    kubernetes_version="v1.37.0",
    pid=1,
    started_at=NOW - 7200,
    node_name="node-a",
    node_addresses=("192.0.2.1", "2001:db8::1"),
    source=SOURCE,
    dispatch="tree",
    commit="auto",
    families=FAMILIES,
)
TOOLS = tuple(
    ToolsFound(family=its.family, backend=its.backend, tool=its.tool, tool_version=its.tool_version) for its in FAMILIES
)
HEALTHY = Health(address=HEALTH, is_healthy=True, is_eligible=True)
ANSWER = ProxyAnswer(address=METRICS, owner=0, is_trusted=True, status=STATUS, health_address=HEALTH, health=HEALTHY)
KERNEL = KernelState(
    may_ask=True,
    proxy_chains={Family.IPV4: ("nft",), Family.IPV6: ("nft",)},
    connections=ConntrackUsage(entries=100, limit=1000, dropped=0),
    forwarding={Family.IPV4: True, Family.IPV6: True},
)
WELL = NodeState(
    time=NOW,
    node_name="host",
    processes=(PROCESS,),
    process=PROCESS,
    answer=ANSWER,
    kernel=KERNEL,
    addresses=("192.0.2.9",),
)
IDLE = replace(
    WELL,
    processes=(),
    process=None,
    answer=None,
    asked=(METRICS,),
    tools=TOOLS,
    kernel=replace(KERNEL, proxy_chains={Family.IPV4: (), Family.IPV6: ()}),
)


def with_status(**fields: Any) -> NodeState:
    """A node whose proxy says something else."""
    return replace(WELL, answer=replace(ANSWER, status=replace(STATUS, **fields)))


def with_source(**fields: Any) -> NodeState:
    """A node whose proxy says something else about the objects."""
    return with_status(source=replace(SOURCE, **fields))


def with_family(**fields: Any) -> NodeState:
    """A node whose proxy says something else about its IPv4 rules."""
    return with_status(families=(replace(FAMILIES[0], **fields), FAMILIES[1]))


def with_kernel(**fields: Any) -> NodeState:
    """A node whose kernel shows something else."""
    return replace(WELL, kernel=replace(KERNEL, **fields))


def with_kube_proxy(**fields: Any) -> NodeState:
    """A node on which kube-proxy runs, with other metrics."""
    metrics = KubeProxyMetrics(
        version="v1.36.2",
        mode="iptables",
        started_at=NOW - 60,
        synced_at={"IPv4": NOW - 5, "IPv6": NOW - 6},
        mean_seconds={"IPv4": 0.05, "IPv6": 0.04},
    )
    answer = replace(ANSWER, status=None, metrics=replace(metrics, **fields))
    return replace(WELL, processes=(KUBE_PROXY,), process=KUBE_PROXY, answer=answer, tools=TOOLS)


# One on which much is wrong: what docs/cli.md shows.
TROUBLED = replace(
    with_status(
        config_file="/var/lib/kube-proxy/config.conf",
        source=replace(SOURCE, api_outage=ApiOutage(since=NOW - 95, error="connect: Connection refused")),
        repairs=(
            Repair(
                time=NOW - 720,
                family=Family.IPV4,
                chains=("nat KUBE-SERVICES",),
                chain_count=1,
                program="iptables-restor",
                pid=8211,
            ),
        ),
        families=(
            replace(
                FAMILIES[0],
                refused=(RefusedRules(service="shop/cart", cause="Couldn't load match `recent'", module="xt_recent"),),
                refused_count=1,
                ports_refusing=2,
            ),
            FAMILIES[1],
        ),
    ),
    kernel=replace(
        KERNEL,
        connections=ConntrackUsage(entries=216_301, limit=262_144, dropped=0),
        other_tables=(NftTable("inet", "firewalld", ("forward", "input")),),
        forwarding={Family.IPV4: True, Family.IPV6: False},
    ),
)

MOVE = MoveFacts(node_name="node-a", kernel_release="6.1.0-18-amd64", has_nftables=True, rules=RuleFacts())
"""A node that may move to nftables mode, and has no node ports."""
