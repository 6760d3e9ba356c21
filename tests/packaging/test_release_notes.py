"""hack/release-notes: what a release says of itself, and when there is none."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "hack/release-notes"
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2027-01-31

### Added

- A thing.

## [1.1.0] - 2026-12-31

- Another one.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder like this project's just before the tag v1.2.0."""
    (tmp_path / "hack").mkdir()
    shutil.copy(SCRIPT, tmp_path / "hack")
    (tmp_path / "dist").mkdir()
    for name in ("pykubeproxy-1.2.0-py3-none-any.whl", "pykubeproxy-1.2.0.tar.gz"):
        (tmp_path / "dist" / name).touch()
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def release_notes(project: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([project / "hack/release-notes", tag], capture_output=True, text=True, check=False)


def test_the_section_of_the_version_is_printed(project: Path) -> None:
    done = release_notes(project, "v1.2.0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "### Added\n\n- A thing.\n", "")


def test_another_version_of_the_code_is_refused(project: Path) -> None:
    done = release_notes(project, "v1.1.0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no dist/pykubeproxy-1.1.0-py3-none-any.whl" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[1.2.0] - 2027-01-31", "[1.2.0]", "no heading '## [1.2.0] - YYYY-MM-DD'"),
        ("[1.2.0]", "[1x2.0]", "no heading '## [1.2.0] - YYYY-MM-DD'"),
        ("## [Unreleased]\n", "## [Unreleased]\n\n- Not yet said.\n", "changes under Unreleased"),
        ("### Added\n\n- A thing.\n", "", "says nothing of 1.2.0"),
    ],
)
def test_a_changelog_that_is_not_ready_is_refused(project: Path, old: str, new: str, complaint: str) -> None:
    (project / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new))
    done = release_notes(project, "v1.2.0")
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
