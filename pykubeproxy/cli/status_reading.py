"""Finding out how the node is, for `status` and `check`: cheaply, and without root as far as that goes."""

import time
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pykubeproxy.cli.notes import find_other_tables
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.load import load
from pykubeproxy.config.types import KubeProxyConfiguration
from pykubeproxy.daemon.setup.node_view import host_name
from pykubeproxy.daemon.setup.preparation import conntrack_settings
from pykubeproxy.explain.status.node_state import KernelState, NodeState, Setting, ToolsFound
from pykubeproxy.host import backend as backends
from pykubeproxy.host import interfaces, nft_tables
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.conntrack_usage import conntrack_usage
from pykubeproxy.host.errors import BackendConflict, HostError
from pykubeproxy.host.machine import online_cpus
from pykubeproxy.host.processes import ended_proxies
from pykubeproxy.host.proxy_endpoints import find_running
from pykubeproxy.host.sysctl import SysctlError, Sysctls
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.sysctls import FORWARDING, Sysctl, conntrack_sysctls


def read_state(metrics: str = "", health: str = "") -> NodeState:
    """How the node is now; `metrics` and `health` are the addresses of its proxy's servers, if they are given.

    A proxy that publishes its own status is believed; the kernel is asked for what it cannot know.
    """
    running = find_running(metrics, health)
    status = running.answer.status if running.answer is not None else None
    why_no_ipv6 = interfaces.why_no_ipv6() or ""
    tools, problem = ((), "") if status is not None else _find_tools(why_no_ipv6)
    its = status.families if status is not None else tools
    config = configuration_of(running.config)
    return NodeState(
        time=time.time(),
        node_name=(config.hostname_override if config is not None else "") or host_name(),
        addresses=() if status is not None else _addresses(),
        processes=running.processes,
        ended=ended_proxies() if running.answer is None else (),
        writer_address=running.writer_address,
        process=running.process,
        answer=running.answer,
        asked=running.asked,
        silent=running.silent,
        foreign=running.foreign,
        tools=tools,
        tools_problem=problem,
        why_no_ipv6=why_no_ipv6,
        kernel=_kernel({each.family: Backend(each.backend) for each in its}, config),
    )


def _find_tools(why_no_ipv6: str) -> tuple[tuple[ToolsFound, ...], str]:
    """The tools that a proxy would use, and why there are none if that is so."""
    found, problem = [], ""
    for family in Family:
        if family is Family.IPV6 and why_no_ipv6:
            continue
        try:
            found.append(_shown(_detected_tools(family)))
        except BackendConflict:
            # That is seen by the chains, too.
            continue
        except HostError as error:
            problem = problem or str(error)
    return tuple(found), problem if not found else ""


def find_node_tools() -> dict[Family, Tools]:
    """The tools of each family that this node has. Raises HostError, unless there are those of the other family."""
    found: dict[Family, Tools] = {}
    problems: list[HostError] = []
    for family in Family:
        if family is Family.IPV6 and interfaces.why_no_ipv6():
            continue
        try:
            found[family] = _detected_tools(family)
        except HostError as error:
            problems.append(error)
    if problems and not found:
        raise problems[0]
    return found


def _detected_tools(family: Family) -> Tools:
    return backends.find_tools(family, backends.detect(family, may_load=False).backend)


def _shown(tools: Tools) -> ToolsFound:
    return ToolsFound(family=tools.family, backend=tools.backend, tool=tools.program, tool_version=tools.version_text)


def _addresses() -> tuple[str, ...]:
    try:
        return tuple(ip.text for ip in interfaces.default_node_ips(interfaces.interface_addresses()))
    except HostError:
        return ()


def configuration_of(config: bytes) -> KubeProxyConfiguration | None:
    """The configuration that a proxy shows; None if there is none, or it is not one."""
    try:
        return load(config).config if config else None
    except ConfigError:
        return None


def _kernel(used: Mapping[Family, Backend], config: KubeProxyConfiguration | None) -> KernelState:
    """What the kernel shows. `used` are the backends of the families that are served, or would be."""
    sysctls = Sysctls(read_only=True)
    state = KernelState(
        may_ask=nft_tables.may_ask(),
        connections=conntrack_usage(),
        forwarding=dict(_forwarding(sysctls, tuple(used) or tuple(Family))),
        settings=tuple(_settings(sysctls, config)),
    )
    if not state.may_ask:
        return state
    others = find_other_tables(used or dict.fromkeys(Family, Backend.NFT))
    return msgspec.structs.replace(
        state,
        proxy_chains={family: backends.backends_with_proxy(family) for family in Family},
        forward_drop={family: backends.backends_that_drop_forwarded(family) for family in Family},
        other_tables=others.not_looked_at,
        leftovers=others.leftovers,
    )


def _forwarding(sysctls: Sysctls, families: Iterable[Family]) -> Iterator[tuple[Family, bool]]:
    for family in families:
        current = _read(sysctls, FORWARDING[family])
        if current is not None:
            yield family, current != 0


def _settings(sysctls: Sysctls, config: KubeProxyConfiguration | None) -> Iterator[Setting]:
    if config is None:
        return
    for wanted in conntrack_sysctls(conntrack_settings(config.conntrack), online_cpus()):
        current = _read(sysctls, wanted.name)
        yield Setting(name=wanted.name, wanted=wanted.value, current=current, is_met=_is_met(wanted, current))


def _is_met(wanted: Sysctl, current: int | None) -> bool:
    return current is not None and wanted.is_met_by(current)


def _read(sysctls: Sysctls, name: str) -> int | None:
    try:
        return int(sysctls.read(name))
    except (SysctlError, ValueError):
        return None
