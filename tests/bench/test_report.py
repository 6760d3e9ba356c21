from pathlib import Path

import pytest

from bench import report
from bench.figures import Figure, Floor, Target
from bench.plots import write_plots
from bench.report import BEGIN, END, Machine, Report

MACHINE = Machine(
    time="2026-01-01 00:00 UTC",
    cpus=2,
    processor="CPU",
    kernel="6.18",
    python="3.11.7",
    iptables="v1.8.9",
    load=(0.1, 1.2),
)


def one(case: str, value: float, *, services: int, limit: float | None = None) -> Figure:
    return Figure(
        measurement="connect()",
        case=case,
        backend="nft",
        services=services,
        value=value,
        floor=Floor(what="10 Services", value=0.00001),
        target=None if limit is None else Target(text="≤ 1.15 x", limit=limit),
    )


FIGURES = (
    one("tree, 10, last Service", 0.00001, services=10),
    one("tree, 10k, last Service", 0.000012, services=10_000, limit=0.0000115),
)
REPORT = Report(machine=MACHINE, is_quick=False, figures=FIGURES)


def test_json_gives_back_what_was_measured(tmp_path: Path) -> None:
    report.write_json(REPORT, tmp_path / "new" / "bench.json")
    assert report.read_json(tmp_path / "new" / "bench.json") == REPORT


def test_the_table_tells_what_was_missed(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_table(FIGURES)
    lines = capsys.readouterr().out.splitlines()
    missed = next(line for line in lines if "10k" in line)
    assert "12.0 µs" in missed
    assert "1.20" in missed
    assert missed.rstrip().endswith("no")


def test_figures_go_between_their_marks_again_and_again(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")
    report.write_document(REPORT, document)
    first = document.read_text()
    report.write_document(REPORT, document)
    assert document.read_text() == first
    assert first.startswith(f"before\n{BEGIN}\n")
    assert first.endswith(f"{END}\nafter\n")
    assert "old figures" not in first
    assert (
        "| tree, 10k, last Service | nft | 12.0 µs | 10 Services: 10.0 µs | 1.20 | ≤ 1.15 x (11.5 µs) | no |" in first
    )


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("text\n")
    with pytest.raises(ValueError, match="there is no place for figures"):
        report.write_document(REPORT, document)
    assert document.read_text() == "text\n"


def test_only_what_has_several_sizes_is_drawn(tmp_path: Path) -> None:
    assert [path.name for path in write_plots(FIGURES, tmp_path)] == ["connect.svg"]
    assert write_plots(FIGURES[:1], tmp_path) == []
