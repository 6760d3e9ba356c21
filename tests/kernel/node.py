"""A machine with one kind of iptables and a file of objects: what most tests of the kernel begin with."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import Lines, Ruleset
from tests.kernel.machine import Kind, Machine, wait_until
from tests.kernel.objects import Manifest, cluster_ip, web, write
from tests.kernel.stand_ins import StandIns


class Node:
    """Commands run on it are confined to its kind of iptables."""

    def __init__(self, machine: Machine, kind: Kind, folder: Path) -> None:
        self.machine, self.kind, self.folder = machine, kind, folder
        self.source, self.log = folder / "objects.json", folder / "log"

    @property
    def family(self) -> Family:
        """That of its iptables."""
        return self.kind.family

    def web(self, number: int = 1, endpoints: Iterable[int | str] = (1, 2), **spec: Any) -> list[Manifest]:
        """Service web-<number> and its slice."""
        return web(self.family, number, endpoints, **spec)

    def write(self, *objects: Iterable[Manifest]) -> None:
        """Make these the objects of the cluster."""
        write(self.source, *objects)

    def once(self, *arguments: str, source: Path | None = None, path: str | None = None) -> "Done":
        """`run --once`, however it ends."""
        return self.machine.once(source or self.source, *self.kind.flags, *arguments, path=path)

    def sync(self, *arguments: str, source: Path | None = None, path: str | None = None) -> "Done":
        """`run --once`, which must succeed."""
        done = self.once(*arguments, source=source, path=path)
        assert done.returncode == 0, done.stderr
        return done

    def start(self, *arguments: str, source: Path | None = None, path: str | None = None) -> "subprocess.Popen[str]":
        """`run`, with its log in a file."""
        return self.machine.start(source or self.source, self.log, *self.kind.flags, *arguments, path=path)

    def ask(self, *command: str) -> "Done":
        """Another command."""
        return self.machine.pykubeproxy(*command, *self.kind.flags)

    def document(self, *command: str) -> Any:
        """What it prints as JSON."""
        return json.loads(self.ask(*command, "--output", "json").stdout)

    def diff(self, *arguments: str) -> "Done":
        """`diff` with the file of objects."""
        return self.ask("diff", "-f", str(self.source), *arguments)

    def stand_ins(self) -> StandIns:
        """Tools to be put before the real ones."""
        return StandIns(self.folder / "bin")

    def load(self, document: str, *arguments: str) -> None:
        """Add to the live rules."""
        self.machine.load(self.kind, document, *arguments)

    def iptables(self, *arguments: str) -> None:
        """Run the rule tool."""
        self.machine.iptables(self.kind, *arguments)

    def dump(self, *arguments: str) -> str:
        """The live rules as text."""
        return self.machine.dump(self.kind, *arguments)

    def rules(self) -> Ruleset:
        """The live rules."""
        return self.machine.rules(self.kind)

    def chain(self, table: str, chain: str) -> Lines | None:
        """The live rules of one chain; None if there is no such chain."""
        return self.rules().lines(table, chain)

    def served(self) -> set[int]:
        """The numbers of the Services that the live rules serve or refuse."""
        dump = self.dump()
        return {number for number in range(1, 60) if f" -d {cluster_ip(self.family, number)}{self.kind.mask} " in dump}

    def wait_for(self, *numbers: int) -> None:
        """Wait until just these Services are in the live rules."""
        wait_until(lambda: self.served() == set(numbers), f"{numbers}, not {self.served()}")

    def wait_for_log(self, text: str) -> None:
        """Wait until the daemon has said something."""
        wait_until(lambda: text in self.log.read_text(), text)


Done = subprocess.CompletedProcess[str]
