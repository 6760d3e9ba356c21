"""Synthetic clusters: what is asked for, always the same, and the same in each form."""

from pathlib import Path

from bench.synthetic import Shape, cluster_ip, objects, service, slices, write_manifest
from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service
from pykubeproxy.model.snapshot import Snapshot


def test_a_cluster_is_as_large_as_asked_for() -> None:
    shape = Shape(30, 250, 5)
    made = list(objects(shape))
    snapshot = Snapshot()
    for obj in made:
        snapshot.put(obj)
    assert sum(isinstance(obj, Service) for obj in made) == len(snapshot.services) == 30
    assert sum(isinstance(obj, EndpointSlice) for obj in made) == 30 * 3
    assert {len(snapshot.endpoints(key, Family.IPV4, "").popitem()[1]) for key in snapshot.services} == {250}
    assert sum(bool(port.node_port) for its in snapshot.services.values() for port in its.ports) == 5
    assert str(shape) == "30 x 250"
    assert str(Shape(10_000, 5)) == "10k x 5"


def test_cluster_ips_differ() -> None:
    assert len({cluster_ip(number) for number in range(50_000)}) == 50_000


def test_a_generation_changes_one_endpoint() -> None:
    shape = Shape(3, 5)
    (before,), (after,), (other,) = (tuple(slices(1, shape, generation)) for generation in (0, 1, 2))
    assert len(set(before.endpoints) & set(after.endpoints)) == 4
    assert len(set(after.endpoints) & set(other.endpoints)) == 4
    assert service(1, shape) == service(1, shape)


def test_manifests_hold_the_same_cluster(tmp_path: Path) -> None:
    shape = Shape(12, 3, 2)
    write_manifest(tmp_path / "cluster.json", shape)
    change = Manifests([str(tmp_path / "cluster.json")]).load()
    assert not change.notes
    assert set(change.put) == set(objects(shape))
