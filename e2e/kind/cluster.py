"""A cluster of kind's: makes in it what a scenario's cases need, and finds it there again."""

import time
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from e2e.asking import Fate, ask
from e2e.examples import Manifests
from e2e.kind import live, rendering, tools
from e2e.kind.exclusions import Exclusion
from e2e.kind.live import Attachment, NodeList, PodList, ServiceList
from e2e.kind.scenarios import Scenario, without
from e2e.lab import Lab
from e2e.making import JsonObject
from e2e.netns import LabError
from e2e.running import probes
from e2e.topology import OutsiderSpec, Topology

KIND_NETWORK = "kind"
OUTSIDER_PREFIX = "pykubeproxy-"
READY_SECONDS = 180
PROGRAMMED_SECONDS = 60.0
PAUSE_SECONDS = 0.2


class Prepared(Struct, frozen=True, kw_only=True):
    """A scenario as it is in the cluster: what of it is there and what is not, with the cluster's own addresses."""

    scenario: Scenario
    excluded: tuple[Exclusion, ...]
    topology: Topology
    manifests: Manifests


def prepare(scenario: Scenario, image: str) -> None:
    """Make a scenario's machines outside, pods and Services; `image` is that of all pods. Raises LabError.

    What is there already stays.
    """
    for outsider in scenario.topology.outsiders:
        _start_outsider(outsider, image)
    scenario, _ = _possible(scenario)
    tools.apply([*rendering.namespaces(scenario), rendering.account(scenario), *rendering.pods(scenario, image)])
    ready = ("--for=condition=Ready", "pod", *_ours(scenario), f"--timeout={READY_SECONDS}s")
    tools.run("kubectl", "wait", "--namespace", scenario.namespace, *ready)
    topology = _live_topology(scenario)
    tools.apply(_objects(scenario, topology))
    _write_statuses(scenario, topology)
    for outsider in topology.outsiders:
        for route in rendering.routes(topology):
            tools.run("docker", "exec", OUTSIDER_PREFIX + outsider.name, "ip", *route)


def prepared(scenario: Scenario) -> Prepared:
    """Find a scenario in the cluster. Raises LabError if it is not there."""
    possible, excluded = _possible(scenario)
    topology = _live_topology(possible)
    found = tools.get(ServiceList, "services", "--all-namespaces", *_ours(scenario))
    return Prepared(
        scenario=possible, excluded=excluded, topology=topology, manifests=live.services(scenario, found.items)
    )


def wait_until_programmed(lab: Lab, manifests: Manifests, probe: str) -> None:
    """Returns once a Service is served in both families on every node. Raises LabError if it is not in time."""
    deadline = time.monotonic() + PROGRAMMED_SECONDS
    for node in lab.nodes.values():
        for destination in probes(lab.topology, manifests, probe):
            while ask(node, destination, seconds=1.0).fate is not Fate.ANSWERED:
                if time.monotonic() > deadline:
                    where = f"{destination} is not answered on {node.spec.name}"
                    raise LabError(f"{where} after {PROGRAMMED_SECONDS:g} s")
                time.sleep(PAUSE_SECONDS)


def _possible(scenario: Scenario) -> tuple[Scenario, tuple[Exclusion, ...]]:
    """What of a scenario can be asked here, and what cannot; tried out where its first outsider is."""
    place = OUTSIDER_PREFIX + scenario.topology.outsiders[0].name
    excluded = tuple(each for each in scenario.exclusions if not tools.succeeds("docker", "exec", place, *each.test))
    return without(scenario, {each.service for each in excluded}), excluded


def _live_topology(scenario: Scenario) -> Topology:
    nodes = tools.get(NodeList, "nodes")
    pods = tools.get(PodList, "pods", "--namespace", scenario.namespace, *_ours(scenario))
    outsiders = tuple(_outsider(each.name) for each in scenario.topology.outsiders)
    return live.topology(scenario.topology, nodes.items, pods.items, outsiders)


def _objects(scenario: Scenario, topology: Topology) -> Iterator[JsonObject]:
    names = live.node_names(tools.get(NodeList, "nodes").items)
    moved = live.moved(scenario.topology, topology)
    for each in scenario.objects:
        if each["kind"] == "Service":
            yield rendering.service(scenario, each, moved)
        else:
            yield rendering.endpoint_slice(scenario, each, topology, names)


def _write_statuses(scenario: Scenario, topology: Topology) -> None:
    moved = live.moved(scenario.topology, topology)
    for document in scenario.objects:
        if patch := rendering.balancer_patch(document, moved):
            metadata = document["metadata"]
            where = ("--namespace", scenario.real_namespace(metadata["namespace"]), "service", metadata["name"])
            how = ("--subresource", "status", "--type", "merge", "--patch", msgspec.json.encode(patch).decode())
            tools.run("kubectl", "patch", *where, *how)


def _ours(scenario: Scenario) -> tuple[str, str]:
    return "--selector", ",".join(f"{key}={value}" for key, value in rendering.labels(scenario).items())


def _start_outsider(outsider: OutsiderSpec, image: str) -> None:
    container = OUTSIDER_PREFIX + outsider.name
    if not tools.run("docker", "ps", "--quiet", "--filter", f"name=^{container}$"):
        place = ("--network", KIND_NETWORK, "--cap-add", "NET_ADMIN", "--name", container)
        command = rendering.outsider_command(outsider)
        tools.run("docker", "run", "--detach", "--interactive", "--rm", *place, image, *command)


def _outsider(name: str) -> OutsiderSpec:
    template = f"{{{{json (index .NetworkSettings.Networks {msgspec.json.encode(KIND_NETWORK).decode()})}}}}"
    answer = tools.run("docker", "inspect", "--format", template, OUTSIDER_PREFIX + name)
    return live.outsider(name, tools.decoded(Attachment, answer))
