"""A daemon that has done much is no larger than one that has done little."""

from pathlib import Path

from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, Daemon, Node

CHANGES = 200


def test_threads_files_and_memory_do_not_grow(node: Node) -> None:
    daemon = node.start()
    for name, protocol in (("web", "TCP"), ("dns", "UDP")):
        port = {"name": "http", "port": 80, "targetPort": 8080, "protocol": protocol}
        node.api.create(testing.service(name, ports=[port]))
    change(node, daemon, range(20))
    ask(daemon)
    before, memory = daemon.resources(), resident(daemon)

    change(node, daemon, range(20, 20 + CHANGES))
    ask(daemon)
    for _ in range(3):
        node.api.faults.break_watches("reset")
        node.api.wait_watchers(3)
        node.machine.exec(["iptables-nft", "-t", "nat", "-F"])
    change(node, daemon, [250])
    daemon.wait(lambda: at_most(daemon.resources(), before), f"no more than {before} threads and files")
    assert resident(daemon) < 1.3 * memory


def change(node: Node, daemon: Daemon, numbers: range | list[int]) -> None:
    """Make changes as fast as possible; UDP and Services come and go as well. Wait for the last one."""
    for number in numbers:
        endpoints = [f"10.244.0.{number}", f"10.244.1.{number}"]
        node.api.apply(testing.endpoint_slice("web", *endpoints))
        udp = {"name": "http", "port": 8080, "protocol": "UDP"}
        node.api.apply(testing.endpoint_slice("dns", endpoints[0], ports=[udp]))
        if number % 10 == 0:
            node.api.apply(testing.service(f"brief-{number}"))
            node.api.delete("Service", "default", f"brief-{number}")
    daemon.wait(lambda: node.sends_to(*(f"{endpoint}:8080" for endpoint in endpoints)), "the last change")


def ask(daemon: Daemon) -> None:
    for _ in range(5):
        daemon.metrics()
        daemon.get("/healthz", HEALTHZ)


def at_most(found: tuple[int, int], limits: tuple[int, int]) -> bool:
    return all(number <= limit for number, limit in zip(found, limits, strict=True))


def resident(daemon: Daemon) -> int:
    """KB of memory."""
    lines = Path("/proc", str(daemon.process.pid), "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
