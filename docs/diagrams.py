"""The diagrams in docs/architecture.md, made from the code, as Mermaid text.

In a text, a comment `<!-- diagram: NAME -->` stands before a block that begins with ```mermaid; DIAGRAMS has, by name,
the functions that return what the block should hold. Nothing here is drawn by hand: imports are read from the source
files, the sequence is recorded while a change is carried out, and the tree is compiled from Services.
"""

import ast
import sys
import tomllib
from collections.abc import Callable
from types import FrameType

import msgspec
import structlog

from bench.in_process import loop_for, options, proxy_for
from bench.synthetic import Shape, objects, slice_documents
from docs import ROOT
from docs.threads import THREADS
from pykubeproxy.cluster.resources import ENDPOINT_SLICES
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.watch_protocol import TRANSITIONS, WatchState
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules import names
from pykubeproxy.rules.compile import Compiler
from tests.memory_host import MemoryHost

PACKAGE = "pykubeproxy"

# Modules that every other one uses: calls to them would hide the way of a change.
_EVERYWHERE = ("pykubeproxy.model", "pykubeproxy.rules.ruleset")

Imports = dict[str, set[str]]


def floors() -> str:
    """The packages, floor by floor, and their imports; those that another import implies are left out."""
    imports = _imports()
    lines = ["flowchart TD"]
    for number, layer in enumerate(_layers()):
        lines += [f"  subgraph floor{number}[ ]", *(f"    {package}" for package in layer), "  end"]
    for importer in sorted(imports):
        implied = set().union(*(_below(package, imports) for package in imports[importer]))
        lines += [f"  {importer} --> {imported}" for imported in sorted(imports[importer] - implied)]
    return "\n".join(lines)


def _layers() -> list[list[str]]:
    """The packages of each floor, the highest first, as the import contract has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if f"{PACKAGE}.model" in each.get("layers", ()))
    return [[_package(module) for module in layer.split(" | ")] for layer in layers]


def _imports() -> Imports:
    """The packages that each package imports from, by the import statements in its modules."""
    found: Imports = {}
    for path in sorted((ROOT / PACKAGE).glob("*/**/*.py")):
        importer = path.relative_to(ROOT / PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE}."):
                found.setdefault(importer, set()).add(_package(node.module))
    return {importer: imported - {importer} for importer, imported in found.items()}


def _below(package: str, imports: Imports) -> set[str]:
    """All packages that one imports from, directly or through others."""
    direct = imports.get(package, set())
    return direct.union(*(_below(imported, imports) for imported in direct))


def _package(module: str) -> str:
    """The package that a module is in: `rules` for `pykubeproxy.rules.text`."""
    return module.split(".")[1]


def one_change() -> str:
    """The calls between packages from an event of a watch to the input of iptables-restore, in their order.

    Recorded while a node with two Services takes in that one endpoint has been replaced. A call is drawn once.
    """
    shape = Shape(services=2, endpoints=2)
    loop = loop_for(proxy_for(MemoryHost(), Backend.NFT))
    for obj in objects(shape):
        loop.snapshot.put(obj)
    tracker = Tracker(ENDPOINT_SLICES)
    (document,) = slice_documents(0, shape, generation=1)
    event = msgspec.json.encode(document)
    calls: dict[str, None] = {}

    def record(frame: FrameType, kind: str, _: object) -> None:
        caller = frame.f_back
        if kind == "call" and caller is not None and (arrow := _arrow(caller, frame)):
            calls[arrow] = None

    logger = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    loop.sync()
    sys.setprofile(record)
    try:
        tracker.put(event)
        loop.take(ObjectsChanged(tracker.take()))
        loop.sync()
    finally:
        sys.setprofile(None)
        structlog.configure(**logger)
    return "\n".join(("sequenceDiagram", *calls))


def _arrow(caller: FrameType, called: FrameType) -> str:
    """A call from one package to another, as Mermaid has it; empty for all other calls."""
    source, target = _module(caller), _module(called)
    name = called.f_code.co_qualname
    if not target.startswith(f"{PACKAGE}.") or target.startswith(_EVERYWHERE) or "<" in name or "__" in name:
        return ""
    if not source.startswith((f"{PACKAGE}.", __name__)):
        return ""
    origin = "watch" if source == __name__ else _package(source)
    return f"  {origin} ->> {_package(target)}: {name}" if origin != _package(target) else ""


def _module(frame: FrameType) -> str:
    """The module whose code a frame runs; for the host without a kernel, the package that it stands in for."""
    name: str = frame.f_globals.get("__name__", "")
    return f"{PACKAGE}.host" if name == MemoryHost.__module__ else name


def dispatch_tree() -> str:
    """The chains of nat that lead to 40 Services, and how many rules for Services each of the last ones holds."""
    compiler = Compiler(options())
    snapshot = Snapshot()
    touched: set[ServiceKey] = set()
    for obj in objects(Shape(services=40, endpoints=1)):
        touched |= snapshot.put(obj)
    compiler.update(snapshot, touched)
    chains = compiler.ruleset.tables["nat"].chains
    lines = ["flowchart LR"]
    waiting = [names.SERVICES]
    while waiting:
        chain = waiting.pop(0)
        targets = [line.rpartition(" -j ")[2] for line in chains[chain]]
        services = sum(1 for target in targets if names.service_hash(target))
        inner = [target for target in targets if target in chains and not names.service_hash(target)]
        inner = [target for target in inner if target.startswith(names.CLUSTER_POLICY)]
        lines.append(f'  {_identifier(chain)}["{chain}"]')
        lines += [f"  {_identifier(chain)} --> {_identifier(target)}" for target in inner]
        lines.append(f"  {_identifier(chain)} --> {_identifier(chain)}_services([{services} Services])")
        waiting += inner
    return "\n".join(lines)


def watch_states() -> str:
    """The states of the watch protocol, and what leads from one to another."""
    lines = ["stateDiagram-v2", f"  [*] --> {WatchState.STREAM}"]
    for (state, cause), transition in TRANSITIONS.items():
        pause = ", after a pause" if transition.pauses else ""
        lines.append(f"  {state} --> {transition.to}: {cause}{pause}")
    return "\n".join(lines)


def threads() -> str:
    """The threads of the daemon, and the messages that pass between them and the loop."""
    lines = ["flowchart LR"]
    for number, thread in enumerate(THREADS):
        node = "loop" if number == 0 else f"thread{number}"
        lines.append(f'  {node}["<b>{thread.name}</b><br>{thread.does}"]')
        lines += [f"  {node} -- {_named(types)} --> loop" for types in (thread.sends,) if types]
        lines += [f"  loop -- {_named(types)} --> {node}" for types in (thread.takes,) if types]
    return "\n".join(lines)


def _named(types: tuple[type, ...]) -> str:
    return ", ".join(each.__name__ for each in types)


def _identifier(chain: str) -> str:
    """A chain's name in letters that Mermaid takes for an identifier."""
    return "".join(letter if letter.isalnum() else "_" for letter in chain)


DIAGRAMS: dict[str, Callable[[], str]] = {
    "floors": floors,
    "one change": one_change,
    "threads": threads,
    "watch states": watch_states,
    "dispatch tree": dispatch_tree,
}
