"""The API server fails in every way that it can: the rules in force stay, and what was missed is made up for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from tests.apiserver import testing
from tests.apiserver.faults import BREAK_KINDS, Faults
from tests.apiserver.server import ApiServer
from tests.daemon.node import HEALTHZ, NAME, Node

TROUBLE = "cannot follow the API server"


def create(api: ApiServer, name: str, number: int) -> None:
    """A Service with one endpoint, whose addresses end in `number`."""
    api.create(testing.service(name, clusterIP=f"10.96.1.{number}"))
    api.create(testing.endpoint_slice(name, f"10.244.0.{number}"))


def delete(api: ApiServer, name: str) -> None:
    for kind in ("EndpointSlice", "Service"):
        api.delete(kind, "default", name)


def has(node: Node, *numbers: int) -> bool:
    """True if just these Services with their endpoints are in the kernel."""
    dump = node.dump()
    services = {line.split(" -d 10.96.1.")[1].split("/")[0] for line in dump.splitlines() if " -d 10.96.1." in line}
    return {str(n) for n in numbers} <= services and node.sends_to(*(f"10.244.0.{n}:8080" for n in numbers))


def test_nothing_is_written_before_services_and_slices_are_listed(node: Node) -> None:
    api = node.api
    create(api, "web", 1)
    api.faults.fail(503, count=None, resource="endpointslices")
    daemon = node.start()
    api.wait_watchers(1, "services")
    daemon.wait_told(TROUBLE, resource="endpointslices.discovery.k8s.io")
    assert "KUBE-" not in node.dump()
    assert daemon.get("/livez", HEALTHZ)[0] == 200
    api.faults.clear()
    daemon.wait(lambda: has(node, 1), "the first sync")


def test_without_an_api_server_the_rules_stay_and_it_goes_on_trying(node: Node, tmp_path: Path) -> None:
    api = node.api
    api.create(testing.node(NAME, "192.0.2.1"))
    create(api, "web", 1)
    create(api, "old", 2)
    node.start().wait_synced().end()
    before = node.dump()
    assert has(node, 1, 2)

    api.faults.refuse()
    delete(api, "old")
    daemon = node.start()
    daemon.wait_told(TROUBLE)
    assert "Connection refused" in daemon.told(TROUBLE)[0]["error"]
    status, report = daemon.get("/healthz", HEALTHZ)
    assert (status, msgspec.json.decode(report)["nodeEligible"]) == (503, False), "the node was never seen"
    assert daemon.get("/livez", HEALTHZ)[0] == 200
    assert node.dump() == before
    api.faults.accept()
    daemon.wait(lambda: has(node, 1), "what has changed meanwhile")
    daemon.wait(lambda: daemon.get("/healthz", HEALTHZ)[0] == 200, "the node")
    (again,) = daemon.wait_told("following the API server again")
    assert again["seconds"] >= 0
    assert len(daemon.told(TROUBLE)) == 1, "once for all resources, however often it is tried"


def restart_with_lost_history(faults: Faults) -> None:
    faults.restart()


def restart_from_a_backup(faults: Faults) -> None:
    faults.restart(revision=5)


def relist_through(faults: Faults, code: int) -> None:
    """The watches break, and what is asked next is refused a few times."""
    faults.fail(code, count=6, retry_after=1 if code == 429 else None)
    faults.break_watches("reset")


def truncated_lists(faults: Faults) -> None:
    faults.compact()
    faults.stream_lists(False)
    faults.truncate(count=2, verb="list")
    faults.break_watches("expired")


OUTAGES: dict[str, Callable[[Faults], object]] = {
    **{f"watches: {how}": partial(Faults.break_watches, how=how) for how in BREAK_KINDS},
    **{f"answers: {code}": partial(relist_through, code=code) for code in (429, 500, 503)},
    "lists: truncated": truncated_lists,
    "restart with lost history": restart_with_lost_history,
    "restart from a backup": restart_from_a_backup,
}
