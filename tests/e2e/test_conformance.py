"""e2e/conformance, with a stand-in for upstream's e2e.test: what fails is held against the recorded results."""

import json
import re
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from docs import ROOT

SCRIPT = ROOT / "e2e" / "conformance"
MODULE = runpy.run_path(str(SCRIPT))
RECORDED = {
    test: result
    for result, _, test in (
        line.split("\t") for line in (ROOT / "docs" / "conformance.tsv").read_text().splitlines()[1:]
    )
}
FAILED = {test for test, result in RECORDED.items() if result == "failed"}
STAND_IN = """
import pathlib, sys
flags = dict(flag[2:].partition("=")[::2] for flag in sys.argv[1:])
here = pathlib.Path(__file__).parent
(here / "flags").write_text("\\n".join(sys.argv[1:]))
if (here / "report").exists():
    pathlib.Path(flags["ginkgo.json-report"]).write_bytes((here / "report").read_bytes())
sys.exit(1)
"""


def spec(name: str, state: str, kind: str = "It") -> dict[str, Any]:
    group, _, leaf = name.rpartition(" ")
    return {"ContainerHierarchyTexts": [group], "LeafNodeText": leaf, "LeafNodeType": kind, "State": state}


def conformance(folder: Path, specs: list[dict[str, Any]] | None, reasons: list[str] | None = None) -> tuple[int, str]:
    """Run the script with an e2e.test that reports this, or nothing; return exit status and last part of the output."""
    program = folder / "e2e.test"
    program.write_text(f"#!{sys.executable}\n{STAND_IN}")
    program.chmod(0o755)
    if specs is not None:
        report = [{"SpecialSuiteFailureReasons": reasons, "SpecReports": specs}]
        (folder / "report").write_text(json.dumps(report))
    done = subprocess.run([SCRIPT, "admin.conf", program, "--ginkgo.v"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def as_recorded() -> list[dict[str, Any]]:
    return [spec(test, result) for test, result in RECORDED.items()] + [spec("[sig-apps] Deployment works", "skipped")]


def test_a_run_like_the_recorded_one_is_well(tmp_path: Path) -> None:
    status, text = conformance(tmp_path, as_recorded())
    assert status == 0
    assert text.endswith(f"{len(RECORDED)} ran, {len(FAILED)} failed, 0 of them new\n")
    assert all(f"failed: {test}: in the recorded run too" in text for test in FAILED)
    flags = (tmp_path / "flags").read_text().splitlines()
    assert {"--kubeconfig=admin.conf", f"--ginkgo.focus={MODULE['FOCUS']}", "--ginkgo.v"} <= set(flags)
    assert f"--ginkgo.skip={MODULE['SKIP']}" in flags


def test_what_passed_before_and_fails_now_is_named(tmp_path: Path) -> None:
    specs = as_recorded()
    worse = next(each for each in specs if each["State"] == "passed")
    worse["State"] = "panicked"
    status, text = conformance(tmp_path, specs)
    assert status == 1
    assert (
        f"panicked: {worse['ContainerHierarchyTexts'][0]} {worse['LeafNodeText']}: passed in the recorded run" in text
    )
    assert "1 of them new" in text


def test_tests_that_do_not_come_to_their_end_are_no_success(tmp_path: Path) -> None:
    assert conformance(tmp_path, as_recorded(), ["Interrupted by User"])[0] == 1
    status, text = conformance(tmp_path, [spec("", "failed", "SynchronizedBeforeSuite"), *as_recorded()])
    assert (status, "SynchronizedBeforeSuite failed" in text) == (1, True)
    assert conformance(tmp_path, [spec("[sig-network] Services", "skipped")])[0] == 1


def test_the_document_counts_what_is_recorded() -> None:
    text = (ROOT / "docs" / "conformance.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", text, flags=re.MULTILINE)
    prefixes = {f"[sig-network] {each.strip()}": row[0] for row in rows for each in row[0].split(", ")}
    groups = {test: prefixes[max((p for p in prefixes if test.startswith(p)), key=len)] for test in RECORDED}
    ran, passed = Counter(groups.values()), Counter(groups[test] for test in RECORDED if test not in FAILED)
    assert {row[0]: (int(row[1]), int(row[2])) for row in rows} == {name: (ran[name], passed[name]) for name in ran}
    assert f"**{len(RECORDED) - len(FAILED)} of {len(RECORDED)} pass.**" in text
    assert all(test.removeprefix("[sig-network] ") in text for test in FAILED)
