"""Which iptables tools to use: nft or legacy.

The tools of one backend do not see the rules of the other, yet both apply to packets. A proxy with the wrong backend
would work apart from the node's other programs. So chains that are there decide: kubelet makes one as a hint, and a
Service proxy that ran before leaves its own (`docs/reference/iptables-execution.md` section 11). If there are none, it
is the backend of the program `iptables`, unless the kernel does not support it: a kernel may be built without the
legacy tables, or without nftables.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum

import msgspec

from pykubeproxy.host.commands import run_command, waited_for
from pykubeproxy.host.errors import BackendConflict, HostError, ToolMissing
from pykubeproxy.host.nft_rules import existing_chains, has_policy_drop
from pykubeproxy.host.nft_tables import has_nftables
from pykubeproxy.host.table_info import loaded_tables
from pykubeproxy.model.ip import Family

KUBELET_HINTS = ("KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY")
PROXY_CHAINS = ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODEPORTS")

_PROGRAM = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}

# What the legacy tools say where the kernel has no such table, or no legacy tables at all.
_NO_LEGACY_TABLES = re.compile("Table does not exist|Protocol not available")


class Backend(StrEnum):
    """The two kinds of iptables tools."""

    NFT = "nft"
    LEGACY = "legacy"


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of one family and backend, and what their version can do.

    Source: `docs/reference/iptables-execution.md` section 2.
    """

    family: Family
    backend: Backend
    save: str
    restore: str
    version: tuple[int, ...]

    @property
    def program(self) -> str:
        """The rule tool: `iptables-nft`."""
        return self.save.removesuffix("-save")

    @property
    def version_text(self) -> str:
        """The version as it is written: `1.8.9`."""
        return ".".join(map(str, self.version))

    @property
    def has_random_fully(self) -> bool:
        """True if MASQUERADE knows `--random-fully`."""
        return self.version >= (1, 6, 2)

    def wait_flags(self, seconds: int) -> list[str]:
        """The flags that make iptables-restore wait for the lock."""
        return ["-w", str(seconds)] if self.version >= (1, 6, 2) else []


class DetectedBackend(msgspec.Struct, frozen=True, kw_only=True):
    """The backend to use; `instead_of` is the default one, if the kernel has nothing for its tools."""

    backend: Backend
    instead_of: Backend | None = None


def find_tools(family: Family, backend: Backend) -> Tools:
    """The tools of one backend. Raises ToolMissing."""
    program = _PROGRAM[family]
    # Debian and Fedora install both kinds side by side; elsewhere the plain name is the only kind there is.
    for name in (f"{program}-{backend}", program):
        if shutil.which(name) and shutil.which(f"{name}-save") and shutil.which(f"{name}-restore"):
            found, version = _version(name)
            if found is backend:
                return Tools(
                    family=family, backend=backend, save=f"{name}-save", restore=f"{name}-restore", version=version
                )
    raise ToolMissing(f"{program} with the {backend} backend is not installed: install the iptables package")


def detect(family: Family, *, may_load: bool = True) -> DetectedBackend:
    """The backend that this node uses for `family`. Raises ToolMissing, BackendConflict.

    With `may_load`, a legacy table may be loaded if that is the only way to find out whether the kernel has any. From
    then on every packet passes through it, so a command that only reads must not cause it.
    """
    installed = _installed(family)
    if not installed:
        raise ToolMissing(f"{_PROGRAM[family]} is not installed: install the iptables package of this machine")
    used = [tools.backend for tools in installed if _holds_any(tools, "nat", PROXY_CHAINS)]
    if len(used) > 1:
        raise BackendConflict(
            f"both iptables backends hold KUBE-* chains ({family}): one of two Service proxies works unseen; "
            "remove the chains of the wrong one, for example with `pykubeproxy cleanup --backend legacy`"
        )
    hinted = [tools.backend for tools in installed if _holds_any(tools, "mangle", KUBELET_HINTS)]
    for found in (hinted, used):
        if len(found) == 1:
            return DetectedBackend(backend=found[0])
    default = _default(family, installed)
    if default is not None and _is_missing_in_kernel(default, may_load=may_load):
        for other in installed:
            if other is not default and not _is_missing_in_kernel(other, may_load=may_load):
                return DetectedBackend(backend=other.backend, instead_of=default.backend)
    return DetectedBackend(backend=(default or installed[0]).backend)


def backends_with_proxy(family: Family) -> tuple[Backend, ...]:
    """The backends that hold chains of a Service proxy, without any that this process may not read. Loads no table."""
    found = [Backend.NFT] if existing_chains(family, "nat", PROXY_CHAINS) else []
    if "nat" in (_legacy_tables(family) or ()):
        with suppress(ToolMissing):
            if _holds_any(find_tools(family, Backend.LEGACY), "nat", PROXY_CHAINS):
                found.append(Backend.LEGACY)
    return tuple(found)


