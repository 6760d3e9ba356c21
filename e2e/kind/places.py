"""The places from which questions are asked in a cluster of kind's: the lab's, but entered by kubectl and docker."""

import sys
from collections.abc import Sequence

from e2e.asking import SOCKET_CLIENT
from e2e.kind.rendering import NAMESPACE, host_pod
from e2e.lab import Lab, Node, Outsider, Pod
from e2e.processes import Processes
from e2e.topology import Topology

# Commands are made for this machine; in the image some things are elsewhere.
_IN_THE_IMAGE = {sys.executable: "python3", str(SOCKET_CLIENT): "/e2e/socket_client.py"}


class KindNode(Node, frozen=True, kw_only=True):
    """A node, entered by the pod in its own network."""

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        return _in_pod(self.name, command)


class KindPod(Pod, frozen=True, kw_only=True):
    """A pod."""

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        return _in_pod(self.name, command)


class KindOutsider(Outsider, frozen=True, kw_only=True):
    """A container beside those that are nodes."""

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        return ["docker", "exec", self.name, *_translated(command)]


def lab(topology: Topology, processes: Processes, prefix: str) -> Lab:
    """The cluster as a lab; `prefix` begins the names of the outsiders' containers."""
    return Lab(
        prefix=prefix,
        topology=topology,
        nodes={
            spec.name: KindNode(name=host_pod(spec.name), processes=processes, spec=spec) for spec in topology.nodes
        },
        pods={spec.name: KindPod(name=spec.name, processes=processes, spec=spec) for spec in topology.pods},
        outsiders={
            spec.name: KindOutsider(name=f"{prefix}{spec.name}", processes=processes, spec=spec)
            for spec in topology.outsiders
        },
    )


def _in_pod(name: str, command: Sequence[str]) -> list[str]:
    return ["kubectl", "exec", "--namespace", NAMESPACE, name, "--", *_translated(command)]


def _translated(command: Sequence[str]) -> list[str]:
    return [_IN_THE_IMAGE.get(word, word) for word in command]
