"""The cluster that tests are run on, by itself: its nodes follow an API server, its traffic tells what failed."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from e2e.asking import Destination, Fate, ask
from e2e.cluster import Cluster, open_cluster
from e2e.lab import missing
from e2e.netns import LabError
from e2e.steady import steady_traffic
from e2e.topology import Listener, Protocol, plain_topology
from tests.apiserver.objects import JsonObject

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")

LISTENERS = (Listener(protocol=Protocol.TCP, port=8080), Listener(protocol=Protocol.UDP, port=5353))
TOPOLOGY = plain_topology(3, 1, LISTENERS)

WEB = Destination(address=ip_address("10.96.1.1"), port=80, protocol=Protocol.TCP)
WEB6 = Destination(address=ip_address("fd00:10:96::101"), port=80, protocol=Protocol.TCP)
POD = Destination(address=ip_address("10.244.1.11"), port=5353, protocol=Protocol.UDP)
NOBODY = Destination(address=ip_address("10.244.1.11"), port=81, protocol=Protocol.TCP)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with open_cluster(TOPOLOGY, tmp_path_factory.mktemp("cluster")) as its:
        its.load(web())
        its.start_all()
        yield its


def web() -> Iterator[JsonObject]:
    families = ("IPv4", "10.96.1.1"), ("IPv6", "fd00:10:96::101")
    spec = {
        "selector": {"app": "web"},
        "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "RequireDualStack",
        "clusterIPs": [address for _, address in families],
        "clusterIP": families[0][1],
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    }
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    for index, (family, _) in enumerate(families):
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"web-{family.lower()}",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "web"},
            },
            "addressType": family,
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [
                {"addresses": [str(pod.addresses[index])], "conditions": {"ready": True}, "nodeName": pod.node}
                for pod in TOPOLOGY.pods
                if pod.listeners
            ],
        }


@pytest.mark.parametrize("destination", [WEB, WEB6], ids=["IPv4", "IPv6"])
def test_every_node_follows_the_api(cluster: Cluster, destination: Destination) -> None:
    for node in cluster.lab.nodes:
        assert ask(cluster.lab.pod(f"client-{node}"), destination, seconds=5).fate is Fate.ANSWERED


def test_steady_traffic_tells_what_was_asked_and_who_answered(cluster: Cluster) -> None:
    with steady_traffic(cluster.lab.pod("client-node-a"), [WEB, POD], kept=[WEB], interval=0.001) as tally:
        cluster.wait(lambda: True, "a moment")
    assert tally.failures == ()
    assert [each.to for each in tally.sums] == ["TCP/10.96.1.1/80", "UDP/10.244.1.11/5353", "TCP/10.96.1.1/80/kept"]
    assert all(each.asked > 0 and each.failed == 0 for each in tally.sums)
    assert len(tally.sums[2].pods) == 1


def test_steady_traffic_tells_failures(cluster: Cluster) -> None:
    with steady_traffic(cluster.lab.pod("client-node-a"), [WEB, NOBODY], seconds=0.5) as tally:
        pass
    refused = {(each.failed, each.why) for each in tally.failures}
    assert refused == {("TCP/10.244.1.11/81", "[Errno 111] Connection refused")}
    assert tally.sums[1].failed == len(tally.failures) == tally.sums[1].asked


def test_a_proxy_that_was_killed_is_started_again(cluster: Cluster) -> None:
    cluster.kill("node-c")
    cluster.start("node-c")
    cluster.wait(cluster.proxies["node-c"].has_synced, "the first sync")
    assert [line["family"] for line in cluster.proxies["node-c"].told("in sync; nothing to write")] == ["IPv4", "IPv6"]


def test_a_proxy_that_ends_is_told(cluster: Cluster) -> None:
    cluster.proxies["node-b"].process.kill()
    cluster.proxies["node-b"].process.wait()
    with pytest.raises(LabError, match="proxy on node-b ended with status -9"):
        cluster.wait(lambda: False, "what does not come")
    cluster.start("node-b")
