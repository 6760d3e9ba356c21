"""What kube-proxy has left in its nftables and ipvs modes."""

import json
import subprocess
from pathlib import Path

import pytest

from pykubeproxy.model.ip import Family
from tests.kernel.counted import all_pods_here
from tests.kernel.machine import COMMAND, Kind, Machine, wait_until
from tests.kernel.nftables import leave_tables, load, needs_nft, tables
from tests.kernel.objects import cluster_ip, web, write

pytestmark = needs_nft

BOTH = {"ip kube-proxy", "ip6 kube-proxy"}
DELETED = "deleted what kube-proxy had left in nftables mode"
WOULD_DELETE = "would delete what kube-proxy has left in nftables mode"
NO_CONNTRACK = "--conntrack-max-per-core=0"


def test_a_run_deletes_them_once_its_own_rules_are_there(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    leave_tables(machine, "ip", "ip6")
    load(machine, "add table inet kube-proxy\nadd table ip other\n")
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    done = machine.once(source, "--backend", kind4.backend, "--log-format", "json", NO_CONNTRACK)
    assert done.returncode == 0, done.stderr
    assert tables(machine) & {*BOTH, "inet kube-proxy", "ip other"} == {"inet kube-proxy", "ip other"}
    events = [json.loads(line) for line in done.stdout.splitlines() + done.stderr.splitlines() if line.startswith("{")]
    told = [event["event"] for event in events if event["event"] in ("synced", "in sync", DELETED)]
    assert told.count(DELETED) == 2
    assert told[0] != DELETED, "our own rules come first"
    assert "10.244.0.1:8080" in machine.dump(kind4)


def test_connections_go_where_our_rules_send_them(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    """The measured case: what stays of a Service's old rules refuses its clients."""
    address = cluster_ip(Family.IPV4, 1)
    leave_tables(machine, "ip", rule=f"ip daddr {address} tcp dport 80 dnat to 10.244.0.9:1")
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    with all_pods_here(machine, Family.IPV4) as connect:
        with pytest.raises(ConnectionRefusedError):
            connect(address, 1)
        assert machine.once(source, *kind4.flags, NO_CONNTRACK).returncode == 0
        connect(address, 3)


def test_families_that_are_not_asked_for_are_left_alone(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    leave_tables(machine, "ip", "ip6")
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    assert machine.once(source, *kind4.flags, NO_CONNTRACK).returncode == 0
    assert tables(machine) & BOTH == {"ip6 kube-proxy"}
    assert machine.pykubeproxy("cleanup", "--family", "ipv6").returncode == 0
    assert not tables(machine) & BOTH


def test_the_daemon_deletes_them_and_takes_that_for_no_foreign_change(machine: Machine, tmp_path: Path) -> None:
    leave_tables(machine, "ip", "ip6")
    source, log = write(tmp_path / "objects.json", web(Family.IPV4)), tmp_path / "log"
    process = machine.start(source, log, NO_CONNTRACK, "--iptables-min-sync-period=10ms")
    wait_until(lambda: not tables(machine) & BOTH, "their end")
    # Whatever had been announced before is heard before the end of a later sync.
    write(source, web(Family.IPV4), web(Family.IPV4, 2, endpoints=(77,)))
    wait_until(lambda: "10.244.0.77:8080" in machine.exec(["iptables-nft-save"]).stdout, "the second Service")
    end(process)
    assert log.read_text().count(DELETED) == 2
    assert "another program" not in log.read_text()


def test_shadow_mode_and_dry_runs_only_name_them(machine: Machine, tmp_path: Path) -> None:
    leave_tables(machine, "ip", "ip6")
    source = write(tmp_path / "objects.json")
    for arguments in (["--dry-run"], ["--dry-run", "--backend=nft"]):
        done = machine.once(source, *arguments)
        assert done.returncode == 1, "there is something to write"
        said = done.stdout + done.stderr
        assert said.count(WOULD_DELETE) == 2
        assert "table ip6 kube-proxy" in said
    assert tables(machine) >= BOTH


@pytest.mark.parametrize("command", ["cleanup", "kube-proxy --cleanup"])
def test_cleanup_deletes_them_also_where_nothing_else_is(machine: Machine, command: str) -> None:
    leave_tables(machine, "ip", "ip6")
    done = clean(machine, command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("of kube-proxy's nftables mode deleted\n") == 2
    assert not tables(machine) & BOTH
    again = clean(machine, command)
    assert "nftables mode" not in again.stdout


def test_cleanup_of_the_legacy_backend_leaves_nftables_alone(machine: Machine) -> None:
    leave_tables(machine, "ip")
    machine.pykubeproxy("cleanup", "--backend", "legacy")
    assert "ip kube-proxy" in tables(machine)


def test_one_that_cannot_be_deleted_is_a_warning_and_stops_nothing(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    leave_tables(machine, "ip6")
    owner = machine.popen(["nft", "-i"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    assert owner.stdin is not None
    owner.stdin.write("add table ip kube-proxy { flags owner; }\n")
    owner.stdin.flush()
    wait_until(lambda: "ip kube-proxy" in tables(machine), "a table that belongs to its program")
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    done = machine.once(source, "--backend", kind4.backend, NO_CONNTRACK)
    assert done.returncode == 0
    assert (done.stdout + done.stderr).count("cannot delete what kube-proxy has left in nftables mode") == 1
    assert tables(machine) & BOTH == {"ip kube-proxy"}
    assert "10.244.0.1:8080" in machine.dump(kind4)
    assert machine.pykubeproxy("cleanup").returncode != 0
    owner.stdin.close()
    owner.wait(10)


def test_diff_counts_them_as_a_difference(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    assert machine.once(source, *kind4.flags, NO_CONNTRACK).returncode == 0
    asked = ("diff", "-f", str(source), *kind4.flags)
    assert machine.pykubeproxy(*asked).returncode == 0
    leave_tables(machine, "ip")
    told = machine.pykubeproxy(*asked)
    assert told.returncode == 1
    assert told.stdout.startswith(
        "- table ip kube-proxy, left by kube-proxy's nftables mode\nPlan: 0 Services; 0 chains to add"
    )
    assert told.stdout.endswith("; 1 table of nftables to delete\n")
    assert "not looked at: table ip kube-proxy (hooks output, prerouting), left by kube-proxy's" in told.stderr
    document = json.loads(machine.pykubeproxy(*asked, "--output", "json").stdout)
    assert (document["changed"], document["leftTables"]) == (
        True,
        [{"family": "ip", "table": "kube-proxy", "hooks": []}],
    )


def test_what_the_ipvs_mode_has_left_is_named_with_the_command_that_removes_it(
    machine: Machine, tmp_path: Path
) -> None:
    machine.ip(["link add kube-ipvs0 type veth peer name other"])
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    commands = (["diff", "-f", str(source)], ["run", "--once", "--source", str(source), NO_CONNTRACK], ["cleanup"])
    for command in commands:
        done = machine.pykubeproxy(*command)
        said = done.stdout + done.stderr
        assert said.count("ip link delete kube-ipvs0") == 1, command
    machine.ip(["link delete kube-ipvs0"])
    assert "kube-ipvs0" not in machine.pykubeproxy("cleanup").stderr


def clean(machine: Machine, command: str) -> "subprocess.CompletedProcess[str]":
    if command == "cleanup":
        return machine.pykubeproxy("cleanup")
    program = "from pykubeproxy.cli.kube_proxy import main; main()"
    return machine.exec([COMMAND[0], "-c", program, "--cleanup"], check=False)


def end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    assert process.wait(20) == 0
