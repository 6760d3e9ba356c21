"""A stand-in for kubectl, in a folder of its own: answers what the plugin asks, each answer a small shell script."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

# Runs the script for what is asked, and says of a command in a pod what kubectl says.
_KUBECTL = r"""#!/bin/sh
folder=$(dirname "$0")
printf '%s\n' "$*" >>"$folder/calls"
while case $1 in --*) true ;; *) false ;; esac; do shift; done
case $1 in
get)
  name=$2
  [ "$2" != pod ] || name=pod-$3
  exec sh "$folder/get-$name"
  ;;
exec)
  while [ "$1" != --namespace ]; do shift; done
  pod=$3
  while [ "$1" != -- ]; do shift; done
  shift
  if [ ! -e "$folder/exec-$pod" ]; then
    echo 'error: Internal error occurred: error executing command in container: failed to exec in container:' \
      'failed to start exec "0a1b": OCI runtime exec failed: exec failed: unable to start container process: exec:' \
      '"pykubeproxy": executable file not found in $PATH: unknown' >&2
    exit 1
  fi
  [ "$1" = pykubeproxy ] || exit 99
  shift
  sh "$folder/exec-$pod" "$@"
  status=$?
  [ $status = 0 ] || echo "command terminated with exit code $status" >&2
  exit $status
  ;;
esac
exit 98
"""

PYKUBEPROXY = f'cd {Path(__file__).parents[2]} && exec {sys.executable} -m pykubeproxy "$@"'
"""A node on which the real program runs."""


class StandIn:
    """The folder, which is the first of PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        kubectl = folder / "kubectl"
        kubectl.write_text(_KUBECTL)
        kubectl.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    def answer(self, name: str, script: str) -> None:
        """Have a script run for `get-pods`, `get-nodes`, `get-pod-NAME` or `exec-POD`."""
        (self.folder / name).write_text(script)

    def print(self, name: str, text: str, status: int = 0) -> None:
        """The same with an answer that is printed."""
        (self.folder / f"{name}.text").write_text(text)
        self.answer(name, f"cat {self.folder}/{name}.text; exit {status}")

    def nodes(self, scripts: Mapping[str, str | None], pods: Sequence[Any] = (), ready: str = "True\t\t") -> None:
        """Nodes, each with the pod `proxy-NODE`, and what a command does there: None if its image is kube-proxy's.

        With `pods`, those are listed in place of one that runs for each node. `ready` is their condition Ready.
        """
        self.print("get-nodes", "".join(f"{node}\t{ready}\n" for node in scripts))
        self.print("get-pods", json.dumps({"items": [*pods] or [pod(node) for node in scripts]}))
        for node, script in scripts.items():
            if script is not None:
                self.answer(f"exec-proxy-{node}", script)

    def calls(self) -> list[str]:
        """The command lines so far."""
        return (self.folder / "calls").read_text().splitlines()


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def pod(
    node: str,
    name: str = "",
    *,
    state: Mapping[str, Any] = RUNNING,
    ready: bool = True,
    created: str = "2026-01-01T00:00:00Z",
    deleted: str | None = None,
) -> dict[str, Any]:
    """A pod of the DaemonSet, as the API has it."""
    metadata = {"name": name or f"proxy-{node}".strip("-"), "namespace": "kube-system", "creationTimestamp": created}
    states = {"sidecar": {"ready": True, "state": RUNNING}, "kube-proxy": {"ready": ready, "state": state}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, **({"deletionTimestamp": deleted} if deleted else {})},
        "spec": {
            "nodeName": node,
            "hostNetwork": True,
            "containers": [{"name": container, "image": f"registry.example.com/{container}:1"} for container in states],
        },
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": "172.31.0.11"}],
            "containerStatuses": [{"name": container, **its} for container, its in states.items()],
        },
    }
