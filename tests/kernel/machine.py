"""A machine for one test: a network namespace of its own, and in it the real tools and the real program."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from msgspec import Struct

from e2e import netns
from e2e.netns import Namespace, Processes
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Lines, Ruleset

NAME_PREFIX = "pkp-"
COMMAND = (sys.executable, "-m", "pykubeproxy")
DEADLINE_SECONDS = 20.0


class Kind(Struct, frozen=True, kw_only=True):
    """Which iptables: the family and the backend."""

    family: Family
    backend: Backend

    def __str__(self) -> str:
        return self.program

    @property
    def program(self) -> str:
        """`ip6tables-legacy`; with `-save` and `-restore` behind it, the other two tools."""
        return f"{'iptables' if self.family is Family.IPV4 else 'ip6tables'}-{self.backend}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Command-line arguments that confine the program to this kind."""
        return ("--family", self.family.lower(), "--backend", self.backend)

    @property
    def mask(self) -> str:
        """What iptables-save prints behind the address of a single host."""
        return "/32" if self.family is Family.IPV4 else "/128"


KINDS = tuple(Kind(family=family, backend=backend) for backend in Backend for family in Family)
# Every tool and every family; the other two kinds wait for the night.
KINDS_BY_DAY = tuple(kind for kind in KINDS if (kind.family is Family.IPV4) == (kind.backend is Backend.NFT))
IPV4_KINDS = tuple(kind for kind in KINDS if kind.family is Family.IPV4)


class Machine(Namespace, frozen=True, kw_only=True):
    """A namespace with nothing in it but a loopback interface; commands of the project are run as its users do."""

    def pykubeproxy(
        self,
        *arguments: str,
        path: str | None = None,
        only_path: Path | None = None,
        before: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the project to its end, `before` it another; `path` is put in front of PATH."""
        paths = _environment(path) if only_path is None else ("/usr/bin/env", f"PATH={only_path}")
        return self.exec([*before, *paths, *COMMAND, *arguments], check=False, seconds=60.0)

    def once(self, source: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `pykubeproxy run --once`."""
        return self.pykubeproxy("run", "--once", "--source", str(source), *arguments, path=path)

    def start(self, source: Path, log: Path, *arguments: str, path: str | None = None) -> "subprocess.Popen[str]":
        """Start `pykubeproxy run`, with its log in a file."""
        command = [*_environment(path), *COMMAND, "run", "--source", str(source), *arguments]
        with log.open("w") as stream:
            return self.popen(command, stdout=stream, stderr=subprocess.STDOUT)

    def load(self, kind: Kind, document: str, *arguments: str) -> None:
        """Feed a document to iptables-restore, which leaves what is there."""
        self.exec([f"{kind.program}-restore", "--noflush", *arguments], stdin=document)

    def clear(self, kind: Kind) -> None:
        """Remove all rules and chains."""
        self.exec([f"{kind.program}-restore"], stdin="*filter\nCOMMIT\n*nat\nCOMMIT\n")

    def iptables(self, kind: Kind, *arguments: str) -> None:
        """Run the rule tool."""
        self.exec([kind.program, *arguments])

    def dump(self, kind: Kind, *arguments: str) -> str:
        """What iptables-save prints, without its comments, which tell the time, and counts that nobody asked for."""
        lines = self.exec([f"{kind.program}-save", *arguments]).stdout.splitlines()
        text = "".join(f"{line}\n" for line in lines if not line.startswith("#"))
        return text if "-c" in arguments else re.sub(r"^(:.*) \[\d+:\d+\]$", r"\1 [0:0]", text, flags=re.MULTILINE)

    def rules(self, kind: Kind) -> Ruleset:
        """The live rules."""
        return parse(self.dump(kind).splitlines())

    def chain(self, kind: Kind, table: str, chain: str) -> Lines | None:
        """The live rules of one chain; None if there is no such chain."""
        return self.rules(kind).lines(table, chain)

    def loaded_tables(self) -> str:
        """The tables of the legacy backend that exist: those that somebody has asked for."""
        names = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")
        return "".join(self.exec(["cat", name], check=False).stdout for name in names)


@contextmanager
def machine() -> Iterator[Machine]:
    """A fresh machine, removed at the end with all that runs in it."""
    name = f"{NAME_PREFIX}{os.getpid()}-{secrets.token_hex(2)}-machine"
    processes = Processes()
    netns.create(name)
    try:
        yield Machine(name=name, processes=processes)
    finally:
        processes.stop_all()
        netns.remove(name)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once `condition` holds; fail if it does not come true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:g} s: {what}"
        time.sleep(0.01)


@cache
def why_no_machine() -> str | None:
    """Why no machine can be made here, or None."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root: run this as root or with sudo"
    for tool, package in (("ip", "iproute2"), ("setpriv", "util-linux")):
        if not shutil.which(tool):
            return f"there is no {tool}: install the package {package}"
    return None


@cache
def why_without(kind: Kind) -> str | None:
    """Why this kind of iptables cannot be used here, or None."""
    if lack := why_no_machine():
        return lack
    for tool in (kind.program, f"{kind.program}-save", f"{kind.program}-restore"):
        if not shutil.which(tool):
            return f"there is no {tool}: install the package iptables"
    with machine() as probe:
        tried = probe.exec([f"{kind.program}-restore", "--noflush"], stdin="*nat\nCOMMIT\n", check=False)
    return f"this kernel has no {kind.program}: {tried.stderr.strip()}" if tried.returncode else None


def _environment(path: str | None) -> Sequence[str]:
    return () if path is None else ("env", f"PATH={path}{os.pathsep}{os.environ['PATH']}")
