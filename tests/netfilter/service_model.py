"""What Kubernetes promises of the Services in a folder of examples: every question, with the fate that packets have.

The promises are those of `fuzz.model`, told from the objects alone: no rule, no chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from fuzz import model
from fuzz.model import Asked, Fate, Frontend
from fuzz.proxy import Client, Proxy
from pykubeproxy.netfilter import Packet
from tests.builders import ip
from tests.netfilter.corpus_lab import NODE

LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@dataclass(frozen=True)
class Question:
    """A packet, and what should become of it."""

    packet: Packet
    fate: Fate
    about: str

    def __str__(self) -> str:
        return f"{self.about} from {self.packet.source.text}"


class Cluster:
    """The objects of one folder."""

    def __init__(self, folder: Path) -> None:
        objects = list(yaml.safe_load_all((folder / "objects.yaml").read_text()))
        words = (folder / "flags.txt").read_text().split()
        own = next(item for item in objects if item["kind"] == "Node" and item["metadata"]["name"] == "node-0")
        proxy = Proxy(words, "node-0", [*NODE.values(), *LOOPBACK.values()], NODE.values(), own)
        flag = "--pod-interface-name-prefix"
        self._pods = f"{words[words.index(flag) + 1]}0123" if flag in words else "cni0"
        self._cluster = model.Cluster(objects, proxy)

    def questions(self, *versions: int) -> Iterator[Question]:
        """Every port of every Service, by every entrance, from everywhere."""
        for frontend in self._cluster.frontends:
            version = frontend.served.version
            for client in self._clients(version) if version in versions else ():
                for address in _addresses(frontend, client):
                    (fate,) = self._cluster.promised(Asked(client, address, frontend.protocol, frontend.port))
                    about = f"{frontend.served.title} by {frontend.entrance} {address}"
                    yield Question(_packet(frontend, client, address), fate, about)

    def _clients(self, version: int) -> list[Client]:
        """Some of everything: pods here and elsewhere, the node itself, and machines outside."""
        here, other, there, outside, stranger = {
            4: ("10.244.0.9", "10.244.0.11", "10.244.1.9", "203.0.113.9", "192.0.2.77"),
            6: ("fd00:10:244::9", "fd00:10:244::11", "fd00:10:244:1::9", "2001:db8:113::9", "2001:db8:2::77"),
        }[version]
        return [
            *(Client(address, self._pods) for address in (here, other)),
            *(Client(address, "eth0") for address in (there, outside, stranger)),
            Client(NODE[version], None),
        ]


def _addresses(frontend: Frontend, client: Client) -> list[str]:
    """Where a frontend is: at its address, or at those of the node, of which localhost is for the node alone."""
    if frontend.address is not None:
        return [str(frontend.address)]
    return [NODE[client.version], *([LOOPBACK[client.version]] if client.is_node else [])]


def _packet(frontend: Frontend, client: Client, address: str) -> Packet:
    return Packet(
        # A process that connects to localhost gets that for its own address, too.
        source=ip(address if address in LOOPBACK.values() else client.address),
        destination=ip(address),
        protocol=frontend.protocol,
        destination_port=frontend.port,
        from_node=client.is_node,
        in_interface=client.interface,
    )
