"""What `check` finds in the kernel of a node on which no Service proxy runs, and beside one that follows files."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from tests.kernel.machine import COMMAND, IPV4_KINDS, Kind, Machine, wait_until, why_without
from tests.kernel.nftables import leave_tables, load, needs_nft
from tests.kernel.objects import web, write

FIREWALLD = "table inet firewalld {\n chain f {\n type filter hook forward priority 10\n ct state invalid drop\n }\n}\n"
NO_CONNTRACK = ("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0")


def check(machine: Machine, *command: str) -> dict[str, dict[str, Any]]:
    """What is observed, by its kind."""
    run = machine.exec([*command, *COMMAND, "check", "--output", "json"], check=False)
    assert run.stderr == ""
    document = json.loads(run.stdout)
    assert document["exitStatus"] == run.returncode
    return {each["kind"]: each for each in document["observations"]}


def test_a_fresh_node(machine: Machine) -> None:
    before = machine.loaded_tables()
    found = check(machine)
    assert {"NoProxyRuns", "NoRules", "ForwardingOff", "NoNativeTables", "NoLeftovers"} <= set(found)
    assert found["ForwardingOff"]["family"] == "IPv4"
    assert machine.loaded_tables() == before, "no table is loaded by looking"


def test_rules_that_nothing_keeps_up_to_date(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family))
    assert machine.once(source, *kind.flags).returncode == 0
    found = check(machine)
    assert found["RulesWithoutProxy"]["families"] == [kind.family]
    assert "BothBackendsUsed" not in found


def test_rules_in_both_backends(machine: Machine) -> None:
    for kind in IPV4_KINDS:
        if lack := why_without(kind):
            pytest.skip(lack)
        machine.load(kind, "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    assert check(machine)["BothBackendsUsed"]["family"] == "IPv4"


@needs_nft
def test_other_tables_and_leftovers(machine: Machine) -> None:
    load(machine, FIREWALLD)
    leave_tables(machine, "ip")
    found = check(machine)
    assert found["NftablesLeft"]["tables"] == [{"family": "ip", "table": "kube-proxy", "hooks": []}]
    assert found["NativeTables"]["tables"] == [{"family": "inet", "table": "firewalld", "hooks": ["forward"]}]


def test_a_proxy_that_follows_files(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = tmp_path / "objects"
    source.mkdir()
    write(source / "web.json", web(Family.IPV4))
    process = machine.start(source, tmp_path / "log", *kind4.flags, *NO_CONNTRACK)
    try:
        wait_until(lambda: "InSync" in check(machine), "the first sync")
        found = check(machine, "env", "PATH=/nowhere")
        assert found["ProxyRuns"]["pid"] == process.pid, "no tool is run to find that out"
        assert found["FollowsManifests"]["path"] == str(source)
        assert found["BackendUsed"]["backend"] == kind4.backend
        assert found["FamiliesServed"] == {
            **found["FamiliesServed"],
            "families": ["IPv4"],
            "services": 1,
            "whyNotIpv6": "",
        }
        (source / "web.json").write_text("{")
        wait_until(lambda: "ObjectsUnread" in check(machine), "what cannot be read")
        assert "web.json" in check(machine)["ObjectsUnread"]["says"]
    finally:
        process.terminate()
        process.wait(10)


def test_diff_takes_everything_from_the_proxy_that_follows_files(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(Family.IPV4))
    flags = ("--dispatch=linear", "--cluster-cidr=10.244.0.0/16", "--hostname-override=node-x", *NO_CONNTRACK)
    process: subprocess.Popen[str] = machine.start(source, tmp_path / "log", *kind4.flags, *flags)
    try:
        wait_until(lambda: "InSync" in check(machine), "the first sync")
        same = machine.pykubeproxy("diff")
        assert (same.returncode, same.stdout) == (0, "No changes. The node matches the cluster.\n"), same.stderr
        assert same.stderr == f"configuration of the running proxy (pid {process.pid})\n"
    finally:
        process.terminate()
        process.wait(10)