def backends_that_drop_forwarded(family: Family) -> tuple[Backend, ...]:
    """The backends whose chain FORWARD has the policy DROP, without any that may not be read. Loads no table."""
    found = [Backend.NFT] if has_policy_drop(family, "filter", "FORWARD") else []
    if "filter" in (_legacy_tables(family) or ()):
        with suppress(ToolMissing):
            save = find_tools(family, Backend.LEGACY).save
            if any(line.startswith(b":FORWARD DROP ") for line in _chain_lines(save, "filter")):
                found.append(Backend.LEGACY)
    return tuple(found)


def check(tools: Tools) -> None:
    """Raise BackendConflict if a Service proxy works with the other backend than `tools` do."""
    for other in _installed(tools.family, but=tools.backend):
        if _holds_any(other, "nat", PROXY_CHAINS):
            raise BackendConflict(
                f"the {other.backend} backend holds KUBE-* chains ({tools.family}), which the {tools.backend} tools "
                f"cannot see: use --backend {other.backend}, or remove them with "
                f"`pykubeproxy cleanup --backend {other.backend}`"
            )


def has_match(tools: Tools, name: str) -> bool:
    """True if both the tools and the kernel support the match `-m NAME`. Changes nothing."""
    try:
        done = subprocess.run([tools.program, "-m", name, "--help"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    # Where only the kernel lacks it, the tools warn and go on: "revision 0 not supported, missing kernel module?".
    return done.returncode == 0 and "not supported" not in done.stderr


def is_in_use(tools: Tools) -> bool:
    """False if the kernel has no table of this backend loaded, so that there can be no rules to find."""
    return has_nftables() if tools.backend is Backend.NFT else _legacy_tables(tools.family) != ()


def existing_tables(tools: Tools, wanted: Iterable[str]) -> tuple[str, ...]:
    """Those of the `wanted` tables that may have rules. Asking the legacy tools for another one would load it."""
    if tools.backend is Backend.NFT:
        return tuple(wanted) if has_nftables() else ()
    loaded = _legacy_tables(tools.family)
    return tuple(table for table in wanted if loaded is None or table in loaded)


def _default(family: Family, installed: Iterable[Tools]) -> Tools | None:
    """The tools that the plain name stands for; None where there is no such program."""
    program = _PROGRAM[family]
    backend = _version(program)[0] if shutil.which(program) else None
    return next((tools for tools in installed if tools.backend is backend), None)


def _is_missing_in_kernel(tools: Tools, *, may_load: bool) -> bool:
    """True only if the kernel is known to have nothing for these tools, which load what they need if they may."""
    if tools.backend is Backend.NFT:
        return not has_nftables()
    if _legacy_tables(tools.family) != () or not may_load:
        return False
    # A part of the kernel that is merely not loaded looks the same; only the tools know how to load it.
    done = run_command([tools.save, "-t", "nat"])
    return done.returncode != 0 and _NO_LEGACY_TABLES.search(done.stderr) is not None


def _installed(family: Family, but: Backend | None = None) -> list[Tools]:
    """The tools of all backends, `but` one, that are installed."""
    found = []
    for backend in Backend:
        if backend is not but:
            with suppress(ToolMissing):
                found.append(find_tools(family, backend))
    return found


def _version(program: str) -> tuple[Backend, tuple[int, ...]]:
    """What `program --version` says: the backend, and the version's numbers (none if it says none)."""
    done = run_command([program, "--version"])
    text = done.stdout + done.stderr
    found = re.search(r"v(\d+(?:\.\d+)+)", text)
    version = tuple(int(number) for number in found[1].split(".")) if found else ()
    return Backend.NFT if "nf_tables" in text else Backend.LEGACY, version


def _holds_any(tools: Tools, table: str, chains: tuple[str, ...]) -> bool:
    """True if `table` has one of `chains`."""
    if tools.backend is Backend.NFT:
        return bool(existing_chains(tools.family, table, chains))
    # Asking the legacy tools for a table would load it, and from then on every packet would pass through it.
    if table not in (_legacy_tables(tools.family) or ()):
        return False
    wanted = tuple(f":{chain} ".encode() for chain in chains)
    return any(line.startswith(wanted) for line in _chain_lines(tools.save, table))


def _legacy_tables(family: Family) -> tuple[str, ...] | None:
    """The legacy backend's tables that are loaded; None where only root may know."""
    try:
        return loaded_tables(family)
    except HostError:
        return None


def _chain_lines(save: str, table: str) -> Iterator[bytes]:
    """The chain lines of a table; they come before the rules, which are not waited for."""
    command = [save, "-t", table]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        waited_for(command, process.pid),
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"-"):
                break
            yield line
        process.kill()
