"""A cluster that only its own answers make one of kind's: what kubectl and docker would say of it.

Nothing in it has the address, and no node the name, that the definition of a scenario has for it.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from e2e.kind.rendering import NODE_LABEL
from e2e.kind.scenarios import Scenario
from e2e.topology import Address, NodeSpec, OutsiderSpec, PodSpec, Topology

JsonObject = dict[str, Any]

KIND = Path(__file__).parents[2] / "e2e/kind"
STAND_IN = Path(__file__).parent / "stand_ins/stand_in"
STEP = 5  # to an address that nothing else has


def workers() -> dict[str, dict[str, str]]:
    """The labels that e2e/kind/cluster.yaml gives to nodes, by the node that each stands for."""
    nodes = yaml.safe_load((KIND / "cluster.yaml").read_text())["nodes"]
    return {node["labels"][NODE_LABEL]: node["labels"] for node in nodes if "labels" in node}


def worker(name: str) -> str:
    """What the node of the cluster is called that stands for this one."""
    return f"worker-{name}"


def elsewhere(topology: Topology) -> Topology:
    """The same with other addresses."""
    return replace(
        topology,
        nodes=tuple(replace(each, addresses=_others(each)) for each in topology.nodes),
        pods=tuple(replace(each, addresses=_others(each)) for each in topology.pods),
        outsiders=tuple(replace(each, addresses=_others(each)) for each in topology.outsiders),
    )


def on_workers(topology: Topology) -> Topology:
    """The same with the nodes' names in the cluster."""
    return replace(
        topology,
        nodes=tuple(replace(each, name=worker(each.name)) for each in topology.nodes),
        pods=tuple(replace(each, node=worker(each.node)) for each in topology.pods),
        virtual_addresses=tuple(replace(each, node=worker(each.node)) for each in topology.virtual_addresses),
    )


def nodes(topology: Topology) -> Iterator[JsonObject]:
    """The cluster's nodes: a control plane, and the workers with their labels."""
    yield _node("control-plane", {}, ())
    for name, labels in workers().items():
        spec = next((node for node in topology.nodes if node.name == name), None)
        if spec is None:
            yield _node(worker(name), labels, ())
        else:
            made = _node(worker(name), labels, spec.addresses)
            yield made | {"spec": {"podCIDRs": [str(network) for network in spec.pod_networks]}}


def install(folder: Path, topology: Topology, services: Iterable[JsonObject] = ()) -> None:
    """Put the stand-ins into `folder`/bin, and their answers beside it."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("kubectl", "docker"):
        (programs / name).symlink_to(STAND_IN)
    answer(folder, "nodes", nodes(topology))
    answer(folder, "pods", _pods(topology))
    answer(folder, "services", services)
    for outsider in topology.outsiders:
        (folder / f"pykubeproxy-{outsider.name}").write_bytes(msgspec.json.encode(_attachment(outsider)))


def enter(patch: pytest.MonkeyPatch, folder: Path, scenario: Scenario, lab: str | None = None) -> None:
    """Let kubectl and docker be the stand-ins; `lab` begins the names of the namespaces behind them, if any."""
    patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("STAND_IN", str(folder))
    patch.setenv("HOME_NAMESPACE", scenario.namespace)
    patch.setenv("PYTHON", sys.executable)
    patch.setenv("E2E", str(KIND.parent))
    patch.delenv("FAILS", raising=False)
    patch.delenv("LAB", raising=False)
    if lab is not None:
        patch.setenv("LAB", lab)


def answer(folder: Path, kind: str, objects: Iterable[JsonObject]) -> None:
    """Let these be the objects of a kind, such as `pods`."""
    (folder / kind).write_bytes(msgspec.json.encode({"items": list(objects)}))


def applied(folder: Path) -> list[list[JsonObject]]:
    """What was applied, in order."""
    return [msgspec.json.decode(line)["items"] for line in (folder / "applied").read_text().splitlines() if line]


def patched(folder: Path) -> Iterator[tuple[str, str, JsonObject]]:
    """The Services whose status was written, by namespace and name, and how."""
    for call in calls(folder):
        if call.startswith("kubectl patch"):
            words = call.split()
            yield words[3], words[5], msgspec.json.decode(words[-1])


def calls(folder: Path) -> list[str]:
    """The command lines, in order."""
    return (folder / "calls").read_text().splitlines()


def _others(owner: NodeSpec | PodSpec | OutsiderSpec) -> tuple[Address, ...]:
    return tuple(address + STEP for address in owner.addresses)


def _node(name: str, labels: JsonObject, addresses: Iterable[Address]) -> JsonObject:
    listed = [{"type": "InternalIP", "address": str(address)} for address in addresses]
    status = {"addresses": [*listed, {"type": "Hostname", "address": name}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


def _pods(topology: Topology) -> Iterator[JsonObject]:
    for pod in topology.pods:
        yield {"metadata": {"name": pod.name}, "status": {"podIPs": [{"ip": str(each)} for each in pod.addresses]}}


def _attachment(outsider: OutsiderSpec) -> JsonObject:
    first, second = map(str, outsider.addresses)
    return {"IPAddress": first, "GlobalIPv6Address": second, "Gateway": "203.0.113.1"}
