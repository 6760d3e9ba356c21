"""`trace` beyond the screens in docs/*.md: what it prints, and what cannot be traced, which is told in one line."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from tests.corpus import GOLDEN

EXAMPLES = Path(__file__).parents[2] / "examples"
POD, STRANGER = "10.244.0.99", "198.51.100.7"


def trace(client: str, target: str, *arguments: str, env: dict[str, str] | None = None, color: bool = False) -> Result:
    """`pykubeproxy trace --from client --to target` with further arguments."""
    words = ["trace", "--from", client, "--to", target, *arguments]
    return CliRunner().invoke(main, words, env=env, color=color)


def example(client: str, target: str, *arguments: str, node: str = "node-a", color: bool = False) -> Result:
    """The same with the objects of examples/."""
    flags = ("-f", str(EXAMPLES), "--hostname-override", node, "--cluster-cidr", "10.244.0.0/16,fd00:10:244::/56")
    return trace(client, target, *flags, *arguments, color=color)


def endings(result: Result) -> list[str]:
    """The lines that say how it ends, which are those before the way; without the names of pods and nodes."""
    return [line.partition("  # ")[0] for line in result.stdout.split("\n\n")[1].splitlines()]


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
    top = page[: page.index("<figure")]
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
        ("mermaid", "%%{init: ", "\n"),
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


def assert_one_error(result: Result, *expected: str) -> None:
    errors = [line for line in result.stderr.splitlines() if not line.startswith("assumed: ")]
    assert (result.exit_code, result.stdout, len(errors)) == (2, "", 1), result.stderr
    for text in expected:
        assert text in errors[0]


OWN_IP = "depends on the node's address"
QUESTIONS = {
    "unknown Service": (POD, "default/wob", (), ["no Service default/wob in these rules", "did you mean default/web"]),
    "unknown port": (POD, "default/web:https", (), ["default/web has no port https", "default/web:http (tcp 80)"]),
    "ambiguous port": (POD, "infra/dns", (), ["infra/dns has several ports", "infra/dns:dns (udp 53)", "name one"]),
    "unknown protocol": (POD, "infra/dns:53/icmp", (), ["'icmp' is not one of tcp, udp, sctp"]),
    "headless": (POD, "default/database", (), ["headless (clusterIP: None)", "ask for 10.244.0.21:8080"]),
    "no target": (POD, "wob", (), ["neither IP:port", "nor a Service as namespace/name:port"]),
    "no namespace": (POD, "web", (), ["as namespace/name:port; did you mean default/web or default/web:http?"]),
    "not spelled so": (POD, "default/Web", (), ["did you mean default/web?"]),
    "protocol": (POD, "10.0.0.1:80/icmp", (), ["'icmp' is not one of tcp, udp, sctp"]),
    "address": (POD, "10.0.0.300:80", (), ["'10.0.0.300' is not an IP address"]),
    "families": (POD, "[fd00::1]:80", (), ["both ends of a packet are of one family"]),
    "no address of the family": ("fd00::9", "default/web", (), ["default/web has no rules: it has no IPv6 clusterIP"]),
    "no client": ("somewhere", "default/web", (), ["neither an IP address, nor pod/NAMESPACE/NAME, nor the word node"]),
    "nobody's": ("0.0.0.0", "default/web", (), ["nobody sends from the unspecified address", "or the word node"]),  # noqa: S104
    "many": ("224.0.0.5", "default/web", (), ["nobody sends from a multicast address; give the client's own"]),
    "all": ("255.255.255.255", "default/web", (), ["nobody sends from the broadcast address"]),
    "to nobody": ("fd00::9", "[::]:80", (), ["--to [::]:80: nobody has the unspecified address"]),
    "no pod": ("pod/default/wep-1", "default/web", (), ["is a pod of this name; did you mean default/web-1"]),
    "not from there": (
        *(POD, "default/cart", ("--seen-at", "10.244.9.9:8080")),
        ["--seen-at 10.244.9.9:8080: the rules on this way remember only those of 10.244.0.11:8080, 10.244.0.12:8080"],
    ),
    "remembers none": (
        *(POD, "default/web", ("--seen-at", "10.244.0.11:8080")),
        ["remember no clients: there is no session affinity"],
    ),
    "own packets": (
        *("node", "default/web", ("--in-interface", "eth9")),
        ["what the node sends itself arrives by no interface"],
    ),
    **{
        f"endpoint {text}": (
            *(POD, "default/cart", ("--seen-at", text)),
            [f"--seen-at {text}: an endpoint is expected, such as 10.244.0.11:8080"],
        )
        for text in ("10.244.0.11", "web:8080", "10.244.0.300:8080", "10.244.0.11:0")
    },
}


@pytest.mark.parametrize(("client", "target", "flags", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_without_an_answer(client: str, target: str, flags: tuple[str, ...], expected: list[str]) -> None:
    assert_one_error(example(client, target, *flags), *expected)


@pytest.mark.parametrize(
    ("client", "target", "same_client", "same_target"),
    [
        *(
            (POD, other, POD, "default/web:http")
            for other in ("svc/default/web:80", "default/web:80/tcp", "default/web:80", "web.default.svc:http")
        ),
        (POD, "web.default.svc.cluster.local:80", POD, "default/web:http"),
        (POD, "infra/dns:53/udp", POD, "infra/dns:dns"),
        (POD, "infra/dns:53/tcp", POD, "infra/dns:dns-tcp"),
        ("pod/default/web-1", "default/web", "10.244.0.11", "default/web"),
    ],
)
def test_other_ways_to_name_ends(client: str, target: str, same_client: str, same_target: str) -> None:
    result, same = example(client, target), example(same_client, same_target)
    assert (result.exit_code, result.stdout) == (0, same.stdout)


def test_by_a_dump_alone_pods_have_no_names() -> None:
    result = trace("pod/default/web-1", "ns1/np", *dump_of("nodeport"))
    assert_one_error(result, "add --source api or -f, or give its IP address")


def test_what_depends_on_an_address_of_the_node_that_nobody_told() -> None:
    dump = dump_of("loadbalancer-source-ranges")
    assert_one_error(trace("node", "198.51.100.7:80", *dump), OWN_IP, "--host-address")
    assert trace("node", "198.51.100.7:80", *dump, "--host-address", "172.31.1.2").exit_code == 0
    assert trace("node", "ns1/lb", *dump).exit_code == 0, "most things do not depend on it"
