"""The configuration of the proxy that runs on this node, for commands that ask about this node.

Flags that are given by hand win over it. Where no proxy runs, or --config is given, the command line is all there is.
"""

from collections.abc import Mapping
from functools import partial

import click
import msgspec
from click.core import ParameterSource

from pykubeproxy.cli.errors import print_stderr
from pykubeproxy.cli.inputs import complete_config, print_warnings, read_config
from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.daemon.setup.node_view import host_name
from pykubeproxy.daemon.setup.run_settings import CommitMode, OwnOptions
from pykubeproxy.explain.status.node_state import ProxyAnswer
from pykubeproxy.explain.status.published import ProxyStatus
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.proxy_endpoints import RunningProxy, find_running
from pykubeproxy.model.ip import parse_ip
from pykubeproxy.model.printable import printable
from pykubeproxy.rules.options import Dispatch, RejectUnused


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration and our own options for this node, and where objects come from: paths or `api`, if given."""

    completed: Completed
    own_options: OwnOptions
    objects: tuple[str, ...] = ()


def config_of_node(flags: Mapping[str, object], own_options: OwnOptions, objects: tuple[str, ...] = ()) -> NodeConfig:
    """The flags, and for all others the configuration of the running proxy; a note names it. Raises ConfigError."""
    running = None if flags.get("config") else _find_running()
    if running is None or running.answer is None:
        return NodeConfig(completed=read_config(flags), own_options=own_options, objects=objects)
    title = _title(running)
    status = running.answer.status
    try:
        completed = _completed(flags, running, running.answer)
    except ConfigError as error:
        # If the flags alone are wrong, this raises an error that says so.
        by_hand = complete_config(flags)
        print_stderr(f"note: the configuration of {title} is not used: {printable(str(error))}")
        print_warnings(by_hand)
        return NodeConfig(completed=by_hand, own_options=own_options, objects=objects)
    print_stderr(f"configuration of {title}")
    print_warnings(completed)
    if status is None:
        return NodeConfig(completed=completed, own_options=own_options, objects=objects)
    followed = (status.source.manifests,) if status.source.manifests else ()
    return NodeConfig(completed=completed, own_options=_own_options(own_options, status), objects=objects or followed)


def options_of_node(own_options: OwnOptions) -> OwnOptions:
    """The options given, and for all others those of the running proxy; a note names it if they differ."""
    running = _find_running()
    if running.answer is None or running.answer.status is None or not running.answer.is_trusted:
        return own_options
    found = _own_options(own_options, running.answer.status)
    if found != own_options:
        print_stderr(f"configuration of {_title(running)}")
    return found


def _find_running() -> RunningProxy:
    """The proxy that runs here; a note says so if there is one that does not answer."""
    running = find_running()
    silent = [each for each in running.processes if each.is_here] if running.answer is None else []
    for each in silent[:1]:
        why = "is stopped" if each.is_stopped else "does not answer"
        advice = "what follows is by the command line alone; `pykubeproxy status` says more"
        print_stderr(f"note: {each.name} (pid {each.pid}) {why}: {advice}")
    return running


def _title(running: RunningProxy) -> str:
    """`the running proxy (pid 4711)`."""
    assert running.answer is not None
    status = running.answer.status
    pid = running.process.pid if running.process is not None else None
    return f"the running {'kube-proxy' if status is None else 'proxy'}{'' if pid is None else f' (pid {pid})'}"


def _completed(flags: Mapping[str, object], running: RunningProxy, answer: ProxyAnswer) -> Completed:
    """The configuration in force, with the flags given by hand on top. Raises ConfigError if it cannot be used."""
    status = answer.status
    if not answer.is_trusted:
        owner = "somebody unknown" if answer.owner is None else f"user {answer.owner}"
        raise ConfigError(f"its metrics server belongs to {owner}, who is neither root nor you")
    master = {"master": status.master} if status is not None and status.master else {}
    node = status.node_name if status is not None else host_name()
    completed = complete({**master, **flags}, running.config, node, flags_override=True)
    check(completed)
    return completed


def _own_options(given: OwnOptions, status: ProxyStatus) -> OwnOptions:
    """Our own options, each as it was given by hand, else as the running proxy has it."""
    is_given = partial(_is_given, click.get_current_context())
    backends = {its.backend for its in status.families}
    families = (status.only_family,) if status.only_family is not None else None
    addresses = tuple(ip for ip in map(parse_ip, status.host_addresses) if ip is not None)
    return OwnOptions(
        families=given.families if is_given("family") else families,
        backend=given.backend if is_given("backend") or len(backends) != 1 else Backend(backends.pop()),
        dispatch=given.dispatch if is_given("dispatch") else Dispatch(status.dispatch),
        commit=given.commit if is_given("commit") else CommitMode(status.commit),
        reject_unused=given.reject_unused if is_given("reject_unused") else RejectUnused(status.reject_unused),
        host_addresses=given.host_addresses if is_given("host_addresses") else addresses,
    )


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT
