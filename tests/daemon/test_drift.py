"""Another program changes the rules: whatever it was, they come back, and the log says who did it, if that is known."""

import sys
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.host.generations import GenerationMonitor
from pykubeproxy.model.ip import Family
from tests.daemon.node import NFT4, WEB, Daemon, Node
from tests.kernel.machine import Kind, why_without
from tests.kernel.stand_ins import StandIns

REPAIRED = "rules were changed by another program; repaired"


@pytest.fixture(params=Backend)
def kind(request: pytest.FixtureRequest) -> Kind:
    its = Kind(family=Family.IPV4, backend=request.param)
    if lack := why_without(its):
        pytest.skip(lack)
    return its


@pytest.fixture
def tools(tmp_path: Path) -> StandIns:
    return StandIns(tmp_path / "bin").watching()


@pytest.fixture
def daemon(node: Node, kind: Kind, tools: StandIns) -> Daemon:
    """It works with rules for one Service with one endpoint, and logs to the journal of `tools` when it writes."""
    node.serve("10.244.0.5")
    return node.start(f"--backend={kind.backend}", path=tools.path).wait_synced()


def damages(kind: Kind, service_chain: str) -> dict[str, list[list[str]]]:
    """What other programs do to rules, as words for iptables."""
    flush_nat, flush_filter = ["-t", "nat", "-F"], ["-t", "filter", "-F"]
    return {
        "a flush of nat": [flush_nat],
        "a flush of filter": [flush_filter],
        "a flush of both, as firewalld does it": [flush_filter, flush_nat],
        "a flush of one chain": [["-t", "nat", "-F", service_chain]],
        "several in a row": [flush_nat, flush_filter, flush_nat, flush_nat],
        "the end of all chains": [flush_filter, flush_nat, ["-t", "filter", "-X"], ["-t", "nat", "-X"]],
        "a rule of its own in a chain of ours": [["-t", "nat", "-I", service_chain, "-j", "RETURN"]],
        "a jump that is gone": [["-t", "nat", "-D", "PREROUTING", "1"]],
        "a second way to a chain of ours": [["-t", "nat", "-A", "KUBE-SERVICES", "-j", service_chain]],
    }


def test_every_damage_is_repaired_and_told(node: Node, kind: Kind, daemon: Daemon) -> None:
    chains = node.chains(kind)
    (service_chain,) = (name for name in chains["nat"] if name.startswith("KUBE-SVC-") and "." not in name)
    repaired = 0
    for what, commands in damages(kind, service_chain).items():
        for command in commands:
            # Where a repair has come first, a chain cannot be removed: it is in use again.
            node.machine.exec([kind.program, *command], check="-X" not in command)
        daemon.wait(lambda: node.chains(kind) == chains, what)
        # The last of several repairs may be told just after it can be seen.
        daemon.wait_told(REPAIRED, repaired + 1)
        repaired = len(daemon.told(REPAIRED))
    culprit = "iptables-nft" if kind.backend is Backend.NFT else "unknown"
    told = daemon.told(REPAIRED)
    assert {line["by"].partition(" (pid ")[0] for line in told} == {culprit}
    assert any("nat KUBE-SERVICES" in line["chains"] for line in told)
    name = f'pykubeproxy_drift_repaired_total{{cause="{culprit}",ip_family="IPv4"}}'
    daemon.wait(lambda: daemon.metrics()[name] == len(daemon.told(REPAIRED)), name)
    node.machine.iptables(kind, "-t", "nat", "-F")
    node.move("10.244.0.6")
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080", kind=kind), "a change that comes together with a damage")
    jumps = {name: chains["nat"][name] for name in ("PREROUTING", "OUTPUT", "POSTROUTING")}
    daemon.wait(lambda: jumps.items() <= node.chains(kind)["nat"].items(), "all jumps")


# As process sys.argv[1] of a PID namespace of its own, which a process of a container may well be, run the rest.
AS_PROCESS = """
import os, sys
open("/proc/sys/kernel/ns_last_pid", "w").write(str(int(sys.argv[1]) - 1))
child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
assert child == int(sys.argv[1])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
FLUSH = ["iptables-nft", "-t", "nat", "-F", "KUBE-SERVICES"]


def test_a_process_with_the_number_of_our_own_tool(node: Node) -> None:
    """In another container it may have it. What is found by reading only comes after half a minute."""
    node.serve()
    watch = node.inside(GenerationMonitor)
    daemon = node.start("--backend=nft", "--family=ipv4").wait_synced(1)
    port = watch.wait(10)[-1].port
    watch.close()
    node.move("10.244.0.5")
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "another write")
    chains = node.chains()
    own_processes = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", AS_PROCESS]
    node.machine.exec([*own_processes, str(port), *FLUSH])
    daemon.wait(lambda: node.chains() == chains, "the repair")
    assert [line["by"].partition(" (pid ")[0] for line in daemon.wait_told(REPAIRED)] == ["iptables-nft"]


def test_a_change_between_our_first_write_and_the_watch(node: Node, tmp_path: Path) -> None:
    """What has been done by the time when our own tool has ended."""
    node.serve("10.244.0.5")
    tools = StandIns(tmp_path / "bin").followed_by(FLUSH)
    daemon = node.start("--backend=nft", "--family=ipv4", path=tools.path).wait_synced(1)
    daemon.wait_told(REPAIRED)
    daemon.wait(lambda: WEB in node.dump(NFT4), "the repair")
