"""What `status` and `check` say of a node on which the daemon runs: in sync, flushed, cut off, stopped, and gone."""

import json
import signal
import subprocess
import time
from typing import Any

from tests.apiserver import testing
from tests.daemon.node import NAME, NFT4, Node
from tests.kernel.machine import COMMAND

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
REPAIRED = "rules were changed by another program; repaired"


class Checked:
    """What `check` has printed, and how it has exited."""

    def __init__(self, run: "subprocess.CompletedProcess[str]") -> None:
        assert run.stderr == ""
        self.document: dict[str, Any] = json.loads(run.stdout)
        self.kinds = {each["kind"]: each for each in self.document["observations"]}
        not_well = {kind for kind, each in self.kinds.items() if each["level"] != "ok"}
        self.outcome = (run.returncode, not_well)


def check(node: Node, *before: str) -> Checked:
    return Checked(node.machine.exec([*before, *COMMAND, "check", "--output", "json"], check=False))


def test_from_well_to_gone(node: Node) -> None:
    node.machine.set_sysctls(1, ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.serve("10.244.0.5")
    daemon = node.start(command=(*COMMAND, "run")).wait_synced()
    well = check(node)
    assert well.outcome == (0, {"PortsRefuse"}), "the API server of this test has no slice for its own Service"
    assert well.kinds["ProxyRuns"]["pid"] == daemon.process.pid
    assert (well.kinds["NodeKnown"]["name"], well.kinds["NodeKnown"]["addresses"]) == (NAME, ["192.0.2.1"])
    assert node.api.url in well.kinds["FollowsApi"]["server"]
    assert well.kinds["FollowsApi"]["says"].endswith(", reached")
    assert well.kinds["InSync"]["families"] == ["IPv4", "IPv6"]
    assert (well.kinds["BackendUsed"]["backend"], well.kinds["LayoutUsed"]["dispatch"]) == ("nft", "tree")
    assert well.kinds["FamiliesServed"]["services"] == 2, "with that of the API server itself"
    without_root = check(node, *NOBODY)
    assert without_root.outcome == (0, {"PortsRefuse", "TablesNotLookedAt", "LeftoversNotLookedAt"})
    assert "InSync" in without_root.kinds, "the proxy tells"

    node.machine.iptables(NFT4, "-t", "nat", "-F", "KUBE-SERVICES")
    daemon.wait_told(REPAIRED)
    repaired = check(node)
    assert repaired.outcome == (0, {"PortsRefuse", "Drifted"})
    assert repaired.kinds["Drifted"]["program"].startswith("iptables")
    assert repaired.kinds["Drifted"]["chains"] == ["nat KUBE-SERVICES"]

    before = time.time()
    node.api.faults.refuse()
    daemon.wait_told("cannot follow the API server")
    cut_off = check(node)
    assert cut_off.outcome == (1, {"PortsRefuse", "Drifted", "ApiAway"})
    assert 0 <= cut_off.kinds["ApiAway"]["seconds"] <= time.time() - before
    assert "InSync" in cut_off.kinds, "the rules in force stay"

    daemon.process.send_signal(signal.SIGSTOP)
    try:
        stopped = check(node)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert stopped.outcome[1] == {"ProxyStuck", "NoAddress"}, "this machine has none, and nobody else tells"
    assert f"(pid {daemon.process.pid})" in stopped.kinds["ProxyStuck"]["process"]
    daemon.end()
    assert check(node).outcome == (1, {"NoProxyRuns", "RulesWithoutProxy", "NoAddress"})
    assert check(node, *NOBODY).outcome[0] in {1, 2}, "proxies of other namespaces are seen, and only root knows where"
