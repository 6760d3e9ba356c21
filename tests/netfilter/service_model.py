"""What Kubernetes promises of the Services in a folder of examples: every question, with the fate that packets have."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.cluster.documents import parse_manifest
from pykubeproxy.config.completed import complete
from pykubeproxy.daemon.setup.rule_options import NodeFacts, rule_options
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.netfilter import Packet
from pykubeproxy.rules.options import RuleOptions
from tests.builders import ip
from tests.corpus import GOLDEN_NODE
from tests.fuzz import model
from tests.fuzz.model import Asked, Frontend
from tests.netfilter.corpus_lab import NODE
from tests.packets import Client, Destination, Fate, packet

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
        self._objects = list(parse_manifest((folder / "objects.yaml").read_text(), "objects.yaml").objects.values())
        self._flags = _flags.main((folder / "flags.txt").read_text().split(), standalone_mode=False)

    def questions(self, *versions: int) -> Iterator[Question]:
        """Every port of every Service, by every entrance, from everywhere."""
        for version in versions:
            its = self._options(Family(f"IPv{version}"))
            cluster = model.Cluster(self._objects, its, NODE.values())
            for frontend in cluster.frontends:
                for client in _clients(its, version):
                    for address in _addresses(frontend, client, version):
                        to = Destination(address, frontend.protocol, frontend.port)
                        (fate,) = cluster.promised(Asked(client, to))
                        about = f"{frontend.served.title} by {frontend.entrance} {address}"
                        yield Question(packet(to, client), fate, about)

    def _options(self, family: Family) -> RuleOptions:
        node = next(obj for obj in self._objects if isinstance(obj, Node) and obj.name == "node-0")
        facts = NodeFacts(node=node, host_addresses=tuple(map(ip, GOLDEN_NODE)))
        return rule_options(complete(self._flags, None, "node-0"), facts, family, OwnOptions())


@click.command()
@kube_proxy_flags()
def _flags(flags: dict[str, object]) -> dict[str, object]:
    return flags


def _clients(its: RuleOptions, version: int) -> list[Client]:
    """Some of everything: pods here and elsewhere, the node itself, and machines outside."""
    here, other, there, outside, stranger = {
        4: ("10.244.0.9", "10.244.0.11", "10.244.1.9", "203.0.113.9", "192.0.2.77"),
        6: ("fd00:10:244::9", "fd00:10:244::11", "fd00:10:244:1::9", "2001:db8:113::9", "2001:db8:2::77"),
    }[version]
    # Pods reach the node by a bridge, unless it tells them by another interface.
    told_by = its.pod_traffic.interface if its.pod_traffic is not None else ""
    return [
        *(Client(address, told_by.replace("+", "0123") or "cni0") for address in (here, other)),
        *(Client(address, "eth0") for address in (there, outside, stranger)),
        Client(NODE[version], ""),
    ]


def _addresses(frontend: Frontend, client: Client, version: int) -> list[str]:
    """Where a frontend is: at its address, or at those of the node, of which localhost is for the node alone."""
    if frontend.address is not None:
        return [frontend.address]
    return [NODE[version], *([LOOPBACK[version]] if client.is_node else [])]
