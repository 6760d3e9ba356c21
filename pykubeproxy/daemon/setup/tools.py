"""Finding the iptables tools of this node: which families it serves, and with which backend."""

from collections.abc import Collection, Mapping

from pykubeproxy import logger
from pykubeproxy.daemon.setup.run_settings import CommitMode, OwnOptions
from pykubeproxy.host import backend as backends
from pykubeproxy.host import interfaces
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import HostError, LockTimeout, RestoreError, ToolMissing
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.sections import Split, sections, whole

log = logger.get()


def split_for(own_options: OwnOptions, tools: Tools) -> Split:
    """How Plans are divided into sections: only the nft tools need that, and gain by it."""
    return sections if own_options.commit is CommitMode.AUTO and tools.backend is Backend.NFT else whole


def find_tools(own_options: OwnOptions, *, may_load: bool = False) -> dict[Family, Tools]:
    """The tools of every family that is asked for. If both are, one for which the node has no tools is left out.

    With `may_load`, a legacy table may be loaded to find out whether the kernel has any. Raises HostError.
    """
    found: dict[Family, Tools] = {}
    missing: dict[Family, HostError] = {}
    for family in own_options.wanted_families:
        try:
            _require_kernel_support(family)
            backend = own_options.backend or _detected(family, may_load=may_load)
            found[family] = backends.find_tools(family, backend)
        except ToolMissing as problem:
            missing[family] = problem
    _go_on_without(missing, found, own_options)
    return found


def _detected(family: Family, *, may_load: bool) -> Backend:
    """The backend that this node uses. Raises HostError."""
    found = backends.detect(family, may_load=may_load)
    if found.instead_of is not None:
        log.warning(
            "the kernel does not support the default iptables tools; the others are used",
            family=family,
            default=found.instead_of,
            used=found.backend,
        )
    return found.backend


def working_tools(own_options: OwnOptions) -> dict[Family, Tools]:
    """The tools of every family that is asked for. If both are, one whose tools do not work is left out.

    Tools that fail later are tried again; if they fail at the start, it is for lack of rights or of kernel modules.
    Raises HostError, also if another proxy uses the other backend.
    """
    found = find_tools(own_options, may_load=True)
    broken: dict[Family, HostError] = {}
    for family, its in found.items():
        try:
            _check(its)
        except LockTimeout:
            raise
        except RestoreError as problem:
            broken[family] = problem
    working = {family: its for family, its in found.items() if family not in broken}
    _go_on_without(broken, working, own_options)
    return working


def check_tools(tools: Mapping[Family, Tools]) -> None:
    """Raise HostError if another proxy uses the other backend, or if the tools do not work."""
    for its in tools.values():
        _check(its)


def _check(tools: Tools) -> None:
    backends.check(tools)
    IptablesHost(tools).check()


def _go_on_without(problems: Mapping[Family, HostError], left: Collection[Family], own_options: OwnOptions) -> None:
    """Log the families that are left out. Raises the first problem if a family was asked for, or none is left."""
    for problem in problems.values():
        if own_options.families is not None or not left:
            raise problem
    for family, problem in problems.items():
        log.warning("running in single-stack mode", without=family, why=str(problem))


def _require_kernel_support(family: Family) -> None:
    problem = interfaces.why_no_ipv6() if family is Family.IPV6 else None
    if problem is not None:
        raise ToolMissing(problem)
