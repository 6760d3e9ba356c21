"""Shadow mode (`--dry-run`) beside the rules of a kube-proxy: it watches and plans, tells all of it."""

import json

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.host.generations import GenerationMonitor
from pykubeproxy.model.ip import Family
from tests.apiserver import testing
from tests.corpus import GOLDEN, Example
from tests.daemon.node import HEALTHZ, Daemon, Node
from tests.kernel.machine import Kind, why_without

EXAMPLE = Example(GOLDEN / "loadbalancer-source-ranges")
LOCALNET = "/proc/sys/net/ipv4/conf/all/route_localnet"
# The example leaves node ports open on all addresses.
MAY_BE_INCOMPLETE = "kube-proxy configuration may be incomplete or incorrect"
PENDING = 'pykubeproxy_pending_chains{ip_family="IPv4"}'


@pytest.fixture(params=Backend)
def kinds(request: pytest.FixtureRequest) -> list[Kind]:
    its = [Kind(family=family, backend=request.param) for family in Family]
    for kind in its:
        if lack := why_without(kind):
            pytest.skip(lack)
    return its


def test_it_watches_and_plans_and_never_writes(node: Node, kinds: list[Kind]) -> None:
    machine, api = node.machine, node.api
    for kind in kinds:
        machine.load(kind, EXAMPLE.saved(kind.family.lower()))
    before = [node.chains(kind) for kind in kinds]
    api.load(GOLDEN / EXAMPLE.folder.name / "objects.yaml")
    generations = node.inside(GenerationMonitor)
    daemon = start(node, kinds[0].backend)
    assert {line["family"] for line in daemon.wait_told("in sync", 2)} == set(Family)
    assert daemon.metrics()[PENDING] == 0

    api.create(testing.service("more", clusterIP="10.96.7.7"))
    api.create(testing.endpoint_slice("more", "10.244.9.9"))
    daemon.wait(
        lambda: any(line["plan"].startswith("2 chains to add") for line in daemon.told("would write")), "a plan"
    )
    assert daemon.metrics()[PENDING] > 2
    assert daemon.get("/healthz", HEALTHZ)[0] == 200
    api.delete("Service", "default", "more")
    daemon.wait(lambda: daemon.metrics()[PENDING] == 0, "nothing to do")

    daemon.end()
    try:
        assert generations.wait(0) == ()
    finally:
        generations.close()
    assert [node.chains(kind) for kind in kinds] == before
    assert machine.exec(["cat", LOCALNET]).stdout == "0\n"
    assert daemon.told("kernel setting would be changed", name="net/ipv4/conf/all/route_localnet", value=1)
    first, second = (json.loads(line)["event"] for line in daemon.log.splitlines()[:2])
    assert first == "starting"
    assert second.startswith("shadow mode: nothing is written")
    assert [line["event"] for line in daemon.told("") if line["level"] == "warning"] == [MAY_BE_INCOMPLETE]
    assert api.objects("Event") == []


def start(node: Node, backend: Backend) -> Daemon:
    return node.start(*EXAMPLE.flags, "--proxy-mode=iptables", "--dry-run", "--dispatch=linear", f"--backend={backend}")
