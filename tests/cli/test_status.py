"""`status` and `check`: what they print of a node that is found to be so, and how they exit."""

import json

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from pykubeproxy.cli import status
from pykubeproxy.cli.main import main
from pykubeproxy.explain.status.node_state import NodeState
from tests.explain.status.nodes import IDLE, KERNEL, PROCESS, WELL, with_family, with_source

SCREEN = """\
node-a: all well
✔ proxy         pykubeproxy 0.1.0, pid 4711, for 2 h
✔ health        healthy, and the node may get new traffic
✔ configuration command line only
✔ objects       API server https://10.0.0.1:6443, reached
✔ backend       nft (iptables-nft 1.8.9, ip6tables-nft 1.8.9)
✔ layout        tree
✔ node          node-a (192.0.2.1, 2001:db8::1)
✔ families      IPv4 and IPv6; 10 Services
✔ last sync     IPv4 3 s ago in 12 ms, IPv6 3 s ago in 12 ms
✔ rules         in sync (IPv4 and IPv6)
✔ drift         no other program has changed the rules for 1 h
✔ connections   100 of 1,000 (10%)
✔ kernel        forwarding is on (IPv4 and IPv6)
✔ other tables  none has rules
✔ leftovers     none of kube-proxy's other modes

A Service does not answer?
  `pykubeproxy services NAMESPACE/NAME --source api`: its endpoints, and what is refused
  `pykubeproxy trace --from CLIENT-IP --to NAMESPACE/NAME --source api`: where a packet goes, and why
"""
UNSEEN = replace(
    IDLE, processes=(replace(PROCESS, is_here=None),), kernel=replace(KERNEL, may_ask=False, proxy_chains={})
)


def run(monkeypatch: pytest.MonkeyPatch, state: NodeState, *arguments: str) -> Result:
    monkeypatch.setattr(status, "read_state", lambda _metrics, _health: state)
    return CliRunner().invoke(main, [*arguments])


def test_a_node_that_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """How one looks that is not well is seen in docs/cli.md."""
    result = run(monkeypatch, WELL, "status")
    assert (result.exit_code, result.stdout, result.stderr) == (0, SCREEN, "")


@pytest.mark.parametrize(
    ("state", "expected"),
    [(WELL, 0), (with_family(ports_refusing=2), 0), (with_source(waits_for=("Node",)), 1), (IDLE, 1), (UNSEEN, 2)],
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_both_print_the_same_but_only_check_judges(
    monkeypatch: pytest.MonkeyPatch, state: NodeState, expected: int, output: str
) -> None:
    check, shown = (run(monkeypatch, state, command, "--output", output) for command in ("check", "status"))
    assert (check.exit_code, shown.exit_code) == (expected, 0)
    assert check.stdout == shown.stdout


def test_json_has_values_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(run(monkeypatch, IDLE, "check", "--output", "json").stdout)
    assert (document["version"], document["node"], document["exitStatus"]) == (1, "host", 1)
    first = document["observations"][0]
    assert (first["kind"], first["topic"], first["level"]) == ("NoProxyRuns", "proxy", "bad")
    assert first["asked"] == ["127.0.0.1:10249"]
    assert first["says"].startswith("none runs here")
    assert first["advice"]
    assert document["state"]["kernel"]["connections"] == {"entries": 100, "limit": 1000, "dropped": 0}
