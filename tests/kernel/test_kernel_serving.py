"""Connections arrive where a Service sends them."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e import lab as labs
from e2e.asking import Destination, Fate, ask
from e2e.lab import Lab, open_lab
from e2e.topology import Listener, Protocol, plain_topology
from pykubeproxy.model.ip import Family
from tests.kernel.machine import COMMAND, Kind
from tests.kernel.objects import cluster_ip, web, write

PODS = ("pod-a-1", "pod-a-2")
ATTEMPTS = 40


@pytest.fixture(name="lab", scope="module")
def fixture_lab() -> Iterator[Lab]:
    if lack := labs.missing():
        pytest.skip(lack)
    with open_lab(plain_topology(1, len(PODS), (Listener(protocol=Protocol.TCP, port=8080),))) as lab:
        yield lab


def test_a_cluster_ip_leads_to_every_pod(lab: Lab, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1, endpoints=()), web(kind.family, 2, endpoints=()))
    where = Destination(address=ip_address(cluster_ip(kind.family, 1)), port=80, protocol=Protocol.TCP)
    run = [*COMMAND, "run", "--once", "--source", str(source), *kind.flags]
    version = 4 if kind.family is Family.IPV4 else 6
    addresses = [str(ip) for name in PODS for ip in lab.pod(name).spec.addresses if ip.version == version]
    node, client = lab.node("node-a"), lab.pod("client-node-a")
    try:
        node.exec(run)
        assert ask(client, where, seconds=5).fate is Fate.REFUSED
        write(source, web(kind.family, 1, endpoints=addresses))
        node.exec(run)
        answered = set()
        for _ in range(ATTEMPTS):
            reply = ask(client, where, seconds=5).reply
            assert reply is not None
            answered.add(reply.pod)
            if answered == set(PODS):
                break
        assert answered == set(PODS)
        assert ask(node, where, seconds=5).fate is Fate.ANSWERED
    finally:
        node.exec([*COMMAND, "cleanup", *kind.flags])
