"""The kernel settings that a Service proxy needs, made before the first sync (`lifecycle.md` section 8)."""

from collections.abc import Collection

import structlog

from pykubeproxy.config.completed import Completed
from pykubeproxy.config.types import Conntrack
from pykubeproxy.daemon.settings import NodeFacts, localhost_node_ports
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.machine import OomScoreError, online_cpus, set_oom_score_adj
from pykubeproxy.host.sysctl import Sysctls
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.sysctls import ROUTE_LOCALNET, ConntrackSettings

log = structlog.get_logger()


class PreparationError(HostError):
    """A setting without which the proxy does not start."""


def prepare(
    completed: Completed, facts: NodeFacts, sysctls: Sysctls, *, families: Collection[Family], must_succeed: bool
) -> None:
    """Size connection tracking, and open 127.0.0.0/8 to node ports where they answer there.

    `families` are those that are served. Localhost stays closed where IPv4 is not one of them: only its rules keep
    neighbours on the link away from what listens on 127.0.0.1 (`rules.skeleton`).

    With `must_succeed`, a failure raises PreparationError, as kube-proxy's does; without, as where nobody manages the
    machine for us, it is logged.
    """
    settings = _conntrack_settings(completed.config.conntrack)
    try:
        for setting in sysctls.ensure_conntrack(settings, online_cpus()):
            log.info("kernel setting changed", name=setting.name, value=setting.value)
    except HostError as error:
        _fail(f"could not set conntrack parameters from kube-proxy configuration: {error}", must_succeed=must_succeed)
    if Family.IPV4 in families and localhost_node_ports(completed, facts):
        try:
            sysctls.ensure(ROUTE_LOCALNET)
        except HostError as error:
            _fail(f"unable to create proxier: {error}", must_succeed=must_succeed)


def protect_from_oom_killer(completed: Completed) -> None:
    """Ask the kernel to end other processes before this one when memory runs out; not fatal if it refuses."""
    try:
        set_oom_score_adj(completed.config.oom_score_adj)
    except OomScoreError as error:
        log.info("not protected from the kernel's OOM killer", why=str(error))


def _fail(problem: str, *, must_succeed: bool) -> None:
    if must_succeed:
        raise PreparationError(problem)
    log.warning(problem)


def _conntrack_settings(config: Conntrack) -> ConntrackSettings:
    return ConntrackSettings(
        max_per_core=config.max_per_core,
        min=config.min,
        tcp_established_timeout=config.tcp_established_timeout.seconds,
        tcp_close_wait_timeout=config.tcp_close_wait_timeout.seconds,
        tcp_be_liberal=config.tcp_be_liberal,
        udp_timeout=config.udp_timeout.seconds,
        udp_stream_timeout=config.udp_stream_timeout.seconds,
    )
