"""kube-proxy itself as the judge: the same objects in an API server, and what it writes held against our linear text.

KUBE_PROXY_BIN names the program. It runs in a network namespace of its own, which also has the addresses of the node
that the states are about. What the API server refuses is in neither of the two clusters; what it fills in is in both,
because the objects are read back from it.
"""

import difflib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.namespaces import namespace, run_inside
from e2e.netns import Namespace
from e2e.proxies import UNMANAGED
from fuzz.addresses import known
from fuzz.compiling import options_for, snapshot_of
from fuzz.findings import Finding
from fuzz.shapes import Object, is_usable
from fuzz.states import ADDRESSES, NODE, State
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render
from tests.apiserver.errors import ApiError
from tests.apiserver.server import ApiServer
from tests.corpus import canonical, sorted_dispatch, without_nfacct

PROGRAM = "KUBE_PROXY_BIN"
SECONDS = 60.0  # kube-proxy itself waits 30 for a Node that has no address
_POLL_SECONDS = 0.25
_SAVE = {Family.IPV4: "iptables-save", Family.IPV6: "ip6tables-save"}
_CLEAN = "*filter\nCOMMIT\n*nat\nCOMMIT\n*mangle\nCOMMIT\n"
_KINDS = ("Node", "Service", "EndpointSlice")


def why_no_peer() -> str | None:
    """Why there is nobody to compare with, or None."""
    program = os.environ.get(PROGRAM)
    if not program:
        return f"{PROGRAM} is not set"
    return None if os.access(program, os.X_OK) else f"{PROGRAM}={program} cannot be run"


@contextmanager
def open_peer(command: Sequence[str] = (), seconds: float = SECONDS) -> Iterator["Peer"]:
    """A namespace for kube-proxy and its API server; `command` stands in for the program, in tests."""
    with namespace("peer") as node:
        node.ip(["link add eth0 type veth peer name eth1", "link set eth0 up", *map(_address, ADDRESSES[:4])])
        yield Peer(node, tuple(command) or (os.environ[PROGRAM],), seconds)


def _address(text: str) -> str:
    rest = "/24 dev eth0" if known(text).version == 4 else "/64 dev eth0 nodad"
    return f"address add {text}{rest}"


class Peer:
    """kube-proxy on the node that the states are about."""

    def __init__(self, node: Namespace, command: tuple[str, ...], seconds: float) -> None:
        self._node = node
        self._seconds = seconds
        self._command = command

    def check(self, state: State) -> None:
        """Raises Finding if kube-proxy writes other rules for the same cluster and flags."""
        problem = run_inside(self._node.name, compare, self._command, state, self._seconds)
        if problem:
            raise Finding(problem)


def compare(command: Sequence[str], state: State, seconds: float) -> str:
    """How kube-proxy's rules differ from ours, as diffs; empty if they do not. To be called inside the namespace."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-peer-")))
        server = stack.enter_context(ApiServer(kubernetes_service=False))
        taken = _taken(server, state.objects)
        server.kubeconfig(folder / "kubeconfig")
        flags = ("--kubeconfig", str(folder / "kubeconfig"), "--hostname-override", NODE, "--proxy-mode", "iptables")
        log = stack.enter_context((folder / "log").open("w"))
        process = subprocess.Popen([*command, *flags, *UNMANAGED, *state.flags], stdout=log, stderr=log)
        try:
            return _wait_for_equality(process, _wanted(state, taken), folder / "log", seconds)
        finally:
            process.terminate()
            process.wait()
            for save in _SAVE.values():
                _tool(save.replace("save", "restore"), _CLEAN)


def _taken(server: ApiServer, objects: Sequence[Object]) -> list[Object]:
    """Give the API server what it takes of some objects; return them as it has them."""
    for kind in _KINDS:
        for obj in objects:
            if obj["kind"] == kind and is_usable(obj):
                try:
                    server.create(obj)
                except ApiError:
                    continue
    return [obj for kind in _KINDS for obj in server.objects(kind)]


def _wanted(state: State, taken: Sequence[Object]) -> dict[Family, str]:
    """Our text for these objects, in kube-proxy's layout."""
    snapshot = snapshot_of(taken)
    node = snapshot.nodes.get(NODE)
    found = {}
    for family in Family:
        ruleset = compile_ruleset(snapshot, options_for(state.flags, node, family, Dispatch.LINEAR))
        found[family] = _comparable("".join(f"{line}\n" for line in render(ruleset)))
    return found


def _wait_for_equality(
    process: "subprocess.Popen[bytes]", wanted: Mapping[Family, str], log: Path, seconds: float
) -> str:
    """Wait until both families are as wanted; after a while, say in what they are not."""
    deadline = time.monotonic() + seconds
    while True:
        found = {family: _comparable(_tool(save)) for family, save in _SAVE.items()}
        if found == wanted:
            return ""
        if process.poll() is not None:
            return f"kube-proxy has ended with {process.returncode}: {log.read_text()[-500:]}"
        if time.monotonic() > deadline:
            return "\n".join(_diff(family, wanted[family], found[family]) for family in wanted)
        time.sleep(_POLL_SECONDS)


def _comparable(dump: str) -> str:
    """A dump without what is arbitrary in it: order among Services, counters, and tables without rules."""
    return canonical(sorted_dispatch(without_nfacct(dump)))


def _diff(family: Family, wanted: str, found: str) -> str:
    lines = difflib.unified_diff(
        wanted.splitlines(), found.splitlines(), f"ours {family}", "kube-proxy", n=0, lineterm=""
    )
    return "\n".join(lines)


def _tool(name: str, text: str = "") -> str:
    return subprocess.run([name], input=text, capture_output=True, text=True, check=True).stdout
