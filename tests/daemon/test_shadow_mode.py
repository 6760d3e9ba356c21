"""Shadow mode (`--dry-run`) beside the rules of a kube-proxy: it watches and plans, tells all of it."""

import json

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.host.generations import GenerationMonitor
from pykubeproxy.model.ip import Family
from tests.corpus import GOLDEN, Example
from tests.daemon.node import HEALTHZ, Node
from tests.kernel.machine import Kind, why_without

EXAMPLE = Example(GOLDEN / "loadbalancer-source-ranges")
LOCALNET = "/proc/sys/net/ipv4/conf/all/route_localnet"
# The example leaves node ports open on all addresses.
MAY_BE_INCOMPLETE = "kube-proxy configuration may be incomplete or incorrect"
PENDING = 'pykubeproxy_pending_chains{ip_family="IPv4"}'


@pytest.mark.parametrize("backend", Backend)
def test_it_watches_and_plans_and_never_writes(node: Node, backend: Backend) -> None:
    kinds = [Kind(family=family, backend=backend) for family in Family]
    if lack := why_without(kinds[0]) or why_without(kinds[1]):
        pytest.skip(lack)
    machine, api = node.machine, node.api
    for kind in kinds:
        machine.load(kind, EXAMPLE.saved(kind.family.lower()))
    before = [node.chains(kind) for kind in kinds]
    api.load(GOLDEN / EXAMPLE.folder.name / "objects.yaml")
    generations = node.inside(GenerationMonitor)
    flags = ("--proxy-mode=iptables", "--dry-run", "--dispatch=linear", f"--backend={backend}")
    daemon = node.start(*EXAMPLE.flags, *flags)
    assert {line["family"] for line in daemon.wait_told("in sync", 2)} == set(Family)
    assert daemon.metrics()[PENDING] == 0

    node.serve("10.244.9.9", name="more", address="10.96.7.7")
    daemon.wait(lambda: "2 chains to add" in [line["plan"][:15] for line in daemon.told("would write")], "a plan")
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
