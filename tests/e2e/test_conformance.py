"""docs/conformance.md tells what docs/conformance.tsv has: the recorded results of upstream's tests."""

import re
from collections import Counter

from docs import ROOT


def test_the_document_counts_what_is_recorded() -> None:
    lines = (ROOT / "docs" / "conformance.tsv").read_text().splitlines()[1:]
    recorded = {test: result for result, _, test in (line.split("\t") for line in lines)}
    failed = {test for test, result in recorded.items() if result == "failed"}
    text = (ROOT / "docs" / "conformance.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", text, flags=re.MULTILINE)
    prefixes = {f"[sig-network] {each.strip()}": row[0] for row in rows for each in row[0].split(", ")}
    groups = {test: prefixes[max((p for p in prefixes if test.startswith(p)), key=len)] for test in recorded}
    ran, passed = Counter(groups.values()), Counter(groups[test] for test in recorded if test not in failed)
    assert {row[0]: (int(row[1]), int(row[2])) for row in rows} == {name: (ran[name], passed[name]) for name in ran}
    assert f"**{len(recorded) - len(failed)} of {len(recorded)} pass.**" in text
    assert all(test.removeprefix("[sig-network] ") in text for test in failed)
