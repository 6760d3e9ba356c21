"""`trace --output svg`, `html`, `mermaid`: the same question, the same exit status, and pictures on stdout."""

import gc

import pytest

from tests.cli.tracing import POD, STRANGER, example


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
