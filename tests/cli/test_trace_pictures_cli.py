"""`trace --output svg`, `html`, `mermaid`: the same question, the same exit status, and pictures on stdout."""

import gc
import re
from pathlib import Path

import pytest

from tests.cli.tracing import EXAMPLES, POD, STRANGER, example, trace


@pytest.mark.parametrize(
    ("output", "begins", "ends"),
    [("svg", "<svg ", "</svg>\n"), ("html", "<!DOCTYPE html>\n", "</html>\n"), ("mermaid", "flowchart TD\n", "\n")],
)
def test_a_picture(output: str, begins: str, ends: str) -> None:
    result = example(POD, "default/web", "--output", output)
    assert result.exit_code == 0
    assert result.stdout.startswith(begins)
    assert result.stdout.endswith(ends)
    assert "10.244.1.11:8080" in result.stdout


@pytest.mark.parametrize("output", ["svg", "html", "mermaid", "json"])
def test_a_refusal_in_every_form(output: str) -> None:
    result = example(STRANGER, "192.0.2.11:80", "--output", output)
    assert result.exit_code == 1
    assert "not in loadBalancerSourceRanges" in result.stdout


def test_the_process_is_left_as_it_was() -> None:
    assert gc.isenabled()
    example(POD, "default/web")
    example(POD, "default/nothing")
    assert gc.isenabled()


def test_a_page_with_a_hundred_endpoints_groups_them_in_numeric_order(tmp_path: Path) -> None:
    text = (EXAMPLES / "cluster-ip.yaml").read_text()
    pods = "".join(f"  - addresses: [10.244.0.{number}]\n" for number in range(1, 101))
    file = tmp_path / "many.yaml"
    file.write_text(text[: text.index("  - addresses: ")] + pods)
    page = trace("10.244.0.200", "default/web", "-f", str(file), "--output", "html").stdout
    top = page[: page.index("<figure>")]
    assert re.findall(r"sent to 10\.244\.0\.(\d+):8080", top) == [str(number) for number in range(1, 101)]
    assert "<summary>… and 92 more, 92% together</summary>" in top
    assert '<meta name="viewport" content="width=device-width">' in page
