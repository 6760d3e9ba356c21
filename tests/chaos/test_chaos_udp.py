"""A UDP client that begins while the rules are gone finds its Service as soon as they are back."""

import os
import re
import signal
import socket
from functools import partial

from e2e.asking import Destination
from e2e.topology import Protocol
from tests.chaos.bed import Bed, cluster_ips
from tests.host.namespace import Namespace

PATIENCE = 0.1
PASSES = 4
"""After the first sync, in each family: one, and another a little later."""
REPAIRED = "rules were changed by another program; repaired"


class Client:
    """Asks over one socket only; so its packets are one flow to the kernel, which is judged by the first of them."""

    def __init__(self, destination: Destination) -> None:
        family = socket.AF_INET if destination.address.version == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((str(destination.address), destination.port))

    def is_answered(self) -> bool:
        try:
            self._socket.send(b"/")
            return bool(self._socket.recv(65535))
        except OSError:
            return False

    def close(self) -> None:
        self._socket.close()


def passes(bed: Bed) -> float:
    """How often flows have been looked through since the start."""
    metrics = bed.node.exec(["curl", "--silent", "http://127.0.0.1:10249/metrics"], check=False).stdout
    found = re.findall(r"^kubeproxy_conntrack_reconciler_sync_duration_seconds_count\S* (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, found))


def test_a_client_that_began_while_nat_was_flushed_is_answered(bed: Bed) -> None:
    bed.start()
    bed.cluster.wait(lambda: passes(bed) >= PASSES, "a node that has looked through its flows")
    pod = Namespace(bed.client.name)
    destinations = [each for each in cluster_ips() if each.protocol is Protocol.UDP]
    os.kill(bed.pid, signal.SIGSTOP)
    for tool in ("iptables", "ip6tables"):
        bed.node.exec([f"{tool}-{bed.backend}", "-t", "nat", "-F"])
    clients = [pod.run(partial(Client, each)) for each in destinations]
    assert not any(client.is_answered() for client in clients), "there are no rules"
    os.kill(bed.pid, signal.SIGCONT)
    for client, destination in zip(clients, destinations, strict=True):
        bed.cluster.wait(client.is_answered, f"answer from {destination}", seconds=20)
        client.close()
    bed.wait_in_sync()
    assert {line["family"] for line in bed.proxy.told(REPAIRED)} == {"IPv4", "IPv6"}
