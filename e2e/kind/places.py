"""The places from which questions are asked in a cluster of kind's: the lab's, but entered by kubectl and docker."""

import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from e2e.asking import SOCKET_CLIENT
from e2e.kind.rendering import host_pod
from e2e.lab import Lab, Node, Outsider, Pod
from e2e.netns import Namespace
from e2e.processes import Processes
from e2e.topology import Topology

# Commands are made for this machine; in the image some things are elsewhere.
_IN_THE_IMAGE = {sys.executable: "python3", str(SOCKET_CLIENT): "/e2e/socket_client.py"}


class Entered(Namespace, frozen=True, kw_only=True):
    """A place into which another program leads."""

    def popen(
        self,
        command: Sequence[str],
        *,
        stdout: IO[str] | int | None = subprocess.PIPE,
        stderr: IO[str] | int | None = None,
    ) -> subprocess.Popen[str]:
        """Starts `command` there. It is not tied to this process, whose end it sees by that of its standard input."""
        return self.processes.start(self.argv(command), stdout=stdout, stderr=stderr)


class KindNode(Entered, Node, frozen=True, kw_only=True):
    """A node, entered by the pod in its own network."""

    namespace: str

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        return _in_pod(self.namespace, self.name, command)


class KindPod(Entered, Pod, frozen=True, kw_only=True):
    """A pod."""

    namespace: str

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        return _in_pod(self.namespace, self.name, command)


class KindOutsider(Entered, Outsider, frozen=True, kw_only=True):
    """A container beside those that are nodes."""

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there."""
        return ["docker", "exec", "--interactive", self.name, *_translated(command)]


def lab(topology: Topology, processes: Processes, *, namespace: str, prefix: str) -> Lab:
    """The cluster as a lab: its pods are in `namespace`, the names of its outsiders' containers begin with `prefix`."""
    return Lab(
        prefix=prefix,
        topology=topology,
        nodes={
            spec.name: KindNode(name=host_pod(spec.name), processes=processes, spec=spec, namespace=namespace)
            for spec in topology.nodes
        },
        pods={
            spec.name: KindPod(name=spec.name, processes=processes, spec=spec, namespace=namespace)
            for spec in topology.pods
        },
        outsiders={
            spec.name: KindOutsider(name=f"{prefix}{spec.name}", processes=processes, spec=spec)
            for spec in topology.outsiders
        },
    )


def _in_pod(namespace: str, name: str, command: Sequence[str]) -> list[str]:
    return ["kubectl", "exec", "--stdin", "--namespace", namespace, name, "--", *_translated(command)]


def _translated(command: Sequence[str]) -> list[str]:
    return [_IN_THE_IMAGE.get(word, word) for word in command]
