"""Services, who is there to ask and to answer, and the cases, as one value: the same as in a lab of namespaces."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import yaml
from msgspec import Struct
from msgspec.structs import replace

from e2e import cases as example_cases
from e2e.examples import manifests_of, topology_of
from e2e.expectation import Case
from e2e.kind import exclusions
from e2e.kind.exclusions import Exclusion
from e2e.making import JsonObject
from e2e.three_nodes import cases as three_nodes_cases
from e2e.three_nodes import services as three_nodes_services
from e2e.topology import Topology

DEFAULT = "default"
FOLDER = Path(__file__).parents[2] / "examples"


class Scenario(Struct, frozen=True, kw_only=True):
    """API objects, the network that they are made for, and what is asked of them.

    Scenarios share a cluster: in `namespace` is what the objects have in the namespace default. `probe` is the Service
    by whose answers a node is known to be ready.
    """

    name: str
    namespace: str
    documents: tuple[JsonObject, ...]
    topology: Topology
    cases: tuple[Case, ...]
    probe: str
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def objects(self) -> tuple[JsonObject, ...]:
        """The Services and EndpointSlices; nodes are the cluster's own."""
        return tuple(each for each in self.documents if each["kind"] in ("Service", "EndpointSlice"))

    def real_namespace(self, declared: str) -> str:
        """The namespace in the cluster that stands for this one of the objects."""
        return self.namespace if declared == DEFAULT else declared

    def declared_namespace(self, real: str) -> str:
        """The opposite."""
        return DEFAULT if real == self.namespace else real


def examples() -> Scenario:
    """examples/, on two nodes."""
    documents = tuple(_documents(FOLDER))
    return Scenario(
        name="examples",
        namespace=DEFAULT,
        documents=documents,
        topology=topology_of(manifests_of(documents)),
        cases=example_cases.CASES,
        probe="default/portal",
    )


def three_nodes() -> Scenario:
    """Every kind of Service, dual stack, on three nodes in two zones; the Service made last is the probe."""
    return Scenario(
        name="three-nodes",
        namespace="three-nodes",
        documents=three_nodes_services.OBJECTS,
        topology=three_nodes_services.topology(sctp=True),
        cases=three_nodes_cases.CASES,
        probe="default/crowd",
        exclusions=(exclusions.SCTP,),
    )


SCENARIOS: Mapping[str, Callable[[], Scenario]] = {"examples": examples, "three-nodes": three_nodes}


def without(scenario: Scenario, services: AbstractSet[str]) -> Scenario:
    """The scenario without these Services and their cases; nobody listens for them any more."""
    documents = tuple(each for each in scenario.documents if _service(each) not in services)
    built = topology_of(manifests_of(documents))
    return replace(
        scenario,
        documents=documents,
        topology=replace(scenario.topology, pods=built.pods, virtual_addresses=built.virtual_addresses),
        cases=tuple(case for case in scenario.cases if case.service not in services),
    )


def _service(document: JsonObject) -> str | None:
    """The Service that an object is, or belongs to."""
    metadata = document["metadata"]
    name = {
        "Service": metadata["name"],
        "EndpointSlice": metadata.get("labels", {}).get("kubernetes.io/service-name"),
    }.get(document["kind"])
    return name and f"{metadata.get('namespace', DEFAULT)}/{name}"


def _documents(folder: Path) -> Iterator[JsonObject]:
    for path in sorted(folder.glob("*.yaml")):
        yield from filter(None, yaml.safe_load_all(path.read_text()))
