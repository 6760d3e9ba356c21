"""The release of Kubernetes whose kube-proxy this program takes the place of, and this program's own version."""

import importlib

KUBERNETES_VERSION = "1.37.0"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def program_version() -> str:
    """This program's version as it was installed: `1.2.3`, or `1.2.4.dev5+g0123abc` if no tag is at that commit.

    The module is imported at the call, because it takes 10 ms that most commands can do without.
    """
    return str(importlib.import_module("importlib.metadata").version("pykubeproxy"))


def minor_versions(number: int) -> tuple[str, ...]:
    """The release's minor version and those before it, `number` in all, the newest last: `1.35`, `1.36`, `1.37`."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    return tuple(f"{major}.{int(minor) - back}" for back in reversed(range(number)))


def architecture(machine: str) -> str:
    """A machine's architecture in Go's words: `amd64` for `x86_64`."""
    return _ARCHITECTURES.get(machine, machine)
