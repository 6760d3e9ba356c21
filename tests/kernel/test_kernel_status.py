"""What `check` finds in the kernel of a node, with and without a proxy; and the kubectl plugin on two of them."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.kubectl_plugin import main
from tests.cli.stand_in_kubectl import PYKUBEPROXY, StandIn
from tests.kernel.machine import IPV4_KINDS, Machine, wait_until
from tests.kernel.machine import machine as another_machine
from tests.kernel.node import Node

NO_CONNTRACK = ("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0")

# Opens so many connections on loopback: one for each address and port.
CONNECT = """
import socket, sys
for number in range(int(sys.argv[1])):
    if not number % 50_000:
        client = socket.socket(type=socket.SOCK_DGRAM)
    client.sendto(b"", (f"127.0.0.{number // 50_000 + 1}", number % 50_000 + 1))
"""
MOST_CONNECTIONS = 300_000


def check(machine: Machine, *before: str) -> dict[str, dict[str, Any]]:
    """What is observed, by its kind."""
    run = machine.pykubeproxy("check", "--output", "json", before=before)
    assert run.stderr == ""
    document = json.loads(run.stdout)
    assert document["exitStatus"] == run.returncode
    return {each["kind"]: each for each in document["observations"]}


def test_a_fresh_node(machine: Machine, tmp_path: Path) -> None:
    before = machine.loaded_tables()
    found = check(machine)
    assert {"NoProxyRuns", "NoRules", "ForwardingOff", "NoNativeTables", "NoLeftovers"} <= set(found)
    assert found["ForwardingOff"]["family"] == "IPv4"
    assert machine.loaded_tables() == before, "no table is loaded by looking"
    (tmp_path / "kube-proxy").symlink_to("/bin/true")
    ended = check(machine, "sh", "-c", '"$0" & exec "$@"', str(tmp_path / "kube-proxy"))["ProxyEnded"]
    assert ended["process"]["name"] == "kube-proxy", "its parent is check itself, which waits for no such child"


def test_a_table_of_connections_that_fills_up(machine: Machine) -> None:
    """Each namespace has a table of its own, as large as the machine's limit, which is left as it is."""
    machine.iptables(IPV4_KINDS[0], "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")
    usage = check(machine)["TableUsed"]
    if usage["limit"] > MOST_CONNECTIONS:
        pytest.skip(f"this machine's table is too large to be filled: {usage['limit']}")
    for kind, share in (("TableNearlyFull", 0.85), ("TableFull", 0.13)):
        machine.exec([sys.executable, "-c", CONNECT, str(int(usage["limit"] * share))])
        found = check(machine)[kind]
        assert f"nf_conntrack_max={2 * usage['limit']}" in found["advice"]


def test_a_proxy_that_follows_files(node4: Node) -> None:
    node4.write(node4.web())
    flags = ("--dispatch=linear", "--cluster-cidr=10.244.0.0/16", "--hostname-override=node-x", *NO_CONNTRACK)
    process = node4.start(*flags)
    wait_until(lambda: "InSync" in check(node4.machine), "the first sync")
    found = check(node4.machine, "env", "PATH=/nowhere")
    assert found["ProxyRuns"]["pid"] == process.pid, "no tool is run to find that out"
    assert found["FollowsManifests"]["path"] == str(node4.source)
    assert found["BackendUsed"]["backend"] == node4.kind.backend
    assert "ForwardDrops" not in found
    node4.machine.iptables(node4.kind, "-P", "FORWARD", "DROP")
    assert check(node4.machine)["ForwardDrops"]["backend"] == node4.kind.backend
    served = {"families": ["IPv4"], "services": 1, "whyNotIpv6": ""}
    assert {name: found["FamiliesServed"][name] for name in served} == served

    same = node4.machine.pykubeproxy("diff")
    assert (same.returncode, same.stdout) == (0, "No changes. The node matches the cluster.\n"), same.stderr
    assert same.stderr == f"configuration of the running proxy (pid {process.pid})\n"

    node4.source.write_text("{")
    wait_until(lambda: "ObjectsUnread" in check(node4.machine), "what cannot be read")
    assert node4.source.name in check(node4.machine)["ObjectsUnread"]["says"]


def kubectl_plugin(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture
def other() -> Iterator[Machine]:
    with another_machine() as made:
        yield made


@pytest.mark.parametrize("kind4", IPV4_KINDS[:1], indirect=True, ids=str)
def test_the_plugin_on_a_node_with_a_proxy_and_one_without(
    node4: Node, other: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for kubectl exec enters their network namespaces."""
    node4.write(node4.web())
    assert other.once(node4.source, *node4.kind.flags).returncode == 0
    enter = 'exec ip netns exec {} sh -c {} sh "$@"'
    StandIn(tmp_path, monkeypatch).nodes(
        {name: enter.format(its.name, shlex.quote(PYKUBEPROXY)) for name, its in (("a", node4.machine), ("b", other))}
    )
    node4.start(*NO_CONNTRACK)

    def node_a() -> dict[str, object]:
        result = kubectl_plugin("status", "-o", "json", "--node", "a")
        status: dict[str, object] = json.loads(result.stdout)["nodes"][0]["status"]
        return status

    wait_until(lambda: node_a()["inSync"] == "yes", "the first sync")
    assert (node_a()["drift"], node_a()["backends"]) == ([], [node4.kind.backend])
    both = kubectl_plugin("status")
    assert both.exit_code == 1
    head, _, first, second, *concerns = both.stdout.splitlines()
    assert head.startswith("2 nodes: 2 answered, 1 in sync")
    assert first.split()[1:4] == ["a", "yes", "none"]
    assert second.split()[:3] == ["✘", "b", "no"]
    assert any("nothing keeps them up to date" in line and line.startswith("✘ b: rules: ") for line in concerns)

    assert kubectl_plugin("diff", "--node", "a").exit_code == 0
    listed = json.loads(kubectl_plugin("services", "-n", "default", "-o", "json").stdout)
    names = [[each["title"] for each in node["document"]["services"]] for node in listed["nodes"]]
    assert names == [["default/web-1:http"]] * 2
    traced = kubectl_plugin("trace", "--node", "a", "--from", "10.244.9.9", "--to", "default/web-1", "-o", "json")
    assert traced.exit_code == 1
    assert "this node does not forward packets" in traced.stdout
    measured = json.loads(kubectl_plugin("top", "--interval", "0.1", "-o", "json").stdout)
    assert [node["document"]["known"]["services"] for node in measured["nodes"]] == [1, 1]
