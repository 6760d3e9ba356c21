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
    shutil.copy(SCRIPT, tmp_path / "hack")
    (tmp_path / "dist").mkdir()
    for name in ("pykubeproxy-1.2.0-py3-none-any.whl", "pykubeproxy-1.2.0.tar.gz"):
        (tmp_path / "dist" / name).touch()
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new) if old else CHANGELOG)
    done = subprocess.run([tmp_path / "hack/release-notes", tag], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == ((1, "") if complaint else (0, "### Added\n\n- A thing.\n"))
    assert complaint in done.stderr
    assert bool(done.stderr) is bool(complaint)
