"""The objects of a scenario as a real cluster takes them: pure.

In a lab, addresses can be made up. In a cluster they are given out: cluster IPs by the API server, pod IPs by the
network plugin, those of machines outside by docker. So machines and pods come first, and what names their addresses is
then written with those that they were given. Load balancer addresses, external IPs and node ports stay.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from ipaddress import ip_address, ip_network
from typing import Any

from e2e.kind.scenarios import DEFAULT, Scenario
from e2e.lab import OUTSIDE
from e2e.making import JsonObject
from e2e.topology import Address, Listener, NodeSpec, OutsiderSpec, PodSpec, Topology

NODE_LABEL = "stands-for"
"""Which node of the scenarios a node of the cluster stands for."""
SERVER = "/e2e/pod_server.py"
ACCOUNT = "e2e"

Moved = Mapping[Address, Address]
"""The addresses of machines outside, and which they have here instead."""


def labels(scenario: Scenario) -> dict[str, str]:
    """What tells the objects of a scenario from others."""
    return {"app.kubernetes.io/part-of": f"pykubeproxy-{scenario.name}"}


def namespaces(scenario: Scenario) -> Iterator[JsonObject]:
    """The namespaces that a scenario needs and no cluster has."""
    declared = {document["metadata"].get("namespace", DEFAULT) for document in scenario.objects}
    for name in sorted({scenario.real_namespace(each) for each in declared} - {DEFAULT}):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def account(scenario: Scenario) -> JsonObject:
    """Whose pods these are. The account that each namespace has by itself is there only some time after it."""
    metadata = {"name": ACCOUNT, "namespace": scenario.namespace, "labels": labels(scenario)}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def pods(scenario: Scenario, image: str) -> Iterator[JsonObject]:
    """A pod for each of the scenario's, and one in the network of each node, from which nodes ask."""
    for pod in scenario.topology.pods:
        yield _pod(scenario, pod.name, pod.node, image, command=_command(pod.name, pod.node, pod.listeners))
    for node in scenario.topology.nodes:
        yield _pod(scenario, host_pod(node.name), node.name, image, command=_command("", "", ()), hostNetwork=True)


def host_pod(node: str) -> str:
    """The name of the pod in a node's own network."""
    return f"host-{node}"


def outsider_command(outsider: OutsiderSpec) -> list[str]:
    """What runs in a machine outside."""
    return _command(outsider.name, OUTSIDE, outsider.listeners)


def service(scenario: Scenario, document: JsonObject, moved: Moved) -> JsonObject:
    """A Service without what the cluster gives out.

    Nothing selects its pods, so that its endpoints are those that the scenario lists. Source ranges that contain
    machines outside contain these where they are here instead, and nobody else.
    """
    made = _ours(scenario, document)
    made.pop("status", None)
    spec = made["spec"]
    spec.pop("selector", None)
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    if "loadBalancerSourceRanges" in spec:
        ranges = spec["loadBalancerSourceRanges"]
        spec["loadBalancerSourceRanges"] = [each for text in ranges for each in _ranges(text, moved)]
    return made


def balancer_patch(document: JsonObject, moved: Moved) -> JsonObject | None:
    """The status that a load balancer would write into a Service, or None; one that is a machine names itself."""
    ingress = [
        each | {"ip": str(moved.get(ip_address(each["ip"]), each["ip"]))}
        for each in document.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    ]
    return {"status": {"loadBalancer": {"ingress": ingress}}} if ingress else None


def endpoint_slice(
    scenario: Scenario, document: JsonObject, topology: Topology, node_names: Mapping[str, str]
) -> JsonObject:
    """An EndpointSlice with the addresses of the running pods of these names; `node_names` are the real ones."""
    made = _ours(scenario, document)
    made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = "pykubeproxy-e2e"
    version = 6 if made["addressType"] == "IPv6" else 4
    running = {pod.name: pod for pod in topology.pods}
    for endpoint in made["endpoints"]:
        pod = running[endpoint["targetRef"]["name"]]
        endpoint["addresses"] = [str(_of_family(pod, version))]
        endpoint["nodeName"] = node_names[pod.node]
        endpoint["targetRef"]["namespace"] = scenario.namespace
        for hint in endpoint.get("hints", {}).get("forNodes", ()):
            hint["name"] = node_names[hint["name"]]
    return made


def routes(topology: Topology) -> Iterator[tuple[str, ...]]:
    """What `ip` must be told on a machine outside: no way but to nodes, and these for load balancer addresses."""
    for family in ("-4", "-6"):
        yield (family, "route", "flush", "default")
    homes = {node.name: node for node in topology.nodes}
    for virtual in topology.virtual_addresses:
        version = virtual.address.version
        way = _of_family(homes[virtual.node], version)
        yield (f"-{version}", "route", "replace", str(virtual.address), "via", str(way))


def _pod(scenario: Scenario, name: str, node: str, image: str, *, command: list[str], **spec: Any) -> JsonObject:
    container = {"name": "pod", "image": image, "imagePullPolicy": "IfNotPresent", "command": command, "stdin": True}
    placed = {"nodeSelector": {NODE_LABEL: node}, "serviceAccountName": ACCOUNT, "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": scenario.namespace, "labels": labels(scenario)},
        "spec": {"containers": [container], **placed, **spec},
    }


def _command(name: str, node: str, listeners: Iterable[Listener]) -> list[str]:
    """What answers there, or nothing but waiting where nobody is asked."""
    ports = [f"{listener.protocol}/{listener.port}" for listener in listeners]
    return ["python3", SERVER, "--pod", name, "--node", node, *ports] if ports else ["sleep", "infinity"]


def _ours(scenario: Scenario, document: JsonObject) -> JsonObject:
    """A copy that can be changed, with our label, in the namespace where it belongs here."""
    made = deepcopy(document)
    metadata = made["metadata"]
    metadata["namespace"] = scenario.real_namespace(metadata.get("namespace", DEFAULT))
    metadata["labels"] = {**metadata.get("labels", {}), **labels(scenario)}
    return made


def _ranges(text: str, moved: Moved) -> list[str]:
    network = ip_network(text)
    inside = [str(ip_network(here)) for declared, here in moved.items() if declared in network]
    return inside or [text]


def _of_family(owner: PodSpec | NodeSpec, version: int) -> Address:
    return next(address for address in owner.addresses if address.version == version)
