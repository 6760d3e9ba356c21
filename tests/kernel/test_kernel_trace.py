"""`trace` on a live node: its own rules, its own addresses and its own routes."""

import json
import socket
from pathlib import Path

from tests.corpus import GOLDEN, without_nfacct
from tests.host.namespace import Namespace
from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import cluster_ip, web, write


def served(machine: Machine, kind: Kind, folder: Path) -> None:
    """A node with an interface towards the pods, a gateway, and rules for one Service with two endpoints."""
    machine.ip(["link set lo up", "link add eth0 type veth peer name pod0", "addr add 10.244.0.254/24 dev eth0"])
    machine.ip(["link set pod0 up", "link set eth0 up"])
    machine.ip(["route add 10.244.9.0/24 via 10.244.0.1 dev eth0"])
    machine.set_sysctls(1, ["ipv4/ip_forward"])
    source = write(folder / "objects.json", web(kind.family, 1, endpoints=("10.244.0.7", "10.244.9.7")))
    assert machine.once(source, *kind.flags).returncode == 0


def test_the_routing_decision_names_interface_and_gateway(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    # Without any route to the cluster IP, the node's own packets would not even reach the rules.
    machine.ip(["route add default via 10.244.0.1"])
    before = machine.dump(kind4)
    asked = ("trace", "--from", "node", "--to", "default/web-1:http", "--backend", kind4.backend)
    result = machine.pykubeproxy(*asked)
    assert result.returncode == 0, result.stderr
    assert "sent to 10.244.0.7:8080 dev eth0" in result.stdout
    assert "sent to 10.244.9.7:8080 via 10.244.0.1 dev eth0" in result.stdout
    assert machine.dump(kind4) == before, "asking changes nothing: not even a table of the legacy tools is made"


def test_a_node_that_does_not_forward(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    machine.set_sysctls(0, ["ipv4/ip_forward"])
    asked = ("trace", "--from", "10.244.0.9", "--to", "default/web-1", "--in-interface", "eth0")
    result = machine.pykubeproxy(*asked, "--backend", kind4.backend)
    assert result.returncode == 1
    assert "this node does not forward packets (ip_forward is 0)" in result.stdout


def test_the_node_s_own_packets_come_from_the_address_that_the_kernel_takes(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    served(machine, kind4, tmp_path)
    machine.ip(["route add default via 10.244.0.1"])
    for target, source in (("10.96.9.9:80", "10.244.0.254"), ("127.0.0.1:80", "127.0.0.1")):
        result = machine.pykubeproxy("trace", "--from", "node", "--to", target, "--backend", kind4.backend)
        assert result.stdout.startswith(f"the node ({source}) → {target}/tcp")


def test_node_ports_at_localhost_need_route_localnet(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    machine.ip(["route add default via 10.244.0.1"])
    machine.load(kind4, without_nfacct((GOLDEN / "nodeport" / "ipv4.save").read_text()))
    asked = ("trace", "--from", "node", "--to", "127.0.0.1:30080", "--backend", kind4.backend)
    for value, returncode in ((0, 1), (1, 0)):
        machine.set_sysctls(value, ["ipv4/conf/all/route_localnet"])
        result = machine.pykubeproxy(*asked)
        assert result.returncode == returncode, result.stdout
        assert ("must not leave this node" in result.stdout) is (value == 0)


def test_an_interface_that_does_not_exist(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    asked = ("trace", "--from", "10.244.0.9", "--to", "default/web-1", "--backend", kind4.backend, "--in-interface")
    noted = machine.pykubeproxy(*asked, "eth9").stderr
    assert noted == "note: --in-interface eth9: this node has no such interface; did you mean eth0?\n"
    assert machine.pykubeproxy(*asked, "eth0").stderr == ""


def test_a_pod_without_a_route(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    machine.ip(["route del 10.244.9.0/24"])
    asked = ("trace", "--from", "10.244.0.9", "--to", f"{cluster_ip(kind4.family, 1)}:80", "--in-interface", "eth0")
    result = machine.pykubeproxy(*asked, "--output", "json", "--backend", kind4.backend)
    outcomes = {outcome["dnat"]: outcome for outcome in json.loads(result.stdout)["outcomes"]}
    assert result.returncode == 1
    assert outcomes["10.244.9.7:8080"]["verdict"] == "REJECT"
    assert "no route" in outcomes["10.244.9.7:8080"]["says"]


def test_objects_explain_what_live_rules_refuse(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    source = write(tmp_path / "objects.json", web(kind4.family, 1, endpoints=()))
    assert machine.once(source, *kind4.flags).returncode == 0
    dump = tmp_path / "live.save"
    dump.write_text(machine.dump(kind4))
    asked = ("trace", "--from", "node", "--to", "default/web-1", "--live", str(dump), "-f", str(source))
    result = machine.pykubeproxy(*asked)
    assert result.returncode == 1
    assert "no ready endpoints for default/web-1:http: its EndpointSlices list no pods" in result.stdout


def test_a_node_without_a_route_to_the_cluster_ip(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    result = machine.pykubeproxy("trace", "--from", "node", "--to", "default/web-1", "--backend", kind4.backend)
    assert result.returncode == 1
    assert "cannot be reached: there is no route to it" in result.stdout
    asked = machine.exec(["curl", "-s", "-m", "2", f"http://{cluster_ip(kind4.family, 1)}/"], check=False)
    assert asked.returncode == 7, "the kernel lets curl connect no more than trace says"


def test_a_port_that_no_service_has_leads_nowhere(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    served(machine, kind4, tmp_path)
    machine.ip(["route add default via 10.244.0.1"])
    address = cluster_ip(kind4.family, 1)
    result = machine.pykubeproxy("trace", "--from", "node", "--to", f"{address}:81", "--backend", kind4.backend)
    assert result.returncode == 1
    assert f"! LOST  always  no Service has 81/tcp at {address}, only 80/tcp (default/web-1:http)" in result.stdout
    asked = machine.exec(["curl", "-s", "-m", "1", f"http://{address}:81/"], check=False)
    assert asked.returncode == 28, "nobody answers"


def test_a_node_port_of_no_service_is_lost_unless_a_process_listens(
    machine: Machine, kind4: Kind, tmp_path: Path
) -> None:
    served(machine, kind4, tmp_path)
    asked = ("trace", "--from", "node", "--to", "10.244.0.254:30099", "--backend", kind4.backend)
    assert "! LOST  always  no Service has node port 30099/tcp" in machine.pykubeproxy(*asked).stdout
    with Namespace(machine.name).run(lambda: socket.create_server(("10.244.0.254", 30099))):
        assert machine.pykubeproxy(*asked).returncode == 0
