"""The wheel and the sdist that a release publishes: built as `make dist` does, and installed as a user does.

Takes what pip takes: an index of packages. Without one the tests are skipped, but never in CI.
"""

import os
import re
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
    done = subprocess.run(
        [UV, "--quiet", *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
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


def test_the_wheel_has_the_package_and_nothing_else(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {*PROJECT.glob("pykubeproxy/**/*.py"), PROJECT / "pykubeproxy/py.typed"}
    assert names == {str(path.relative_to(PROJECT)) for path in sources}


def test_the_sdist_has_the_package_and_what_describes_it(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    described = {name for name in names if not name.startswith("pykubeproxy/")}
    assert described == {"LICENSE", "README.md", "CHANGELOG.md", "PKG-INFO", "pyproject.toml", ".gitignore"}
    assert "pykubeproxy/py.typed" in names


def test_an_empty_environment_can_install_the_wheel_and_run(distributions: Distributions, tmp_path: Path) -> None:
    uv("venv", "--python", sys.executable, tmp_path / "fresh")
    programs = tmp_path / "fresh/bin"
    uv("pip", "install", "--python", programs / "python", distributions.wheel)
    shown = subprocess.run(
        [programs / "pykubeproxy", "version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[0] == f"pykubeproxy {distributions.version}"
    rendered = subprocess.run(
        [programs / "pykubeproxy", "render", "-f", PROJECT / "examples", "--family", "ipv4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ":KUBE-SERVICES - [0:0]" in rendered.stdout
    for program, option in {"kube-proxy": "--config", "kubectl-pykubeproxy": "--kubeconfig"}.items():
        helped = subprocess.run(
            [programs / program, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert option in helped.stdout


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with as much of the project as its version depends on, and without git."""
    folder = tmp_path / "sources"
    (folder / "pykubeproxy").mkdir(parents=True)
    (folder / "pyproject.toml").write_bytes((PROJECT / "pyproject.toml").read_bytes())
    return folder


def git(folder: Path, *arguments: str) -> None:
    person = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
    subprocess.run(["git", *person, *arguments], cwd=folder, check=True)


def version_of(sources: Path, **env: str) -> str:
    """The version that a build from there would have."""
    return uv("tool", "run", "--with", "hatch-vcs", "hatchling", "version", folder=sources, env=env).strip()


def test_the_version_is_that_of_the_tag(sources: Path) -> None:
    git(sources, "init", "--quiet")
    git(sources, "add", ".")
    git(sources, "commit", "--quiet", "--message", "First")
    assert re.fullmatch(r"0\.0\.1\.dev1\+g[0-9a-f]+", version_of(sources)), "no tag"
    git(sources, "tag", "v1.2.3")
    assert version_of(sources) == "1.2.3"
    git(sources, "commit", "--quiet", "--allow-empty", "--message", "Second")
    assert re.fullmatch(r"1\.2\.4\.dev1\+g[0-9a-f]+", version_of(sources)), "after the tag"


def test_without_git_the_version_is_what_the_builder_says(sources: Path) -> None:
    assert version_of(sources, SETUPTOOLS_SCM_PRETEND_VERSION="1.2.3") == "1.2.3"
    assert version_of(sources) == "0.0.0"
