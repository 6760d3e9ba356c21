"""Cases and requests go through kubectl and docker: these are stand-ins, and the cluster behind them is a lab."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from e2e.expectation import Answers, Case
from e2e.kind import __main__ as program
from e2e.kind.exclusions import SCTP
from e2e.kind.scenarios import SCENARIOS, Scenario
from e2e.lab import Node, missing
from e2e.vocabulary import DROPPED
from tests.e2e.kind_lab import KindLab, open_kind_lab
from tests.e2e.kind_like import worker

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}"),
    pytest.mark.skipif(shutil.which("iptables-nft") is None, reason="there is no iptables-nft"),
]

PROJECT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "e2e.kind", "--scenario"]


@pytest.fixture(scope="module", params=list(SCENARIOS))
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindLab]:
    with open_kind_lab(SCENARIOS[request.param](), tmp_path_factory.mktemp("kind")) as its:
        yield its


only_examples = pytest.mark.parametrize("kind", ["examples"], indirect=True, scope="module")
only_three_nodes = pytest.mark.parametrize("kind", ["three-nodes"], indirect=True, scope="module")


def test_every_case_of_a_scenario(kind: KindLab) -> None:
    done = subprocess.run(
        [*COMMAND, kind.scenario.name, "ask"], cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
    )
    total = len(kind.scenario.cases)
    assert f"\n{total} of {total} as expected.\n" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def ask(scenario: Scenario, case: Case) -> tuple[int, str]:
    """Asks this case only; returns the exit status and what was said."""
    result = CliRunner().invoke(program.ask, obj=[replace(scenario, cases=(case,))])
    return result.exit_code, result.output


@only_three_nodes
def test_a_case_that_does_not_hold_is_told(kind: KindLab) -> None:
    case = next(case for case in kind.scenario.cases if isinstance(case.expect, Answers))
    status, output = ask(kind.scenario, replace(case, expect=DROPPED))
    assert re.search(rf"^{case.service}, .*, {case.origin} to \S+: answered", output, re.MULTILINE)
    assert "\n0 of 1 as expected." in output
    assert status == 1


@only_three_nodes
def test_what_is_left_out_is_told_with_the_reason(kind: KindLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "IPPROTO_SCTP")
    status, output = ask(replace(kind.scenario, exclusions=(SCTP,)), kind.scenario.cases[0])
    assert output.endswith(f"{SCTP.service} was not asked: {SCTP.reason}.\n")
    assert status == 0


def keep_asking(meanwhile: Callable[[], None]) -> tuple[int, str]:
    """Makes requests while something else is done, as a user would; returns their exit status and what they said."""
    command = [*COMMAND, "examples", "requests"]
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


@only_examples
def test_requests_that_are_all_answered(kind: KindLab) -> None:
    node = kind.lab.nodes[worker("node-a")]
    status, output = keep_asking(lambda: wait_for_packets(node, r"-A KUBE-SEP-\S+ .*-j DNAT", "nat", 50))
    assert re.fullmatch(r"\d+ streams of requests have begun\.\n0 of \d{2,} requests failed\.\n", output)
    assert status == 0


@only_examples
def test_requests_of_which_some_fail(kind: KindLab) -> None:
    node, pod = kind.lab.nodes[worker("node-a")], str(kind.lab.pods["client-node-a"].spec.addresses[0])
    clients = ["FORWARD", "-s", pod, "-p", "tcp", "-j", "REJECT"]

    def refuse_for_a_while() -> None:
        wait_for_packets(node, r"-A KUBE-SEP-\S+ .*-j DNAT", "nat", 50)
        node.exec(["iptables-nft", "-I", *clients])
        try:
            wait_for_packets(node, rf"-A FORWARD -s {re.escape(pod)}/32 .*-j REJECT", "filter", 5)
        finally:
            node.exec(["iptables-nft", "-D", *clients])

    status, output = keep_asking(refuse_for_a_while)
    assert re.search(r"^default/\S+, client-node-a to \S+: 000 .+$", output, re.MULTILINE)
    assert status == 1
