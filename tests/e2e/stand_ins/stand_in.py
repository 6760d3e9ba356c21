#!/usr/bin/env python3
"""kubectl and docker, as far as e2e/kind uses them, for tests; started under either name.

`STAND_IN` is a folder: `get` prints the file of that name in it, what is applied is appended to `applied`, and every
command line to `calls`. `exec` runs the command in the network namespace whose name begins with `LAB`.
"""

import os
import sys
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN"])
SOCKET_CLIENT = Path(__file__).resolve().parents[3] / "e2e/socket_client.py"


def execute(place: str, command: list[str]) -> None:
    """Become the command, in the namespace of a node, pod or outsider."""
    words = [str(SOCKET_CLIENT) if word == "/e2e/socket_client.py" else word for word in command]
    namespace = os.environ["LAB"] + place.removeprefix("host-").removeprefix("pykubeproxy-")
    os.execvp("ip", ["ip", "netns", "exec", namespace, *words])  # noqa: S606


def main(tool: str, arguments: list[str]) -> None:
    """Do as the tool would."""
    match tool, *arguments:
        case "kubectl", "exec", "--namespace", "default", pod, "--", *command:
            execute(pod, command)
        case "docker", "exec", container, *command if "LAB" in os.environ:
            execute(container, command)
    with (FOLDER / "calls").open("a") as calls:
        print(tool, *arguments, file=calls)
    match tool, *arguments:
        case "kubectl", "get", kind, *_:
            sys.stdout.write((FOLDER / kind).read_text())
        case "kubectl", "apply", *_:
            with (FOLDER / "applied").open("a") as applied:
                print(sys.stdin.read(), file=applied)
        case "docker", "inspect", *_, container:
            sys.stdout.write((FOLDER / container).read_text())


if __name__ == "__main__":
    main(Path(sys.argv[0]).name, sys.argv[1:])
