"""A cluster of kind's, by way of kubectl and docker: makes in it what the cases need, and reads what it has become."""

import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from e2e.asking import Fate, ask
from e2e.examples import Manifests, read_manifests, topology_of
from e2e.kind import live, rendering
from e2e.kind.live import Attachment, NodeList, PodList, ServiceList
from e2e.kind.rendering import JsonObject
from e2e.lab import Lab
from e2e.netns import LabError
from e2e.running import probes
from e2e.topology import OutsiderSpec, Topology

EXAMPLES = Path(__file__).parents[2] / "examples"
KIND_NETWORK = "kind"
OUTSIDER_PREFIX = "pykubeproxy-"
OURS = ",".join(f"{key}={value}" for key, value in rendering.PART_OF.items())
READY_SECONDS = 180
PROGRAMMED_SECONDS = 60.0
PAUSE_SECONDS = 0.2

T = TypeVar("T")


def prepare(image: str) -> None:
    """Make the pods, the machines outside and the Services of examples/; `image` is that of all pods. Raises LabError.

    What is there already stays.
    """
    examples = topology_of(read_manifests(EXAMPLES))
    documents = list(_documents(EXAMPLES))
    _apply([*rendering.namespaces(documents), *rendering.pods(examples, image)])
    _kubectl("wait", "--for=condition=Ready", "pod", "--selector", OURS, f"--timeout={READY_SECONDS}s")
    for outsider in examples.outsiders:
        _start_outsider(outsider.name, image)
    topology = live_topology()
    client = next(each for each in topology.outsiders if each.name == "client")
    names = live.node_names(_get(NodeList, "nodes").items)
    _apply(
        [
            rendering.service(each, client)
            if each["kind"] == "Service"
            else rendering.endpoint_slice(each, topology, names)
            for each in documents
        ]
    )
    for document in documents:
        _write_status(document)
    for outsider in topology.outsiders:
        for route in rendering.routes(topology):
            _run("docker", "exec", OUTSIDER_PREFIX + outsider.name, "ip", *route)


def live_topology() -> Topology:
    """The topology of examples/ as it is in the cluster. Raises LabError."""
    examples = topology_of(read_manifests(EXAMPLES))
    nodes, pods = _get(NodeList, "nodes"), _get(PodList, "pods", "--selector", OURS)
    outsiders = tuple(_outsider(each.name) for each in examples.outsiders)
    return live.topology(examples, nodes.items, pods.items, outsiders)


def live_services() -> Manifests:
    """The Services of examples/ as they are in the cluster. Raises LabError."""
    return live.services(_get(ServiceList, "services", "--all-namespaces", "--selector", OURS).items)


def wait_until_programmed(lab: Lab, manifests: Manifests) -> None:
    """Returns once both families are served on every node. Raises LabError if they are not in time."""
    deadline = time.monotonic() + PROGRAMMED_SECONDS
    for node in lab.nodes.values():
        for probe in probes(lab.topology, manifests):
            while ask(node, probe, seconds=1.0).fate is not Fate.ANSWERED:
                if time.monotonic() > deadline:
                    raise LabError(f"{probe} is not answered on {node.spec.name} after {PROGRAMMED_SECONDS:g} s")
                time.sleep(PAUSE_SECONDS)


def _documents(folder: Path) -> Iterator[JsonObject]:
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document["kind"] in ("Service", "EndpointSlice"):
                yield document


def _start_outsider(name: str, image: str) -> None:
    container = OUTSIDER_PREFIX + name
    if not _run("docker", "ps", "--quiet", "--filter", f"name=^{container}$"):
        place = ("--network", KIND_NETWORK, "--cap-add", "NET_ADMIN", "--name", container)
        _run("docker", "run", "--detach", "--rm", *place, image, "sleep", "infinity")


def _outsider(name: str) -> OutsiderSpec:
    template = f"{{{{json (index .NetworkSettings.Networks {msgspec.json.encode(KIND_NETWORK).decode()})}}}}"
    answer = _run("docker", "inspect", "--format", template, OUTSIDER_PREFIX + name)
    return live.outsider(name, _decoded(Attachment, answer))


def _write_status(document: JsonObject) -> None:
    patch = rendering.balancer_patch(document) if document["kind"] == "Service" else None
    if patch is not None:
        metadata = document["metadata"]
        text = msgspec.json.encode(patch).decode()
        where = ("--namespace", metadata["namespace"], "service", metadata["name"])
        _kubectl("patch", *where, "--subresource", "status", "--type", "merge", "--patch", text)


def _apply(objects: Iterable[JsonObject]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    _kubectl("apply", "--filename", "-", stdin=msgspec.json.encode(listed).decode())


def _get(kind: type[T], *arguments: str) -> T:
    return _decoded(kind, _kubectl("get", *arguments, "--output", "json"))


def _decoded(kind: type[T], text: str) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise LabError(f"the cluster's answer is not a {kind.__name__}: {error}") from error


def _kubectl(*arguments: str, stdin: str = "") -> str:
    return _run("kubectl", *arguments, stdin=stdin)


def _run(*argv: str, stdin: str = "") -> str:
    try:
        return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout
    except subprocess.CalledProcessError as error:
        raise LabError(f"{_shown(argv)} failed") from error
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error


def _shown(argv: Sequence[str]) -> str:
    return " ".join(argv)
