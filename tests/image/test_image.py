"""The container image: its versions are exact, what it leaves out is not needed, and it builds and runs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", "")
PYPROJECT: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
WANTED = {
    "requirements.lock": PYPROJECT["project"]["dependencies"],
    "requirements-build.lock": PYPROJECT["build-system"]["requires"],
}
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+) \\$")
TOOLS = ("buildah", "debootstrap", "ip", "curl", "openssl")
FOLDERS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
PATIENCE = ("timeout", "--kill-after=60", "1800")
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules |= dict.fromkeys(sys.argv[1:])
import kubernetes.client.rest, kubernetes.config.kube_config, pykubeproxy
for module in pkgutil.walk_packages(pykubeproxy.__path__, "pykubeproxy."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize("lock", WANTED)
def test_what_is_asked_for_is_locked_in_a_version_that_will_do_and_not_where_it_came_from(lock: str) -> None:
    lines = (PROJECT / lock).read_text().splitlines()
    pinned = {found[1]: found[2] for line in lines if (found := PIN.match(line))}
    for requirement in map(Requirement, WANTED[lock]):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), "make lock brings it up to date"
    for line in lines:
        assert PIN.match(line) or re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?| *(#.*)?", line)


def words(pattern: str) -> set[str]:
    (found,) = re.findall(pattern, DOCKERFILE)
    return set(found.split())


def test_nothing_that_is_taken_out_is_imported() -> None:
    packages = words(r"uninstall --yes ([^&]*)&&")
    installed = packages_distributions()
    modules = {name for name in installed if packages & {canonicalize_name(package) for package in installed[name]}}
    assert "aiohttp" in modules
    folders = re.findall(r"site-packages/(kubernetes/(?:aio|client/api))\b", DOCKERFILE)
    parts = {path.replace("/", ".") for path in folders}
    assert len(parts) == 2
    library = words(r"for module in ([^;]*);")
    subprocess.run([sys.executable, "-c", IMPORT_ALL, *modules, *parts, *library], check=True)


def lacking() -> str | None:
    """Why the image cannot be built here, in a line; None if it can."""
    if os.geteuid() != 0:
        return "building an image takes root"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=FOLDERS) is None]
    return f"there is no {', '.join(missing)}: hack/setup --for-tests installs what can be had" if missing else None


@pytest.mark.night
@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
def test_the_image_builds_and_runs() -> None:
    command = [*PATIENCE, str(PROJECT / "hack/image-test")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
