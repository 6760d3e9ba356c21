"""What `status` and `check` say of a node on which the daemon runs: in sync, flushed, cut off, and gone."""

import json
import signal
import subprocess
import time
from typing import Any

from tests.apiserver import testing
from tests.daemon.node import NAME, NFT4, Daemon, Node
from tests.kernel.machine import COMMAND

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
CHECK = (*COMMAND, "check", "--output", "json")


class Checked:
    """What `check` has printed, and how it has exited."""

    def __init__(self, run: "subprocess.CompletedProcess[str]") -> None:
        assert run.stderr == ""
        self.status = run.returncode
        self.document: dict[str, Any] = json.loads(run.stdout)
        self.kinds = {each["kind"]: each for each in self.document["observations"]}
        self.not_well = {kind for kind, each in self.kinds.items() if each["level"] != "ok"}


def check(node: Node, *before: str) -> Checked:
    return Checked(node.machine.exec([*before, *CHECK], check=False))


def start(node: Node) -> Daemon:
    """A daemon that is in sync, on a node to whose kernel there is nothing to object."""
    node.machine.set_sysctls(1, ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.api.create(testing.service("web", clusterIP="10.96.0.20"))
    node.api.create(testing.endpoint_slice("web", "10.244.0.5"))
    return node.start(command=(*COMMAND, "run")).wait_synced()


def test_a_node_in_sync(node: Node) -> None:
    daemon = start(node)
    checked = check(node)
    assert checked.not_well == set(), checked.document
    assert checked.status == 0
    assert checked.kinds["ProxyRuns"]["pid"] == daemon.process.pid
    assert checked.kinds["ProxyRuns"]["program"].startswith("pykubeproxy ")
    assert (checked.kinds["NodeKnown"]["name"], checked.kinds["NodeKnown"]["addresses"]) == (NAME, ["192.0.2.1"])
    assert node.api.url in checked.kinds["FollowsApi"]["server"]
    assert checked.kinds["InSync"]["families"] == ["IPv4", "IPv6"]
    assert checked.kinds["BackendUsed"]["backend"] == "nft"
    assert checked.kinds["LayoutUsed"]["dispatch"] == "tree"
    assert checked.kinds["FamiliesServed"]["services"] == 2, "with that of the API server itself"
    assert {its["family"] for its in checked.kinds["LastSyncs"]["times"]} == {"IPv4", "IPv6"}
    assert checked.kinds["FollowsApi"]["says"].endswith(", reached")


def test_without_root_the_proxy_tells(node: Node) -> None:
    start(node)
    checked = check(node, *NOBODY)
    assert checked.not_well == {"TablesNotLookedAt", "LeftoversNotLookedAt"}
    assert (checked.status, "InSync" in checked.kinds) == (0, True)


def test_rules_that_were_flushed_and_by_whom(node: Node) -> None:
    daemon = start(node)
    node.machine.iptables(NFT4, "-t", "nat", "-F", "KUBE-SERVICES")
    daemon.wait_told("rules were changed by another program; repaired")
    checked = check(node)
    assert checked.not_well == {"Drifted"}
    drifted = checked.kinds["Drifted"]
    assert drifted["program"].startswith("iptables")
    assert (drifted["times"], drifted["chains"]) == (1, ["nat KUBE-SERVICES"])
    assert checked.status == 0, "it was repaired"


def test_an_api_server_that_is_away(node: Node) -> None:
    daemon = start(node)
    before = time.time()
    node.api.faults.refuse()
    daemon.wait_told("cannot follow the API server")
    checked = check(node)
    assert checked.not_well == {"ApiAway"}
    assert checked.status == 1
    assert 0 <= checked.kinds["ApiAway"]["seconds"] <= time.time() - before
    assert "InSync" in checked.kinds, "the rules in force stay"
    node.api.faults.accept()
    daemon.wait_told("following the API server again")
    assert check(node).status == 0


def test_a_daemon_that_does_not_answer_and_one_that_is_gone(node: Node) -> None:
    daemon = start(node)
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        checked = check(node)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert checked.not_well == {"ProxyDoesNotAnswer", "NoAddress"}, "this machine has none, and nobody else tells"
    assert f"(pid {daemon.process.pid})" in checked.kinds["ProxyDoesNotAnswer"]["process"]
    daemon.end()
    checked = check(node)
    assert checked.not_well == {"NoProxyRuns", "RulesWithoutProxy", "NoAddress"}
    assert checked.status == 1
    assert check(node, *NOBODY).status in {1, 2}, "proxies of other namespaces are seen, and only root knows where"
    assert node.machine.pykubeproxy("cleanup").returncode == 0
    assert "NoRules" in check(node).kinds
