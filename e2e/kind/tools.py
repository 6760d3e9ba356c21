"""kubectl and docker, started and understood."""

import subprocess
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from e2e.making import JsonObject
from e2e.netns import LabError

T = TypeVar("T")


def apply(objects: Iterable[JsonObject]) -> None:
    """Give objects to the cluster. Raises LabError."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    run("kubectl", "apply", "--filename", "-", stdin=msgspec.json.encode(listed).decode())


def get(kind: type[T], *arguments: str) -> T:
    """What the cluster has, as `kind` understands it. Raises LabError."""
    return decoded(kind, run("kubectl", "get", *arguments, "--output", "json"))


def decoded(kind: type[T], text: str) -> T:
    """A tool's answer. Raises LabError if it is not one."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise LabError(f"the cluster's answer is not a {kind.__name__}: {error}") from error


def run(*argv: str, stdin: str = "") -> str:
    """What a command prints. Raises LabError if it fails, for which it gives its reasons itself."""
    try:
        return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout
    except subprocess.CalledProcessError as error:
        raise LabError(f"{' '.join(argv)} failed") from error
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error


def succeeds(*argv: str) -> bool:
    """Whether a command does, without a word. Raises LabError if it cannot be run."""
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error
