"""The objects of examples/ as a real cluster takes them: pure.

In files, addresses can be made up. In a cluster they are given out: cluster IPs by the API server, pod IPs by the
network plugin. So pods come first, and EndpointSlices are then written with the addresses that these were given.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from ipaddress import ip_network
from typing import Any

from e2e.topology import CLIENT, Address, NodeSpec, OutsiderSpec, PodSpec, Topology

JsonObject = dict[str, Any]

NODE_LABEL = "example-node"
"""Which node of examples/ a node of the cluster stands for."""
PART_OF = {"app.kubernetes.io/part-of": "pykubeproxy-examples"}
SERVER = "/e2e/pod_server.py"
NAMESPACE = "default"


def pods(topology: Topology, image: str) -> Iterator[JsonObject]:
    """A pod for each of the topology's, and one in the network of each node, from which nodes ask."""
    for pod in topology.pods:
        yield _pod(pod.name, pod.node, image, command=_command(pod))
    for node in topology.nodes:
        yield _pod(host_pod(node.name), node.name, image, command=["sleep", "infinity"], hostNetwork=True)


def host_pod(node: str) -> str:
    """The name of the pod in a node's own network."""
    return f"host-{node}"


def namespaces(documents: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """The namespaces that these objects need and no cluster has."""
    needed = {document["metadata"].get("namespace", NAMESPACE) for document in documents} - {NAMESPACE}
    for name in sorted(needed):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service(document: JsonObject, client: OutsiderSpec) -> JsonObject:
    """A Service without what the cluster gives out.

    Nothing selects its pods, so that its endpoints are those that the example lists. Source ranges that contain the
    client of the examples contain this one instead.
    """
    made = _labelled(document)
    made.pop("status", None)
    spec = made["spec"]
    spec.pop("selector", None)
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    if "loadBalancerSourceRanges" in spec:
        spec["loadBalancerSourceRanges"] = [_range(text, client) for text in spec["loadBalancerSourceRanges"]]
    return made


def balancer_patch(document: JsonObject) -> JsonObject | None:
    """The status that a load balancer would write into a Service, or None."""
    ingress = document.get("status", {}).get("loadBalancer", {}).get("ingress")
    return {"status": {"loadBalancer": {"ingress": ingress}}} if ingress else None


def endpoint_slice(document: JsonObject, topology: Topology, node_names: dict[str, str]) -> JsonObject:
    """An EndpointSlice with the addresses of the running pods of these names; `node_names` are the real ones."""
    made = _labelled(document)
    made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = "pykubeproxy-examples"
    version = 6 if made["addressType"] == "IPv6" else 4
    running = {pod.name: pod for pod in topology.pods}
    for endpoint in made["endpoints"]:
        pod = running[endpoint["targetRef"]["name"]]
        endpoint["addresses"] = [str(_of_family(pod, version))]
        endpoint["nodeName"] = node_names[pod.node]
        endpoint["targetRef"]["namespace"] = NAMESPACE
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


def _pod(name: str, node: str, image: str, *, command: list[str], **spec: Any) -> JsonObject:
    container = {"name": "pod", "image": image, "imagePullPolicy": "IfNotPresent", "command": command, "stdin": True}
    selector = {NODE_LABEL: node}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(PART_OF)},
        "spec": {"containers": [container], "nodeSelector": selector, "terminationGracePeriodSeconds": 0, **spec},
    }


def _command(pod: PodSpec) -> list[str]:
    if not pod.listeners:
        return ["sleep", "infinity"]
    listeners = [f"{listener.protocol}/{listener.port}" for listener in pod.listeners]
    return ["python3", SERVER, "--pod", pod.name, "--node", pod.node, *listeners]


def _labelled(document: JsonObject) -> JsonObject:
    made = deepcopy(document)
    made["metadata"]["labels"] = {**made["metadata"].get("labels", {}), **PART_OF}
    return made


def _range(text: str, client: OutsiderSpec) -> str:
    network = ip_network(text)
    if any(address in network for address in CLIENT.addresses):
        return str(ip_network(_of_family(client, network.version)))
    return text


def _of_family(owner: PodSpec | NodeSpec | OutsiderSpec, version: int) -> Address:
    return next(address for address in owner.addresses if address.version == version)
