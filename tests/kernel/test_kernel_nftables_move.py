"""`check --for nftables` on a node that uses what nftables mode does not have, and on one that does not."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from tests.host.namespace import Namespace
from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import web, write
from tests.kernel.service_node import service_node

NODE_PORT = 30080
PRIMARY, OTHER, POD = "192.168.0.2", "198.51.100.7", "10.244.1.1"


def check(machine: Machine) -> tuple[int, dict[str, dict[str, Any]]]:
    """How it exits, and what it says, by kind."""
    done = machine.pykubeproxy("check", "--for", "nftables", "--output", "json")
    assert done.stderr == ""
    found = json.loads(done.stdout)["observations"]
    return done.returncode, {each["kind"]: each for each in found}


def connection(machine: Machine, address: str) -> socket.socket:
    """A connection to the node port at an address of the node, that stays open."""
    return Namespace(machine.name).run(lambda: socket.create_connection((address, NODE_PORT), timeout=10))


def test_what_is_used_is_found(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    objects = web(Family.IPV4, 1, [POD], type="NodePort", port={"nodePort": NODE_PORT})
    with service_node(machine, Family.IPV4):
        machine.ip([f"address add {OTHER}/32 dev swallow"])
        assert machine.once(write(tmp_path / "objects.json", objects), *kind4.flags).returncode == 0
        with connection(machine, PRIMARY):
            status, found = check(machine)
            assert (status, found["NodePortsNarrowed"]["addresses"]) == (0, 1)
            assert "NobodyLeadsHere" in found
        with connection(machine, PRIMARY), connection(machine, OTHER), connection(machine, "127.0.0.1"):
            status, found = check(machine)
        assert status == 1
        assert found["NodePortsElsewhere"]["uses"] == [{"address": OTHER, "connections": 1}]
        assert found["LocalhostUsed"]["connections"] == 1


@pytest.mark.parametrize("target", ["KUBE-MARK-MASQ", "KUBE-SERVICES"])
def test_rules_of_others_that_lead_to_our_chains(machine: Machine, kind4: Kind, target: str, tmp_path: Path) -> None:
    assert machine.once(write(tmp_path / "objects.json", web(Family.IPV4, 1)), *kind4.flags).returncode == 0
    machine.iptables(kind4, "-t", "nat", "-A", "OUTPUT", "-d", "192.0.2.1/32", "-j", target)
    status, found = check(machine)
    assert status == 1
    assert found["OthersLeadHere"]["rules"] == [f"IPv4 nat: -A OUTPUT -d 192.0.2.1/32 -j {target}"]
