"""The kernel settings that a Service proxy needs, made before the first sync.

Source: `docs/reference/lifecycle.md` section 8.
"""

from collections.abc import Collection, Iterator

from pykubeproxy import logger
from pykubeproxy.config.completed import Completed
from pykubeproxy.config.types import Conntrack
from pykubeproxy.daemon.setup.rule_options import NodeFacts, localhost_node_ports
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.machine import OomScoreError, online_cpus, set_oom_score_adj
from pykubeproxy.host.sysctl import InitialNamespaceOnly, Sysctls
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.sysctls import (
    CONNTRACK_MAX,
    HASH_SIZE,
    ROUTE_LOCALNET,
    TCP_BE_LIBERAL,
    ConntrackSettings,
    Sysctl,
    conntrack_sysctls,
)

log = logger.get()


# What it means for users that a setting, by its name, could not be made.
_CONSEQUENCES = {
    CONNTRACK_MAX: "when the table is full, packets of new connections are dropped",
    HASH_SIZE: "finding the connection of a packet takes longer when many are tracked",
    TCP_BE_LIBERAL: "packets outside of the TCP window are taken for invalid ones",
    ROUTE_LOCALNET.name: "node ports do not answer on 127.0.0.1",
}
_OF_A_CONNTRACK_TIMEOUT = "connections are remembered for another time than configured"


class PreparationError(HostError):
    """A setting without which the proxy does not start."""


def prepare(
    completed: Completed, facts: NodeFacts, sysctls: Sysctls, *, families: Collection[Family], must_succeed: bool
) -> None:
    """Make the settings of connection tracking, and route_localnet if node ports answer on 127.0.0.0/8.

    `families` are those that are served. route_localnet is left alone if IPv4 is not one of them: without IPv4 rules,
    other machines on the link could reach what listens on 127.0.0.1 (`rules.skeleton`).

    Every setting is tried. A failure is logged as a warning. With `must_succeed`, PreparationError is raised in the
    end, as kube-proxy does, except for sizes of the conntrack table that can only be changed outside of the node's
    network namespace: all Services are served without them.
    """
    problems = []
    for setting, doing in _wanted(completed, facts, families):
        try:
            if sysctls.ensure(setting):
                happened = "kernel setting would be changed" if sysctls.read_only else "kernel setting changed"
                log.info(happened, name=setting.name, value=setting.value)
        except HostError as error:
            if must_succeed and not _is_tolerable(setting, error):
                problems.append(f"{doing}: {error}")
            else:
                log.warning(str(error), consequence=_CONSEQUENCES.get(setting.name, _OF_A_CONNTRACK_TIMEOUT))
    if problems:
        raise PreparationError("; ".join(problems))


def _wanted(completed: Completed, facts: NodeFacts, families: Collection[Family]) -> Iterator[tuple[Sysctl, str]]:
    """The settings to make, each with kube-proxy's words for a failure."""
    for setting in conntrack_sysctls(conntrack_settings(completed.config.conntrack), online_cpus()):
        yield setting, "could not set conntrack parameters from kube-proxy configuration"
    if Family.IPV4 in families and localhost_node_ports(completed, facts):
        yield ROUTE_LOCALNET, "unable to create proxier"


def _is_tolerable(setting: Sysctl, error: HostError) -> bool:
    return setting.name == HASH_SIZE or isinstance(error, InitialNamespaceOnly)


def protect_from_oom_killer(completed: Completed) -> None:
    """Ask the kernel to end other processes before this one when memory runs out; not fatal if it refuses."""
    try:
        set_oom_score_adj(completed.config.oom_score_adj)
    except OomScoreError as error:
        log.info("not protected from the kernel's OOM killer", why=str(error))


def conntrack_settings(config: Conntrack) -> ConntrackSettings:
    """What a configuration asks of connection tracking."""
    return ConntrackSettings(
        max_per_core=config.max_per_core,
        min=config.min,
        tcp_established_timeout=config.tcp_established_timeout.seconds,
        tcp_close_wait_timeout=config.tcp_close_wait_timeout.seconds,
        tcp_be_liberal=config.tcp_be_liberal,
        udp_timeout=config.udp_timeout.seconds,
        udp_stream_timeout=config.udp_stream_timeout.seconds,
    )
