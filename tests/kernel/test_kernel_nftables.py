"""Tables of nftables beside the iptables rules: named if they are others', deleted if kube-proxy has left them."""

import json
import subprocess

import pytest

from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.kernel.machine import COMMAND, IPV4_KINDS, Machine, wait_until
from tests.kernel.nftables import leave_tables, load, needs_nft, tables
from tests.kernel.node import Done, Node
from tests.kernel.objects import cluster_ip
from tests.kernel.service_node import REFUSED, service_node

pytestmark = needs_nft

FIREWALLD = """
table inet firewalld {
    chain filter_INPUT { type filter hook input priority 10; policy accept; ct state invalid drop; }
    chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct state invalid drop; }
}
"""
DEBIANS_DEFAULT = """
table inet filter {
    chain input { type filter hook input priority filter; }
    chain forward { type filter hook forward priority filter; }
}
"""
IN_JSON = [{"family": "inet", "table": "firewalld", "hooks": ["forward", "input"]}]
NOTE = "not looked at: table inet firewalld (hooks forward, input)\n"
DEFAULT_ROUTE = "route add default via 10.244.0.1"
FORWARDED = ("trace", "--from", "10.244.0.9", "--to", "default/web-1", "--in-interface", "eth0")
OWN = ("trace", "--from", "node", "--to", "default/web-1")


def test_trace_and_diff_name_them_and_mark_what_they_could_change(served: Node) -> None:
    served.machine.ip([DEFAULT_ROUTE])
    load(served.machine, FIREWALLD + DEBIANS_DEFAULT)
    load(served.machine, "table ip6 six {\n chain any {\n type filter hook forward priority 0; policy drop\n }\n}\n")
    told = served.ask(*FORWARDED)
    assert told.returncode == 0
    assert told.stderr == NOTE, "empty chains do nothing, and another family's tables see no packet of this one"
    assert told.stdout.count("; not looked at: table inet firewalld\n") == 2
    document = served.document(*FORWARDED)
    assert document["notLookedAt"] == IN_JSON
    assert [outcome["notLookedAt"] for outcome in document["outcomes"]] == [IN_JSON, IN_JSON]
    # The node's own packets pass neither hook, nor do those that end before.
    own = served.document(*OWN)
    served.machine.set_sysctls(0, ["ipv4/ip_forward"])
    for unmarked in (own, served.document(*FORWARDED)):
        assert unmarked["notLookedAt"] == IN_JSON
        assert not any("notLookedAt" in outcome for outcome in unmarked["outcomes"])

    same = served.diff()
    assert (same.returncode, same.stderr) == (0, NOTE)
    assert served.document("diff", "-f", str(served.source))["notLookedAt"] == IN_JSON
    dump = served.folder / "dump"
    dump.write_text(served.dump())
    of_a_dump = served.machine.pykubeproxy("diff", "-f", str(served.source), "--live", str(dump), "--family", "ipv4")
    assert "not looked at" not in of_a_dump.stderr


@pytest.mark.parametrize("kind4", IPV4_KINDS, indirect=True, ids=str)
def test_rules_of_the_nft_tools_are_named_where_the_legacy_ones_are_used(served: Node) -> None:
    if served.kind.backend is Backend.NFT:
        pytest.skip("only the legacy tools do not see them")
    served.machine.ip([DEFAULT_ROUTE])
    served.machine.exec(["iptables-nft", "-A", "FORWARD", "-j", "DROP"])
    assert served.ask(*OWN).stderr == "not looked at: table ip filter (hook forward)\n"


BOTH = {"ip kube-proxy", "ip6 kube-proxy"}
DELETED = "deleted what kube-proxy had left in nftables mode"
WOULD_DELETE = "would delete what kube-proxy has left in nftables mode"
# A daemon for both families, which sets nothing of the machine's.
BOTH_FAMILIES = ("--family", "ipv4,ipv6", "--conntrack-max-per-core=0")


def left(node: Node) -> set[str]:
    return tables(node.machine) & BOTH


