"""Breaking a promise in a copy of the project, and seeing what its test says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tests.promises.promise import ROOT, Promise

PARTS = ("pykubeproxy", "tests", "e2e", "bench", "docs", "manifests", "examples", "pyproject.toml")
SECONDS = 900.0

# What pytest exits with if some failed. Anything but that and 0 is no answer.
FAILED = 1


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a promise that was broken: whether its test told, in its own words, after `seconds`."""

    promise: Promise
    is_told: bool
    said: str
    seconds: float


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the project, to break."""
    with tempfile.TemporaryDirectory(prefix="broken-promises-") as name:
        folder = Path(name)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        yield folder


def break_promise(promise: Promise, copy: Path) -> Outcome:
    """Break a promise in a copy, run its test there, and mend it again."""
    file = copy / promise.file
    before = file.read_text()
    begun = time.monotonic()
    file.write_text(promise.broken(copy))
    try:
        status, output = run_test(promise, copy)
    finally:
        file.write_text(before)
    return Outcome(
        promise=promise,
        is_told=status == FAILED,
        said=last_words(output) if status == FAILED else f"pytest ended with {status}: {output[-300:]}",
        seconds=time.monotonic() - begun,
    )


def run_test(promise: Promise, copy: Path) -> tuple[int, str]:
    """Run the test of a promise in a copy; return pytest's exit status and what it printed."""
    narrowed = ("-k", promise.only) if promise.only else ()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=short", "-p", "no:cacheprovider", promise.test]
    done = subprocess.run(
        [*command, *narrowed],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_PROFILE": "as-found"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def last_words(output: str) -> str:
    """Which test failed, of pytest's summary."""
    found = re.findall(r"^(?:FAILED|ERROR) (?:\S+\.py)?(?:::)?(.*?)(?: - |$)", output, flags=re.MULTILINE)
    return found[0] if found else output.strip().rpartition("\n")[2]
