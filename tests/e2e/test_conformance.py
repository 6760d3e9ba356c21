"""e2e/conformance, with a stand-in for upstream's e2e.test: what fails is held against the recorded results."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from docs import ROOT

LINES = (ROOT / "docs" / "conformance.tsv").read_text().splitlines()[1:]
RECORDED = {test: result for result, _, test in (line.split("\t") for line in LINES)}
FAILED = {test for test, result in RECORDED.items() if result == "failed"}
PASSED = next(test for test in RECORDED if test not in FAILED)
STAND_IN = """
import pathlib, sys
flags = dict(flag[2:].partition("=")[::2] for flag in sys.argv[1:])
assert flags["kubeconfig"] == "admin.conf" and "ginkgo.v" in flags and "sig-network" in flags["ginkgo.focus"]
pathlib.Path(flags["ginkgo.json-report"]).write_text(pathlib.Path(__file__).with_name("report").read_text())
"""
IN_FULL = f"{len(RECORDED)} ran"


def spec(name: str, state: str, kind: str = "It") -> dict[str, Any]:
    group, _, leaf = name.rpartition(" ")
    return {"ContainerHierarchyTexts": [group], "LeafNodeText": leaf, "LeafNodeType": kind, "State": state}


@pytest.mark.parametrize(
    ("changed", "reasons", "status", "says"),
    [
        ([], [], 0, f"{IN_FULL}, {len(FAILED)} failed, 0 of them new\n"),
        ([spec("[sig-apps] Deployment works", "skipped")], [], 0, f"{IN_FULL}, {len(FAILED)} failed, 0 of them new\n"),
        ([spec(PASSED, "panicked")], [], 1, f"panicked: {PASSED}: passed in the recorded run"),
        ([spec("[sig-network] New", "failed")], [], 1, "failed: [sig-network] New: not in the recorded run"),
        ([], ["Interrupted by User"], 1, "Interrupted by User"),
        ([spec("", "failed", "SynchronizedBeforeSuite")], [], 1, "SynchronizedBeforeSuite failed"),
    ],
    ids=["as-recorded", "skipped", "worse", "new", "interrupted", "no-set-up"],
)
def test_what_is_worse_than_recorded_is_told(
    tmp_path: Path, changed: list[dict[str, Any]], reasons: list[str], status: int, says: str
) -> None:
    specs = [spec(test, result) for test, result in RECORDED.items()] + changed
    program = tmp_path / "e2e.test"
    program.write_text(f"#!{sys.executable}\n{STAND_IN}")
    program.chmod(0o755)
    (tmp_path / "report").write_text(json.dumps([{"SpecialSuiteFailureReasons": reasons, "SpecReports": specs}]))
    command = [str(ROOT / "e2e" / "conformance"), "admin.conf", str(program), "--ginkgo.v"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, says in done.stdout) == (status, True), done.stdout + done.stderr


def test_the_document_counts_what_is_recorded() -> None:
    text = (ROOT / "docs" / "conformance.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", text, flags=re.MULTILINE)
    prefixes = {f"[sig-network] {each.strip()}": row[0] for row in rows for each in row[0].split(", ")}
    groups = {test: prefixes[max((p for p in prefixes if test.startswith(p)), key=len)] for test in RECORDED}
    ran, passed = Counter(groups.values()), Counter(groups[test] for test in RECORDED if test not in FAILED)
    assert {row[0]: (int(row[1]), int(row[2])) for row in rows} == {name: (ran[name], passed[name]) for name in ran}
    assert f"**{len(RECORDED) - len(FAILED)} of {len(RECORDED)} pass.**" in text
    assert all(test.removeprefix("[sig-network] ") in text for test in FAILED)
