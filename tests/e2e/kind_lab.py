"""A lab behind the stand-ins for kubectl and docker: what is prepared by them is what its proxies serve."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from e2e.cluster import Cluster, open_cluster
from e2e.kind import cluster as kind_cluster
from e2e.kind import rendering
from e2e.kind.scenarios import Scenario, without
from e2e.lab import Lab, has_sctp
from e2e.proxies import CLUSTER_CIDR
from tests.e2e.kind_like import answer, applied, elsewhere, enter, install, nodes, on_workers, patched

FLAGS = (f"--cluster-cidr={CLUSTER_CIDR}", "--backend=nft")


class KindLab(Struct, frozen=True, kw_only=True):
    """The lab, the folder of the stand-ins, and what is asked: without what this kernel does not speak."""

    lab: Lab
    folder: Path
    scenario: Scenario


@contextmanager
def open_kind_lab(scenario: Scenario, folder: Path) -> Iterator[KindLab]:
    """Build a lab that is not as the scenario has it, and prepare it for the scenario as a cluster of kind's."""
    asked = scenario if has_sctp() else without(scenario, {each.service for each in scenario.exclusions})
    topology = elsewhere(asked.topology)
    with open_cluster(on_workers(topology), folder, FLAGS) as cluster, pytest.MonkeyPatch.context() as patch:
        install(folder, topology)
        enter(patch, folder, scenario, cluster.lab.prefix)
        kind_cluster.prepare(scenario, "image:1")
        cluster.load(node for node in nodes(topology) if "spec" in node)
        _serve(cluster, scenario, folder)
        cluster.start_all()
        yield KindLab(lab=cluster.lab, folder=folder, scenario=asked)


def _serve(cluster: Cluster, scenario: Scenario, folder: Path) -> None:
    """Let the API have what was given to kubectl, and kubectl what the API makes of it."""
    for objects in applied(folder):
        cluster.load(objects)
    for namespace, name, patch in patched(folder):
        cluster.api.patch("Service", namespace, name, patch, subresource="status")
    ours = rendering.labels(scenario).items()
    made = cluster.api.objects("Service")
    answer(folder, "services", (each for each in made if each["metadata"].get("labels", {}).items() >= ours))
