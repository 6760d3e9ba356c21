"""`trace` on a live node: its own rules, its own addresses and its own routes."""

import socket

from tests.host.namespace import Namespace
from tests.kernel.node import Done, Node
from tests.kernel.objects import cluster_ip

DEFAULT_ROUTE = "route add default via 10.244.0.1"
FROM_POD = ("--from", "10.244.0.9", "--in-interface", "eth0")


NEXT_STEP = "these rules let it through; if nothing answers, ask an endpoint itself: does 10.244.0.7:8080 answer?"


def trace(node: Node, to: str, *flags: str) -> Done:
    """From the node itself, unless said otherwise."""
    origin = () if "--from" in flags else ("--from", "node")
    return node.machine.pykubeproxy("trace", *origin, "--to", to, "--backend", node.kind.backend, *flags)


def test_the_node_s_own_packets(served: Node) -> None:
    # Without any route to the cluster IP, they would not even reach the rules.
    address = cluster_ip(served.family, 1)
    nowhere = trace(served, "default/web-1")
    assert nowhere.returncode == 1
    assert "cannot be reached: there is no route to it" in nowhere.stdout
    asked = served.machine.exec(["curl", "-s", "-m", "2", f"http://{address}/"], check=False)
    assert asked.returncode == 7, "the kernel lets curl connect no more than trace says"

    served.machine.ip([DEFAULT_ROUTE])
    before = served.dump()
    sent = trace(served, "default/web-1:http")
    assert sent.returncode == 0, sent.stderr
    assert "sent to 10.244.0.7:8080 dev eth0" in sent.stdout
    assert "sent to 10.244.9.7:8080 via 10.244.0.1 dev eth0" in sent.stdout
    for target, source in (("10.96.9.9:80", "10.244.0.254"), ("127.0.0.1:80", "127.0.0.1")):
        assert trace(served, target).stdout.startswith(f"the node ({source}) → {target}/tcp")

    no_port = trace(served, f"{address}:81")
    assert no_port.returncode == 1
    assert f"! LOST  always  no Service has 81/tcp at {address}, only 80/tcp (default/web-1:http)" in no_port.stdout
    assert served.dump() == before, "asking changes nothing: not even a table of the legacy tools is made"
    asked = served.machine.exec(["curl", "-s", "-m", "1", f"http://{address}:81/"], check=False)
    assert asked.returncode == 28, "nobody answers"


def test_packets_of_pods(served: Node) -> None:
    noted = trace(served, "default/web-1", "--from", "10.244.0.9", "--in-interface", "eth9").stderr
    assert noted.startswith("note: --in-interface eth9: this node has no such interface; did you mean eth0?\n")
    sent = trace(served, "default/web-1", *FROM_POD)
    assert sent.returncode == 0
    assert sent.stderr == f"hint: {NEXT_STEP}\n"
    served.machine.ip(["route del 10.244.9.0/24"])
    half_lost = trace(served, "default/web-1", *FROM_POD)
    assert half_lost.returncode == 1
    assert "10.244.9.7 cannot be reached: there is no route to it" in half_lost.stdout
    served.machine.set_sysctls(0, ["ipv4/ip_forward"])
    dropped = trace(served, "default/web-1", *FROM_POD)
    assert dropped.returncode == 1
    assert "this node does not forward packets (ip_forward is 0)" in dropped.stdout


def test_a_node_port_of_no_service_is_lost_unless_a_process_listens(served: Node) -> None:
    place = ("10.244.0.254", 30099)
    target = f"{place[0]}:{place[1]}"
    assert "! LOST  always  no Service has node port 30099/tcp" in trace(served, target).stdout
    with Namespace(served.machine.name).run(lambda: socket.create_server(place)):
        assert trace(served, target).returncode == 0
