"""Cases and requests go through kubectl and docker: these are stand-ins, and the cluster behind them is a lab."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from e2e.cases import CASES
from e2e.examples import read_manifests, topology_of
from e2e.expectation import Case
from e2e.kind import places
from e2e.lab import Lab, Node, missing, open_lab
from e2e.processes import Processes
from e2e.proxies import start_proxies, wait_until_programmed
from e2e.running import probes, run_case
from tests.e2e.kind_like import EXAMPLES, install

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}"),
    pytest.mark.skipif(shutil.which("iptables-nft") is None, reason="there is no iptables-nft"),
]

PROJECT = Path(__file__).parents[2]
MANIFESTS = read_manifests(EXAMPLES)
# From a pod, a node, and outside; answered, and not; over UDP, too.
TELLING = ("infra/dns", "default/office", "default/coming-soon")


class Cluster(Struct, frozen=True, kw_only=True):
    """A lab, the same through the stand-ins, and the folder with what was asked of them."""

    lab: Lab
    through: Lab
    folder: Path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("kind")
    with open_lab(topology_of(MANIFESTS)) as lab, pytest.MonkeyPatch.context() as patch:
        proxies = start_proxies(lab, EXAMPLES, folder, ["--backend", "nft"])
        wait_until_programmed(proxies, probes(lab.topology, MANIFESTS))
        programs = install(folder, lab.topology)
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("STAND_IN", str(folder))
        patch.setenv("LAB", lab.prefix)
        yield Cluster(lab=lab, through=places.lab(lab.topology, Processes(), "pykubeproxy-"), folder=folder)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.service in TELLING], ids=lambda case: f"{case.service}: {case.shows}"
)
def test_case(cluster: Cluster, case: Case) -> None:
    assert run_case(cluster.through, MANIFESTS, case).complaint is None


def keep_asking(meanwhile: Callable[[], None]) -> tuple[int, str]:
    """Makes requests while something else is done, as a user would; returns their exit status and what they said."""
    command = [sys.executable, "-m", "e2e.kind", "requests"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            meanwhile()
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
    return process.returncode, output


def wait_for_packets(node: Node, rule: str, table: str, count: int) -> None:
    """Returns once rules that match the pattern `rule` have met so many more packets."""
    pattern = re.compile(rf"^\[(\d+):\d+\] {rule}", re.MULTILINE)

    def met() -> int:
        return sum(map(int, pattern.findall(node.exec(["iptables-nft-save", "-c", "-t", table]).stdout)))

    wanted, deadline = met() + count, time.monotonic() + 30
    while met() < wanted:
        assert time.monotonic() < deadline, f"not {count} packets for {rule}"
        time.sleep(0.05)


def test_requests_that_are_all_answered(cluster: Cluster) -> None:
    node = cluster.lab.nodes["node-a"]
    status, output = keep_asking(lambda: wait_for_packets(node, r"-A KUBE-SEP-\S+ .*-j DNAT", "nat", 50))
    assert re.fullmatch(r"\d+ streams of requests have begun\.\n0 of \d{2,} requests failed\.\n", output)
    assert status == 0


def test_requests_of_which_some_fail(cluster: Cluster) -> None:
    node = cluster.lab.nodes["node-a"]
    clients = ["FORWARD", "-s", "10.244.0.100", "-p", "tcp", "-j", "REJECT"]

    def refuse_for_a_while() -> None:
        wait_for_packets(node, r"-A KUBE-SEP-\S+ .*-j DNAT", "nat", 50)
        node.exec(["iptables-nft", "-I", *clients])
        try:
            wait_for_packets(node, r"-A FORWARD -s 10\.244\.0\.100/32 .*-j REJECT", "filter", 5)
        finally:
            node.exec(["iptables-nft", "-D", *clients])

    status, output = keep_asking(refuse_for_a_while)
    assert re.search(r"^default/\S+, client-node-a to \S+: 000 .+$", output, re.MULTILINE)
    assert status == 1
