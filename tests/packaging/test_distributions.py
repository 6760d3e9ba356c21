"""The wheel and the sdist that a release publishes: built as `make dist` does, and installed as a user does.

Takes what pip takes: an index of packages. Without one the tests are skipped, but never in CI.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import pykubeproxy

PROJECT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
NAME = f"pykubeproxy-{pykubeproxy.__version__}"


def uv(*arguments: str | Path) -> None:
    """Runs uv; skips the test if there is no index of packages."""
    done = subprocess.run([UV, "--quiet", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "Failed to fetch" in done.stderr and "CI" not in os.environ:
        pytest.skip("there is no index of packages here")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    constraints = ("--build-constraints", "requirements-build.lock", "--require-hashes")
    uv("build", *constraints, "--out-dir", folder)
    return folder


def test_the_wheel_has_the_package_and_nothing_else(distributions: Path) -> None:
    with zipfile.ZipFile(distributions / f"{NAME}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {*PROJECT.glob("pykubeproxy/**/*.py"), PROJECT / "pykubeproxy/py.typed"}
    assert names == {str(path.relative_to(PROJECT)) for path in sources}


def test_the_sdist_has_the_license(distributions: Path) -> None:
    with tarfile.open(distributions / f"{NAME}.tar.gz") as sdist:
        assert f"{NAME}/LICENSE" in sdist.getnames()


def test_an_empty_environment_can_install_the_wheel_and_run(distributions: Path, tmp_path: Path) -> None:
    uv("venv", "--python", sys.executable, tmp_path / "fresh")
    programs = tmp_path / "fresh/bin"
    uv("pip", "install", "--python", programs / "python", distributions / f"{NAME}-py3-none-any.whl")
    shown = subprocess.run(
        [programs / "pykubeproxy", "version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[0] == f"pykubeproxy {pykubeproxy.__version__}"
    rendered = subprocess.run(
        [programs / "pykubeproxy", "render", "-f", PROJECT / "examples", "--family", "ipv4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ":KUBE-SERVICES - [0:0]" in rendered.stdout
    helped = subprocess.run(
        [programs / "kube-proxy", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "--config" in helped.stdout
