"""`top` and `services` count every connection once, for the Service and the endpoint that it went to."""

import json
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.corpus import GOLDEN, without_nfacct
from tests.kernel.kube_proxy import as_kube_proxy_leaves_it
from tests.kernel.machine import COMMAND, DEADLINE_SECONDS
from tests.kernel.node import Node
from tests.kernel.objects import cluster_ip
from tests.kernel.service_node import POD_PORT, SILENCE_SECONDS, Client, service_node

TIMES = 30
WEB_1 = "default/web-1:http"


class Watching:
    """`pykubeproxy top` with a short interval, which goes on and on."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def documents(self, connections: int) -> list[dict[str, Any]]:
        """Those that tell of so many connections in all, and of no more."""
        found, total = [], 0
        for line in self._lines:
            found.append(json.loads(line))
            total += found[-1]["connections"]
            if total >= connections:
                break
        assert total == connections
        return found


@contextmanager
def watching(node: Node, *arguments: str, first: str) -> Iterator[tuple[Watching, Client]]:
    """`top`, which has begun to count with a first line, and a client, until Ctrl-C ends it well."""
    with service_node(node.machine, node.family) as client:
        process = node.machine.popen([*COMMAND, "top", "--interval", "0.1", *arguments, *node.kind.flags])
        assert process.stdout is not None
        assert first in next(process.stdout)
        yield Watching(process.stdout), client
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0


def services(documents: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each endpoint of which they tell, with its Service."""
    for document in documents:
        for service in document["services"]:
            yield from ((service, endpoint) for endpoint in service["endpoints"])


def totals(documents: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Connections by Service, over several intervals."""
    found = Counter[str]()
    for service, endpoint in services(documents):
        found[service["service"]] += endpoint["connections"]
    return dict(found)


@pytest.mark.parametrize("count", [3, 200], ids=["few", "in groups"])
def test_our_tree(node: Node, count: int) -> None:
    node.write(node.web(1, endpoints=range(1, count + 1)), node.web(2))
    node.sync()
    known = f'"known":{{"services":2,"servicePorts":2,"endpoints":{count + 2}}}'
    with watching(node, "--output", "json", first=known) as (top, client):
        client.connect(cluster_ip(node.family, 1), times=TIMES)
        documents = top.documents(TIMES)
    assert totals(documents) == {WEB_1: TIMES}
    told = list(services(documents))
    assert len({endpoint["endpoint"] for _, endpoint in told}) == count
    assert {service["family"] for service, _ in told} == {node.family.lower()}
    assert {endpoint["expectedShare"] for _, endpoint in told} == {1 / count}


def test_the_rules_of_kube_proxy(node4: Node) -> None:
    name = "clusterip-three-endpoints"
    node4.load(as_kube_proxy_leaves_it(without_nfacct((GOLDEN / name / "ipv4.save").read_text()), name))
    known = '"known":{"services":1,"servicePorts":1,"endpoints":3}'
    with watching(node4, "--output", "json", first=known) as (top, client):
        client.connect("10.96.1.1", times=TIMES)
        documents = top.documents(TIMES)
    assert totals(documents) == {"ns1/web:http": TIMES}
    shares = {endpoint["endpoint"]: endpoint["expectedShare"] for _, endpoint in services(documents)}
    assert shares == {f"{address}:{POD_PORT}": 1 / 3 for address in ("10.244.0.11", "10.244.1.12", "10.244.2.13")}


def test_counting_goes_on_when_rules_are_rewritten(node4: Node) -> None:
    node4.write(node4.web(1))
    node4.sync()
    with watching(node4, "--output", "json", first="{") as (top, client):
        client.connect(cluster_ip(node4.family, 1), times=5)
        top.documents(5)
        node4.machine.clear(node4.kind)
        node4.write(node4.web(1, endpoints=(1, 2, 3)))
        node4.sync()
        client.connect(cluster_ip(node4.family, 1), times=4)
        assert totals(top.documents(4)) == {WEB_1: 4}


def test_connections_that_are_refused_count(node: Node) -> None:
    node.write(node.web(1, endpoints=()), node.web(2))
    node.sync()
    place = (cluster_ip(node.family, 1), 80)
    with watching(node, "--output", "json", first="{") as (top, client):
        for _ in range(3):
            # Given up so soon that the first packet is the only one.
            client.ask([place], seconds=SILENCE_SECONDS)
        client.connect(cluster_ip(node.family, 2), times=1)
        documents = top.documents(1)
    told = [service for document in documents for service in document["services"] if service["service"] == WEB_1]
    refused = [each for service in told for each in service["refused"]]
    assert {each["reason"] for each in refused} == {"no_endpoints"}
    assert sum(each["connections"] for each in refused) == sum(document["refused"] for document in documents) == 3

    view = node.document("services")["services"][0]
    (listed,) = view["refused"]
    assert (listed["traffic"], listed["reason"], listed["packets"]) == ("internal", "has no endpoints", 3)
    assert view["says"] == ["refused (3 packets): no endpoints"]
