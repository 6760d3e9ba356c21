"""The kubectl plugin on two nodes with real kernels; a stand-in for kubectl exec enters their network namespaces."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.kubectl_plugin import main
from tests.cli.stand_in_kubectl import PYKUBEPROXY, StandIn
from tests.kernel.machine import IPV4_KINDS, Kind, Machine, wait_until
from tests.kernel.machine import machine as new_machine
from tests.kernel.objects import web, write

NO_CONNTRACK = ("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture
def other() -> Iterator[Machine]:
    with new_machine() as made:
        yield made


@pytest.mark.parametrize("kind4", IPV4_KINDS[:1], indirect=True, ids=str)
def test_a_node_with_a_proxy_and_one_without(
    machine: Machine, other: Machine, kind4: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family))
    assert other.once(source, *kind4.flags).returncode == 0
    kubectl = StandIn(tmp_path, monkeypatch)
    program = shlex.quote(PYKUBEPROXY)
    kubectl.nodes(
        {node: f'exec ip netns exec {its.name} sh -c {program} sh "$@"' for node, its in (("a", machine), ("b", other))}
    )
    machine.start(source, tmp_path / "log", *kind4.flags, *NO_CONNTRACK)

    def node_a() -> dict[str, object]:
        result = run("status", "-o", "json", "--node", "a")
        status: dict[str, object] = json.loads(result.stdout)["nodes"][0]["status"]
        return status

    wait_until(lambda: node_a()["inSync"] == "yes", "the first sync")
    assert (node_a()["drift"], node_a()["backends"]) == ([], [kind4.backend])
    both = run("status")
    assert both.exit_code == 1
    head, _, first, second, *concerns = both.stdout.splitlines()
    assert head.startswith("2 nodes: 2 answered, 1 in sync")
    assert first.split()[1:4] == ["a", "yes", "none"]
    assert second.split()[:3] == ["✘", "b", "no"]
    assert any("nothing keeps them up to date" in line and line.startswith("✘ b: rules: ") for line in concerns)

    assert run("diff", "--node", "a").exit_code == 0
    listed = run("services", "-n", "default", "-o", "json")
    assert listed.exit_code == 0
    names = [[each["title"] for each in node["document"]["services"]] for node in json.loads(listed.stdout)["nodes"]]
    assert names == [["default/web-1:http"]] * 2
    traced = run("trace", "--node", "a", "--from", "10.244.9.9", "--to", "default/web-1", "-o", "json")
    assert traced.exit_code == 1
    assert json.loads(traced.stdout)["packet"]["destination"] == "10.96.1.2"
    assert "this node does not forward packets" in traced.stdout
    measured = run("top", "--interval", "0.1", "-o", "json")
    assert [node["document"]["known"]["services"] for node in json.loads(measured.stdout)["nodes"]] == [1, 1]
