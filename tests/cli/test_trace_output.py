"""What `trace` prints beyond the screens in docs/*.md: steps, dumps that leave questions, notes, JSON and pictures."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main
from tests.cli.tracing import EXAMPLES, POD, STRANGER, endings, example, trace
from tests.corpus import GOLDEN

FOREIGN = Path(__file__).parents[1] / "netfilter/foreign"


def dump_of(name: str) -> tuple[str, str]:
    return "--live", str(GOLDEN / name / "ipv4.save")


def with_endpoints(path: Path, addresses: list[str]) -> str:
    """The manifest of default/web with other endpoints."""
    text = (EXAMPLES / "cluster-ip.yaml").read_text()
    pods = "".join(f"  - addresses: [{address}]\n" for address in addresses)
    path.write_text(text[: text.index("  - addresses: ")] + pods)
    return str(path)


def test_equal_branches_are_told_once_and_steps_that_led_to_nothing_not_at_all() -> None:
    short = example(POD, "default/web:http").stdout
    assert short.count("destination 10.96.0.10:80 → ") == 1
    assert short.count("likewise sent to ") == 2
    assert "KUBE-PROXY-FIREWALL" not in short
    everything = example(POD, "default/web:http", "--every-step").stdout
    assert everything.count("destination 10.96.0.10:80 → ") == 3
    assert "likewise" not in everything
    assert "KUBE-PROXY-FIREWALL" in everything


def test_a_client_that_session_affinity_remembers() -> None:
    bound = example(POD, "default/cart", "--seen-at", "10.244.1.11:8080")
    assert endings(bound) == ["✔ ACCEPT  always  sent to 10.244.1.11:8080"]


def test_many_endpoints_fit_on_a_screen_and_a_page_groups_them_in_numeric_order(tmp_path: Path) -> None:
    objects = with_endpoints(tmp_path / "1000.yaml", [f"10.244.{n // 200}.{n % 200 + 1}" for n in range(1000)])
    result = trace("node", "default/web", "-f", objects, "--host-address", "172.31.0.11")
    assert len(result.stdout.splitlines()) < 45
    assert "… and 992 more, 99.2% together" in result.stdout
    objects = with_endpoints(tmp_path / "100.yaml", [f"10.244.0.{n}" for n in range(1, 101)])
    page = trace("10.244.0.200", "default/web", "-f", objects, "--output", "html").stdout
    top = page[: page.index("<figure>")]
    assert re.findall(r"sent to 10\.244\.0\.(\d+):8080", top) == [str(n) for n in range(1, 101)]
    assert "<summary>… and 92 more, 92% together</summary>" in top


def test_tables_that_a_dump_lacks_are_told() -> None:
    text = (GOLDEN / "clusterip-three-endpoints" / "ipv4.save").read_text()
    nat = text[text.index("*nat") :]
    result = CliRunner().invoke(main, ["trace", "--from", POD, "--to", "ns1/web", "--live", "-"], input=nat)
    assert result.exit_code == 0
    assert result.stderr == "assumed: table filter has no IPv4 rules; it is not in what --live names\n"


def test_an_address_that_may_be_the_node_s_is_a_fork() -> None:
    asked = ("203.0.113.7", "192.168.1.10:8080", "--in-interface", "eth0", "--live", str(FOREIGN / "docker.save"))
    result = trace(*asked)
    assert "   1  192.168.1.10 is an address of this node" in result.stdout
    assert result.exit_code == 1
    told = trace(*asked, "--host-address", "192.168.1.10").stdout
    assert "if 192.168.1.10 is" not in told
    assert "sent to 172.17.0.2:80" in told


def test_an_open_question_that_makes_no_difference_is_no_failure() -> None:
    dump = dump_of("detect-local-interface-prefix")
    result = trace(POD, "ns1/web", *dump)
    assert "├─ if -i veth+" in result.stdout
    assert result.exit_code == 0, "it gets through, whatever the answer"
    assert "--in-interface" in result.stderr
    assert "UNDECIDED" not in trace(POD, "ns1/web", *dump, "--in-interface", "veth1").stdout


def test_a_dump_with_many_questions_fits_on_a_screen() -> None:
    """Of a node with Calico, the interfaces, the IP sets and the reverse path are not known."""
    dump = ("--live", str(FOREIGN / "calico.save"), "--host-address", "172.31.0.11")
    result = trace("10.244.0.9", "default/web", *dump)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) < 35
    for question in ("-i cali+  (rule 2 of cali-PREROUTING in raw)", "-m set --match-set cali40s:xyz src  (rule 1 of "):
        assert result.stdout.count(question) == 1
    assert "  ✘ DROP  if 1 and 2: dropped by rule 3 of chain cali-PREROUTING in table raw" in result.stdout
    every_step = trace("10.244.0.9", "default/web", *dump, "--every-step").stdout
    assert every_step.count("cannot decide: -i cali+") > 1


def test_control_characters_of_a_comment_stay_in_the_dump(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    rule = '-A FORWARD -m comment --comment "\x1b]0;x\x07" -j DROP'
    dump.write_text(f"*filter\n:FORWARD ACCEPT [0:0]\n{rule}\nCOMMIT\n*nat\nCOMMIT\n")
    asked = (POD, "10.0.0.1:80", "--live", str(dump), "--host-address", "10.0.0.9")
    text = trace(*asked).stdout
    assert "\\x1b]0;x\\x07" in text
    assert "\x1b]" not in text
    ET.fromstring(trace(*asked, "--output", "svg").stdout)  # noqa: S314  our own text


def test_a_pod_of_another_node() -> None:
    assert example("10.244.1.11", "default/web").stderr == (
        "note: --from 10.244.1.11 is a pod of node-b, whose rules redirect its packets for Services, "
        "not those of node-a; ask on node-b, or with --hostname-override node-b\n"
    )
    assert example("10.244.1.11", "172.31.0.11:30083").stderr == ""


def document(client: str, target: str, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(example(client, target, *arguments, "--output", "json").stdout)
    return found


def test_json() -> None:
    found = document("10.244.0.11", "default/web")
    assert set(found) == {"version", "packet", "client", "outcomes"}
    assert (found["version"], found["packet"]["destination"]) == (1, "10.96.0.10")
    assert found["client"] == {"pod": "default/web-1", "node": "node-a"}
    for outcome in found["outcomes"]:
        assert {"hook", "table", "chain", "rule"} <= set(outcome.pop("path")[0])
    place = {"target": "10.244.1.11:8080", "gateway": None, "interface": None, "isRedirected": True}
    assert found["outcomes"][2] == {
        "probability": pytest.approx(1 / 3),
        "verdict": "ACCEPT",
        "lost": False,
        "dnat": "10.244.1.11:8080",
        "masquerade": False,
        "cause": {"kind": "Arrives", "event": {"kind": "Sent", **place}},
        "says": "sent to 10.244.1.11:8080",
        "endpoint": {"pod": "default/web-3", "node": "node-b"},
    }


def test_json_names_the_endpoints_that_affinity_may_lead_to() -> None:
    assert document(POD, "default/cart")["affinity"] == ["10.244.0.11:8080", "10.244.0.12:8080", "10.244.1.11:8080"]


@pytest.mark.parametrize(
    ("output", "begins", "ends"),
    [
        ("svg", "<svg ", "</svg>\n"),
        ("html", "<!DOCTYPE html>\n", "</html>\n"),
        ("mermaid", "flowchart TD\n", "\n"),
        ("json", "{", "}\n"),
    ],
)
def test_every_form_has_the_exit_status_of_the_answer(output: str, begins: str, ends: str) -> None:
    result = example(POD, "default/web", "--output", output)
    assert (result.exit_code, "10.244.1.11:8080" in result.stdout) == (0, True)
    assert result.stdout.startswith(begins)
    assert result.stdout.endswith(ends)
    refused = example(STRANGER, "192.0.2.11:80", "--output", output)
    assert (refused.exit_code, "not in loadBalancerSourceRanges" in refused.stdout) == (1, True)
