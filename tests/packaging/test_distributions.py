"""The wheel and the sdist that a release publishes: built as `make dist` does, and installed as a user does.

Takes what pip takes: an index of packages. Without one the tests are skipped, but never in CI.
"""

import os
import re
import shutil
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


def test_the_version_is_that_of_the_tag_or_what_the_builder_says(tmp_path: Path) -> None:
    (tmp_path / "pykubeproxy").mkdir()
    (tmp_path / "pyproject.toml").write_bytes((PROJECT / "pyproject.toml").read_bytes())

    def version(**env: str) -> str:
        return uv("tool", "run", "--with", "hatch-vcs", "hatchling", "version", folder=tmp_path, env=env).strip()

    def git(*arguments: str) -> None:
        person = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
        subprocess.run(["git", *person, *arguments], cwd=tmp_path, check=True)

    assert version(SETUPTOOLS_SCM_PRETEND_VERSION="1.2.3") == "1.2.3"
    assert version() == "0.0.0", "there is no git"
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    assert re.fullmatch(r"0\.0\.1\.dev1\+g[0-9a-f]+", version()), "no tag"
    git("tag", "v1.2.3")
    assert version() == "1.2.3"
    git("commit", "--quiet", "--allow-empty", "--message", "Second")
    assert re.fullmatch(r"1\.2\.4\.dev1\+g[0-9a-f]+", version()), "after the tag"


# What a release says of itself, and when there is none.
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2027-01-31

### Added

- A thing.

## [1.1.0] - 2026-12-31

- Another one.
"""


@pytest.mark.parametrize(
    ("tag", "old", "new", "complaint"),
    [
        ("v1.2.0", "", "", ""),
        ("v1.1.0", "", "", "there is no dist/pykubeproxy-1.1.0-py3-none-any.whl"),
        ("v1.2.0", "[1.2.0] - 2027-01-31", "[1.2.0]", "no heading '## [1.2.0] - YYYY-MM-DD'"),
        ("v1.2.0", "[1.2.0]", "[1x2.0]", "no heading '## [1.2.0] - YYYY-MM-DD'"),
        ("v1.2.0", "## [Unreleased]\n", "## [Unreleased]\n\n- Not yet said.\n", "changes under Unreleased"),
        ("v1.2.0", "### Added\n\n- A thing.\n", "", "says nothing of 1.2.0"),
    ],
    ids=["ready", "other code", "no date", "no version", "unreleased", "nothing"],
)
def test_the_section_of_the_version_is_printed_or_it_is_told_what_is_not_ready(
    tmp_path: Path, tag: str, old: str, new: str, complaint: str
) -> None:
    """In a folder like this project's just before the tag v1.2.0."""
    (tmp_path / "hack").mkdir()
    shutil.copy(PROJECT / "hack/release-notes", tmp_path / "hack")
    (tmp_path / "dist").mkdir()
    for name in ("pykubeproxy-1.2.0-py3-none-any.whl", "pykubeproxy-1.2.0.tar.gz"):
        (tmp_path / "dist" / name).touch()
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new) if old else CHANGELOG)
    done = subprocess.run([tmp_path / "hack/release-notes", tag], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == ((1, "") if complaint else (0, "### Added\n\n- A thing.\n"))
    assert complaint in done.stderr
    assert bool(done.stderr) is bool(complaint)
