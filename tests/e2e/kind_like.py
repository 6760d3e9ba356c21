"""A cluster that only its own answers make one of kind's: what kubectl and docker would say of a lab."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from e2e.examples import read_manifests, topology_of
from e2e.topology import OutsiderSpec, Topology

JsonObject = dict[str, Any]

EXAMPLES = Path(__file__).parents[2] / "examples"
STAND_IN = Path(__file__).parent / "stand_ins/stand_in.py"
TOPOLOGY = topology_of(read_manifests(EXAMPLES))


def documents(kind: str) -> list[JsonObject]:
    """The objects of a kind in examples/."""
    return [
        document
        for path in sorted(EXAMPLES.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document["kind"] == kind
    ]


def service(name: str) -> JsonObject:
    """The Service of this name in examples/."""
    return next(document for document in documents("Service") if document["metadata"]["name"] == name)


def install(folder: Path, topology: Topology) -> Path:
    """Put the stand-ins into `folder`/bin, and the answers beside it; returns the folder to put first in PATH."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("kubectl", "docker"):
        (programs / name).symlink_to(STAND_IN)
    _write(folder / "nodes", {"items": list(_nodes(topology))})
    _write(folder / "pods", {"items": list(_pods(topology))})
    _write(folder / "services", {"items": documents("Service")})
    for outsider in topology.outsiders:
        _write(folder / f"pykubeproxy-{outsider.name}", _attachment(outsider))
    return programs


def applied(folder: Path) -> list[list[JsonObject]]:
    """What was applied, in order."""
    return [msgspec.json.decode(line)["items"] for line in (folder / "applied").read_text().splitlines() if line]


def calls(folder: Path) -> list[str]:
    """The command lines, in order."""
    return (folder / "calls").read_text().splitlines()


def _nodes(topology: Topology) -> Iterator[JsonObject]:
    yield {"metadata": {"name": "control-plane", "labels": {}}, "status": {"addresses": []}}
    for node in topology.nodes:
        addresses = [*_addresses(node.addresses, "InternalIP"), {"type": "Hostname", "address": f"worker-{node.name}"}]
        metadata = {"name": f"worker-{node.name}", "labels": {"example-node": node.name}}
        yield {"metadata": metadata, "spec": {}, "status": {"addresses": addresses}}


def _pods(topology: Topology) -> Iterator[JsonObject]:
    for pod in topology.pods:
        yield {"metadata": {"name": pod.name}, "status": {"podIPs": [{"ip": str(each)} for each in pod.addresses]}}


def _addresses(addresses: Iterable[object], kind: str) -> Iterator[JsonObject]:
    for address in addresses:
        yield {"type": kind, "address": str(address)}


def _attachment(outsider: OutsiderSpec) -> JsonObject:
    first, second = map(str, outsider.addresses)
    return {"IPAddress": first, "GlobalIPv6Address": second, "Gateway": "203.0.113.1"}


def _write(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.encode(value))
