"""The version and build of this program, in the fields that Kubernetes components show of theirs."""

import platform

import msgspec

from pykubeproxy.config.release import KUBERNETES_VERSION, architecture, program_version


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of `kubernetes_build_info`, and what /statusz shows of them."""

    major: str
    minor: str
    git_version: str
    go_version: str
    compiler: str
    platform: str
    git_commit: str = ""
    git_tree_state: str = ""
    build_date: str = ""


def build() -> Build:
    """This program on this machine. Where Kubernetes names the version of Go, it is that of Python.

    In `git_version` a version of ours with a `+` has a dot instead: a semantic version has only one `+`.
    """
    major, minor, _ = KUBERNETES_VERSION.split(".")
    return Build(
        major=major,
        minor=minor,
        git_version=f"v{KUBERNETES_VERSION}+pykubeproxy.{program_version().replace('+', '.')}",
        go_version=f"python{platform.python_version()}",
        compiler=platform.python_implementation(),
        platform=f"{platform.system().lower()}/{architecture(platform.machine())}",
    )
