"""The wheel and the sdist that a release publishes: built as `make dist` does, and installed as a user does.

Takes what pip takes: an index of packages. Without one the tests are skipped, but never in CI.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def uv(*arguments: str | Path, folder: Path = PROJECT, env: Mapping[str, str] | None = None) -> str:
    """Runs uv, and returns what it prints; skips the test if there is no index of packages."""
    environment = {**os.environ, **(env or {})}
    command = [UV, "--quiet", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "Failed to fetch" in done.stderr and "CI" not in os.environ:
        pytest.skip("there is no index of packages here")
    assert done.returncode == 0, done.stderr
    return done.stdout


class Distributions(NamedTuple):
    """The sdist, the wheel that was built from it, and their version."""

    sdist: Path
    wheel: Path
    version: str


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    folder = tmp_path_factory.mktemp("dist")
    constraints = ("--build-constraints", "requirements-build.lock", "--require-hashes")
    uv("build", *constraints, "--out-dir", folder)
    (sdist,) = folder.glob("pykubeproxy-*.tar.gz")
    version = sdist.name.removeprefix("pykubeproxy-").removesuffix(".tar.gz")
    return Distributions(sdist, folder / f"pykubeproxy-{version}-py3-none-any.whl", version)


def test_they_have_the_package_and_what_describes_it(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = {*PROJECT.glob("pykubeproxy/**/*.py"), PROJECT / "pykubeproxy/py.typed"}
    package = {str(path.relative_to(PROJECT)) for path in files}
    assert names == package
    with tarfile.open(distributions.sdist) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    assert names - package == {"LICENSE", "README.md", "CHANGELOG.md", "PKG-INFO", "pyproject.toml", ".gitignore"}
    assert package <= names


def test_an_empty_environment_can_install_the_wheel_and_run(distributions: Distributions, tmp_path: Path) -> None:
    uv("venv", "--python", sys.executable, tmp_path / "fresh")
    programs = tmp_path / "fresh/bin"
    uv("pip", "install", "--python", programs / "python", distributions.wheel)

    def said(program: str, *arguments: str | Path) -> str:
        command = [programs / program, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert said("pykubeproxy", "version").splitlines()[0] == f"pykubeproxy {distributions.version}"
    assert ":KUBE-SERVICES - [0:0]" in said("pykubeproxy", "render", "-f", PROJECT / "examples", "--family", "ipv4")
    assert "--config" in said("kube-proxy", "--help")
    assert "--kubeconfig" in said("kubectl-pykubeproxy", "--help")
