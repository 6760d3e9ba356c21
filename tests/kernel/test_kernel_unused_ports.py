"""Connections to ports that no Service has are refused by the kernel, if that is asked for; nothing else is."""

from pathlib import Path

from pykubeproxy.model.ip import Family
from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import cluster_ip, web, write
from tests.kernel.service_node import REFUSED, SILENCE_SECONDS, SILENT, neighbour, service_node

PODS = {Family.IPV4: "10.244.1.1", Family.IPV6: "fd00:10:244::1"}
BALANCED = {Family.IPV4: "203.0.113.7", Family.IPV6: "2001:db8:113::7"}


def test_unused_ports_are_refused(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    family, pod = kind.family, PODS[kind.family]
    service, *slices = web(family, 1, endpoints=[pod])
    service["spec"]["type"] = "LoadBalancer"
    service["status"] = {"loadBalancer": {"ingress": [{"ip": BALANCED[family]}]}}
    source = write(tmp_path / "objects.json", [service, *slices])
    refusing = (*kind.flags, "--reject-unused-ports", "all")
    used = {(cluster_ip(family, 1), 80): pod, (BALANCED[family], 80): pod}
    with service_node(machine, family) as node, neighbour(machine, family) as client:
        assert machine.once(source, *kind.flags).returncode == 0
        unused = [(address, 81) for address, _ in used]
        assert client.ask([*used, *unused], seconds=SILENCE_SECONDS) == used | dict.fromkeys(unused, SILENT)

        assert machine.once(source, *refusing).returncode == 0
        assert client.ask([*used, *unused]) == used | dict.fromkeys(unused, REFUSED)
        assert node.ask(unused[:1]) == {unused[0]: REFUSED}
        read_back = machine.pykubeproxy("diff", "-f", str(source), *refusing)
        assert read_back.returncode == 0, read_back.stdout

        assert machine.once(source, *kind.flags).returncode == 0
        assert client.ask(unused, seconds=SILENCE_SECONDS) == dict.fromkeys(unused, SILENT)
