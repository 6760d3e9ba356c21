"""`services` beyond the screens in docs/cli.md: what it filters, compares and counts, and how it exits."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from tests.corpus import GOLDEN


def services(name: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["services", "--live", str(GOLDEN / name / "ipv4.save"), *arguments])


def objects(name: str) -> tuple[str, str]:
    return "-f", str(GOLDEN / name / "objects.yaml")


@pytest.mark.parametrize(
    ("arguments", "shown", "status"),
    [
        ("-n ns1", ["ns1/np:http"], 0),
        ("--address 10.96.0.1", ["default/kubernetes:https"], 0),
        ("--address 10.244.0.11", ["ns1/np:http"], 0),
        ("--namespace other", [], 1),
        ("ns1/np:http", ["ns1/np:http"], 0),
        ("default/np", [], 1),
    ],
)
def test_filters(arguments: str, shown: list[str], status: int) -> None:
    result = services("nodeport", "--output", "json", *arguments.split())
    document = json.loads(result.stdout)
    assert (result.exit_code, document["version"], document["unequal"]) == (status, 1, None)
    assert [view["title"] for view in document["services"]] == shown


def test_a_name_that_no_rule_has() -> None:
    unknown = services("nodeport", "ns1/npp")
    expected = "note: no Service ns1/npp in these rules; did you mean ns1/np or ns1/np:http?\n"
    assert (unknown.stdout, unknown.stderr) == ("", expected)
    headless = services("nodeport", "ns1/hl", *objects("headless")).stderr
    assert "note: ns1/hl has no rules: headless (clusterIP: None): clients reach its pods directly" in headless


def test_while_objects_cannot_be_read_none_counts_as_missing_and_many_names_are_shortened(tmp_path: Path) -> None:
    manifest = "kind: Service\nmetadata: {{name: {}, namespace: ns}}\napiVersion: v1\nspec: {}\n"
    many = [
        manifest.format(f"s{number}", f"{{clusterIP: 10.96.3.{number}, ports: [{{port: 80}}]}}")
        for number in range(1, 13)
    ]
    (tmp_path / "objects.yaml").write_text("---\n".join([*many, manifest.format("np", "7")]))
    result = services("nodeport", "-f", str(tmp_path))
    assert "note: not all objects can be read, so nothing is said of Services that only the rules have" in result.stderr
    *_, missing = result.stdout.split("\n\n")
    lines = missing.splitlines()
    assert (lines[0], lines[10:]) == ("12 in the objects, but not in the IPv4 rules:", ["  ns/s7", "  ... and 2 more"])
