"""The container image: built here, without a registry, and run as manifests/ has it run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TOOLS = ("buildah", "debootstrap", "ip", "curl", "openssl")
FOLDERS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
PATIENCE = ("timeout", "--kill-after=60", "1800")


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
