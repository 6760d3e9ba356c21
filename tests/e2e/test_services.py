"""The Services of examples/, served by one real proxy process per node, asked in every way that the cases list."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from e2e.cases import CASES
from e2e.changing import SERVICE, grow_and_shrink
from e2e.examples import Manifests, read_manifests, topology_of
from e2e.expectation import Case
from e2e.lab import Lab, missing, open_lab
from e2e.proxies import Proxy, require_running, start_proxies, wait_until_programmed
from e2e.running import probes, resolve, run_case
from e2e.vocabulary import CLUSTER_IP

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

EXAMPLES = Path(__file__).parents[2] / "examples"


class Cluster(Struct, frozen=True, kw_only=True):
    """A lab with running proxies, and the folder that they read."""

    lab: Lab
    manifests: Manifests
    proxies: tuple[Proxy, ...]
    folder: Path


@pytest.fixture(scope="module", params=["nft", pytest.param("legacy", marks=pytest.mark.night)])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if shutil.which(f"iptables-{request.param}") is None:
        pytest.skip(f"there is no iptables-{request.param}")
    scratch = tmp_path_factory.mktemp(f"cluster-{request.param}")
    folder = Path(shutil.copytree(EXAMPLES, scratch / "examples"))
    manifests = read_manifests(folder)
    with open_lab(topology_of(manifests)) as lab:
        proxies = start_proxies(lab, folder, scratch, ["--backend", request.param])
        wait_until_programmed(proxies, probes(lab.topology, manifests))
        yield Cluster(lab=lab, manifests=manifests, proxies=proxies, folder=folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service}: {case.shows}")
def test_service(cluster: Cluster, case: Case) -> None:
    complaint = run_case(cluster.lab, cluster.manifests, case).complaint
    assert complaint is None


def test_a_changed_manifest_is_followed_without_a_restart(cluster: Cluster) -> None:
    empty = resolve(cluster.lab.topology, cluster.manifests.services[SERVICE], CLUSTER_IP)
    changes = list(grow_and_shrink(cluster.proxies, cluster.folder, empty))
    assert [change.what for change in changes if change.seconds is None] == []
    for proxy in cluster.proxies:
        require_running(proxy)
