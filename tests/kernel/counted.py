"""Connections through Services within one machine: all endpoints are addresses of its own, and listen."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from pykubeproxy.model.ip import Family
from tests.host.namespace import Namespace
from tests.kernel.machine import COMMAND, DEADLINE_SECONDS, Machine

PORT = 8080

# Both lie in the pods' network, so that rules leave the client's address alone.
_CLIENT = {Family.IPV4: "10.244.0.250", Family.IPV6: "fd00:10:244::250"}
_PODS = {Family.IPV4: "10.244.0.0/16", Family.IPV6: "fd00:10:244::/64"}
_SERVICES = {Family.IPV4: "10.96.0.0/12", Family.IPV6: "fd00:10:96::/64"}
_SOCKETS = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}

_HEADING = re.compile(r"(\d+) new connections? in ")


@contextmanager
def all_pods_here(machine: Machine, family: Family) -> Iterator[Callable[[str, int], None]]:
    """Every pod address is one of the machine's. Gives what connects to a cluster IP, port 80, so many times."""
    version = "-4" if family is Family.IPV4 else "-6"
    for route in (("local", _PODS[family]), (_SERVICES[family],)):
        machine.exec(["ip", version, "route", "add", *route, "dev", "lo"])
    nodad = ("nodad",) if family is Family.IPV6 else ()
    machine.exec(["ip", "address", "add", _CLIENT[family], "dev", "lo", *nodad])
    inside = Namespace(machine.name)
    with ExitStack() as stack:
        server = inside.run(lambda: socket.create_server(("", PORT), family=_SOCKETS[family], backlog=256))
        stack.enter_context(server)

        def connect(address: str, times: int) -> None:
            for _ in range(times):
                with inside.run(lambda: socket.socket(_SOCKETS[family])) as client:
                    client.settimeout(DEADLINE_SECONDS)
                    client.bind((_CLIENT[family], 0))
                    client.connect((address, 80))
                    server.accept()[0].close()

        yield connect


def attempt(machine: Machine, address: str, family: Family) -> None:
    """Send the first packet of a connection to port 80, and give up at once, so that it is the only one."""
    with Namespace(machine.name).run(lambda: socket.socket(_SOCKETS[family])) as client:
        client.setblocking(False)
        client.bind((_CLIENT[family], 0))
        client.connect_ex((address, 80))


class Watching:
    """`pykubeproxy top`, which goes on and on; made when it has begun to count."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = iter(process.stdout)
        self.first = next(self._lines)

    def documents(self, connections: int) -> list[dict[str, Any]]:
        """Those that tell of so many connections in all, and of no more."""
        found, total = [], 0
        for line in self._lines:
            document = json.loads(line)
            found.append(document)
            total += document["connections"]
            if total >= connections:
                break
        assert total == connections
        return found

    def tables(self, connections: int) -> list[str]:
        """The same of texts, line by line; the last table up to its heading only."""
        found, total = [], 0
        for line in self._lines:
            found.append(line)
            heading = _HEADING.match(line)
            total += int(heading[1]) if heading else 0
            if heading and total >= connections:
                break
        assert total == connections
        # What follows the heading ends with an empty line.
        found += iter(lambda: next(self._lines), "\n")
        return found


@contextmanager
def watching(machine: Machine, *arguments: str) -> Iterator[Watching]:
    """Runs `top` with a short interval until the end of the block, where Ctrl-C ends it well."""
    process = machine.popen([*COMMAND, "top", "--interval", "0.1", *arguments])
    yield Watching(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0


def totals(documents: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Connections by Service and endpoint, over several intervals."""
    found: dict[str, dict[str, int]] = {}
    for document in documents:
        for service in document["services"]:
            endpoints = found.setdefault(service["service"], {})
            for endpoint in service["endpoints"]:
                name = endpoint["endpoint"]
                endpoints[name] = endpoints.get(name, 0) + endpoint["connections"]
    return found