def test_a_run_deletes_what_is_left_once_its_own_rules_are_there(node4: Node) -> None:
    """The measured case: what stays of a Service's old rules refuses its clients."""
    place = (cluster_ip(Family.IPV4, 1), 80)
    rule = f"ip daddr {place[0]} tcp dport 80 dnat to 10.244.0.9:1"
    leave_tables(node4.machine, "ip", rule=rule)
    leave_tables(node4.machine, "ip6")
    load(node4.machine, "add table inet kube-proxy\nadd table ip other\n")
    node4.write(node4.web())
    assert node4.once(path=node4.stand_ins().refusing("KUBE-SERVICES").path).returncode == 1
    with service_node(node4.machine, Family.IPV4) as its:
        assert its.ask([place]) == {place: REFUSED}, "a sync that fails deletes nothing"
        done = node4.sync("--log-format", "json")
        assert its.ask([place])[place].startswith("10.244.0.")
    assert left(node4) == {"ip6 kube-proxy"}, "families that are not asked for are left alone"
    told = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert told.index("synced") < told.index(DELETED)
    assert node4.machine.pykubeproxy("cleanup", "--family", "ipv6").returncode == 0
    assert tables(node4.machine) & {*BOTH, "inet kube-proxy", "ip other"} == {"inet kube-proxy", "ip other"}


def test_the_daemon_deletes_them_and_takes_that_for_no_foreign_change(node4: Node) -> None:
    leave_tables(node4.machine, "ip", "ip6")
    node4.write(node4.web())
    process = node4.start("--family", "ipv4", "--iptables-min-sync-period=10ms")
    wait_until(lambda: left(node4) == {"ip6 kube-proxy"}, "their end")
    # Whatever had been announced before is heard before the end of a later sync.
    node4.write(node4.web(), node4.web(2, endpoints=(77,)))
    node4.wait_for(1, 2)
    process.terminate()
    assert process.wait(20) == 0
    assert node4.log.read_text().count(DELETED) == 1
    assert "another program" not in node4.log.read_text()


def test_shadow_mode_and_dry_runs_only_name_them(node4: Node) -> None:
    leave_tables(node4.machine, "ip", "ip6")
    node4.write()
    done = node4.machine.once(node4.source, "--dry-run", "--backend", node4.kind.backend)
    assert done.returncode == 1, "there is something to write"
    said = done.stdout + done.stderr
    assert said.count(WOULD_DELETE) == 2
    assert "table ip6 kube-proxy" in said
    assert left(node4) == BOTH


def clean(machine: Machine, command: str) -> Done:
    if command == "cleanup":
        return machine.pykubeproxy("cleanup")
    program = "from pykubeproxy.cli.kube_proxy import main; main()"
    return machine.exec([COMMAND[0], "-c", program, "--cleanup"], check=False)


@pytest.mark.parametrize("command", ["cleanup", "kube-proxy --cleanup"])
def test_cleanup_deletes_them_also_where_nothing_else_is(machine: Machine, command: str) -> None:
    leave_tables(machine, "ip", "ip6")
    machine.pykubeproxy("cleanup", "--backend", "legacy")
    assert tables(machine) >= BOTH, "cleanup of the legacy backend leaves nftables alone"
    done = clean(machine, command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("of kube-proxy's nftables mode deleted\n") == 2
    assert not tables(machine) & BOTH
    assert "nftables mode" not in clean(machine, command).stdout


def test_one_that_cannot_be_deleted_is_a_warning_and_stops_nothing(node4: Node) -> None:
    owner = node4.machine.popen(["nft", "-i"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    assert owner.stdin is not None
    owner.stdin.write("add table ip kube-proxy { flags owner; }\n")
    owner.stdin.flush()
    wait_until(lambda: left(node4), "a table that belongs to its program")
    node4.write(node4.web())
    done = node4.sync()
    assert (done.stdout + done.stderr).count("cannot delete what kube-proxy has left in nftables mode") == 1
    assert left(node4) == {"ip kube-proxy"}
    assert node4.served() == {1}
    assert node4.machine.pykubeproxy("cleanup").returncode != 0
    owner.stdin.close()
    owner.wait(10)


def test_diff_counts_them_as_a_difference(node4: Node) -> None:
    node4.write(node4.web())
    node4.sync()
    assert node4.diff().returncode == 0
    leave_tables(node4.machine, "ip")
    told = node4.diff()
    assert told.returncode == 1
    assert told.stdout.startswith(
        "- table ip kube-proxy, left by kube-proxy's nftables mode\nPlan: 0 Services; 0 chains to add"
    )
    assert told.stdout.endswith("; 1 table of nftables to delete\n")
    assert "not looked at: table ip kube-proxy (hooks output, prerouting), left by kube-proxy's" in told.stderr
    document = node4.document("diff", "-f", str(node4.source))
    assert document["changed"] is True
    assert document["leftTables"] == [{"family": "ip", "table": "kube-proxy", "hooks": []}]
