"""The versions in the image are exact, are what pyproject.toml asks for, and do not say where they came from."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
WANTED = {
    "requirements.lock": PYPROJECT["project"]["dependencies"],
    "requirements-build.lock": PYPROJECT["build-system"]["requires"],
}
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+) \\$")


def pins(lock: str) -> dict[str, str]:
    """The version of each package in a lock file."""
    lines = (PROJECT / lock).read_text().splitlines()
    return {found[1]: found[2] for line in lines if (found := PIN.match(line))}


@pytest.mark.parametrize("lock", WANTED)
def test_what_is_asked_for_is_there_in_a_version_that_will_do(lock: str) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, WANTED[lock]):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), (
            "make lock brings it up to date"
        )


@pytest.mark.parametrize("lock", WANTED)
def test_nothing_but_versions_and_hashes(lock: str) -> None:
    for line in (PROJECT / lock).read_text().splitlines():
        assert PIN.match(line) or re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?| *(#.*)?", line)
