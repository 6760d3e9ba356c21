"""One run of the suite: how thorough it is, and with which tools."""

from collections.abc import Callable

from msgspec import Struct

from pykubeproxy.host.backend import Backend, find_tools
from pykubeproxy.host.errors import ToolMissing
from pykubeproxy.model.ip import Family


class Run(Struct, frozen=True, kw_only=True):
    """`say` is given a line whenever something long begins."""

    is_quick: bool
    backends: tuple[Backend, ...]
    say: Callable[[str], None]


def installed_backends() -> tuple[Backend, ...]:
    """The kinds of iptables tools that this machine has."""
    return tuple(backend for backend in Backend if _is_installed(backend))


def _is_installed(backend: Backend) -> bool:
    try:
        find_tools(Family.IPV4, backend)
    except ToolMissing:
        return False
    return True
