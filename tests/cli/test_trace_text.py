"""What `trace` tells a person: who, how it ends, and the way there on one screen."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from pykubeproxy.cli.main import main
from tests.cli.tracing import EXAMPLES, POD, STRANGER, endings, example, trace
from tests.corpus import GOLDEN


def test_a_service_by_name_on_every_branch() -> None:
    result = example(POD, "default/web:http")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{POD} → 10.96.0.10:80/tcp  (default/web:http)"
    found = endings(result)
    assert len(found) == 3
    for line, pod in zip(found, ("10.244.0.11", "10.244.0.12", "10.244.1.11"), strict=True):
        assert line.startswith("✔ ACCEPT")
        assert line.endswith(f"33.3% = 1/3  sent to {pod}:8080")


def test_equal_branches_are_told_once() -> None:
    result = example(POD, "default/web:http")
    assert result.stdout.count("destination 10.96.0.10:80 → ") == 1
    assert result.stdout.count("likewise sent to ") == 2
    everything = example(POD, "default/web:http", "--every-step").stdout
    assert everything.count("destination 10.96.0.10:80 → ") == 3
    assert "likewise" not in everything


def test_steps_that_led_to_nothing_are_left_out() -> None:
    assert "KUBE-PROXY-FIREWALL" not in example(POD, "default/web:http").stdout
    assert "KUBE-PROXY-FIREWALL" in example(POD, "default/web:http", "--every-step").stdout


def test_a_node_port_masquerades() -> None:
    result = example(STRANGER, "172.31.0.11:30080", "--in-interface", "eth0")
    assert result.stdout.startswith(f"{STRANGER}, arriving on eth0 → 172.31.0.11:30080/tcp  (default/guestbook:http)")
    assert all(line.endswith(", source masqueraded") for line in endings(result))


@pytest.mark.parametrize(
    ("client", "target", "node", "ending"),
    [
        (
            POD,
            "default/coming-soon",
            "node-a",
            (
                "✘ REJECT  always  no ready endpoints for default/coming-soon:http: "
                "its EndpointSlices list no pods: does its selector match any?"
            ),
        ),
        (
            STRANGER,
            "172.31.0.12:30084",
            "node-b",
            (
                "✘ DROP  always  externalTrafficPolicy: Local and no endpoint on this node for default/audit:http: "
                "2 endpoints, on node-a"
            ),
        ),
        (
            STRANGER,
            "192.0.2.11:80",
            "node-a",
            f"✘ DROP  always  source {STRANGER} not in loadBalancerSourceRanges of default/office:http: 203.0.113.0/24",
        ),
    ],
)
def test_why_a_packet_is_refused(client: str, target: str, node: str, ending: str) -> None:
    result = example(client, target, node=node)
    assert result.exit_code == 1
    assert endings(result) == [ending]


def test_a_port_that_the_service_does_not_have() -> None:
    result = example(POD, "10.96.0.10:81")
    assert result.exit_code == 1
    (ending,) = endings(result)
    assert ending == (
        "! LOST  always  no Service has 81/tcp at 10.96.0.10, only 80/tcp (default/web:http); "
        "sent to 10.96.0.10:81, as no rule redirects it"
    )
    (ending,) = endings(example(POD, "10.96.0.10:80/udp"))
    assert ending.startswith("! LOST  always  no Service has 80/udp at 10.96.0.10, only 80/tcp (default/web:http)")


def test_a_port_that_the_service_does_not_have_may_be_refused() -> None:
    result = example(POD, "10.96.0.10:81", "--reject-unused-ports", "cluster-ips")
    assert result.exit_code == 1
    (ending,) = endings(result)
    assert ending.startswith("✘ REJECT  always  unused ports are refused: no Service has 81/tcp at 10.96.0.10, only 80")


def test_a_node_port_that_nobody_has() -> None:
    result = example(STRANGER, "172.31.0.11:31999")
    assert result.exit_code == 1
    (ending,) = endings(result)
    assert ending.startswith("! LOST  always  no Service has node port 31999/tcp; the nearest: 30085/tcp (")


def test_session_affinity_is_two_cases() -> None:
    result = example(POD, "default/cart")
    assert len(endings(result)) == 3
    assert "A client that was here before, and is still remembered" in result.stdout
    assert "\n  ✔ ACCEPT  always  sent to 10.244.0.11:8080  # default/web-1 on node-a\n" in result.stdout
    bound = example(POD, "default/cart", "--seen-at", "10.244.1.11:8080")
    assert endings(bound) == ["✔ ACCEPT  always  sent to 10.244.1.11:8080"]


def test_the_other_family() -> None:
    result = example("fd00:10:244::99", "default/portal")
    assert result.stdout.startswith("fd00:10:244::99 → [fd00:10:96::70]:80/tcp  (default/portal:http)")
    assert [line.split("sent to ")[1] for line in endings(result)] == [
        "[fd00:10:244:1::11]:8080",
        "[fd00:10:244::11]:8080",
    ]


def test_many_endpoints_fit_on_a_screen(tmp_path: Path) -> None:
    text = (EXAMPLES / "cluster-ip.yaml").read_text()
    head = text[: text.index("  - addresses: ")]
    pods = "".join(f"  - addresses: [10.244.{number // 200}.{number % 200 + 1}]\n" for number in range(1000))
    file = tmp_path / "many.yaml"
    file.write_text(head + pods)
    result = trace("node", "default/web", "-f", str(file), "--host-address", "172.31.0.11")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) < 45
    assert "… and 992 more, 99.2% together" in result.stdout


def test_rules_of_a_dump_with_objects_that_explain(tmp_path: Path) -> None:
    live = tmp_path / "live.save"
    live.write_text("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n")
    result = trace(POD, "10.96.0.10:80", "--live", str(live), "-f", str(EXAMPLES))
    (ending,) = endings(result)
    assert ending.startswith(
        "! LOST  always  10.96.0.10 belongs to default/web; default/web is in the cluster, but not in these rules: "
        "see what is missing with pykubeproxy diff"
    )


def test_foreign_rules_are_quoted_and_unknown_matches_are_forks(tmp_path: Path) -> None:
    live = tmp_path / "live.save"
    live.write_text(
        "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m geoip --source-country DE -j ACCEPT\nCOMMIT\n",
    )
    result = trace(STRANGER, "10.0.0.1:80", "--live", str(live), "--host-address", "192.0.2.1")
    assert result.exit_code == 1
    assert endings(result)[0].startswith("? UNDECIDED  always  cannot decide: -m geoip")
    assert "    if -m geoip" in result.stdout
    assert "policy DROP of chain FORWARD in table filter" in result.stdout


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in example(POD, "default/web", color=True).stdout
    assert "\x1b[" not in example(POD, "default/web").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in example(POD, "default/web", color=True).stdout


def test_tables_that_a_dump_lacks_are_told() -> None:
    text = (GOLDEN / "clusterip-three-endpoints" / "ipv4.save").read_text()
    nat = text[text.index("*nat") :]
    result = CliRunner().invoke(main, ["trace", "--from", POD, "--to", "ns1/web", "--live", "-"], input=nat)
    assert result.exit_code == 0
    assert result.stderr == "assumed: table filter has no IPv4 rules; it is not in what --live names\n"


def test_what_render_printed_is_a_dump(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text(CliRunner().invoke(main, ["render", "-f", str(EXAMPLES)]).stdout)
    assert trace(POD, "default/web:http", "--live", str(dump)).exit_code == 0
    assert trace("fd00:10:244::99", "default/portal:http", "--live", str(dump)).exit_code == 0


def test_an_address_that_may_be_the_node_s_is_a_fork() -> None:
    dump = ("--live", str(Path(__file__).parents[1] / "netfilter/foreign/docker.save"))
    asked = ("203.0.113.7", "192.168.1.10:8080", "--in-interface", "eth0", *dump)
    result = trace(*asked)
    assert "   1  192.168.1.10 is an address of this node" in result.stdout
    assert result.exit_code == 1
    told = trace(*asked, "--host-address", "192.168.1.10").stdout
    assert "if 192.168.1.10 is" not in told
    assert "sent to 172.17.0.2:80" in told


def test_a_node_port_that_nobody_has_by_a_dump_alone() -> None:
    dump = ("--live", str(GOLDEN / "loadbalancer-source-ranges" / "ipv4.save"))
    result = trace("203.0.113.7", "172.31.1.2:30999", *dump)
    assert "LOST  always  no Service has node port 30999/tcp" in result.stdout


def test_an_open_question_that_makes_no_difference_is_no_failure() -> None:
    dump = ("--live", str(GOLDEN / "detect-local-interface-prefix" / "ipv4.save"))
    result = trace(POD, "ns1/web", *dump)
    assert "? UNDECIDED" in result.stdout
    assert "├─ if -i veth+" in result.stdout
    assert result.exit_code == 0, "it gets through, whatever the answer"
    assert "--in-interface" in result.stderr
    assert "UNDECIDED" not in trace(POD, "ns1/web", *dump, "--in-interface", "veth1").stdout


def test_rules_that_the_objects_contradict() -> None:
    dump = Path(__file__).parents[2] / "docs/troubles/stale.save"
    result = example(POD, "default/web", "--live", str(dump))
    (stale,) = [line for line in endings(result) if "stale" in line]
    assert stale.endswith("10.244.1.87:8080; stale rules: no EndpointSlice of default/web:http lists that endpoint")


def test_control_characters_of_a_comment_stay_in_the_dump(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    rule = '-A FORWARD -m comment --comment "\x1b]0;x\x07" -j DROP'
    dump.write_text(f"*filter\n:FORWARD ACCEPT [0:0]\n{rule}\nCOMMIT\n*nat\nCOMMIT\n")
    asked = (POD, "10.0.0.1:80", "--live", str(dump), "--host-address", "10.0.0.9")
    text = trace(*asked).stdout
    assert "\\x1b]0;x\\x07" in text
    assert "\x1b]" not in text
    ET.fromstring(trace(*asked, "--output", "svg").stdout)  # noqa: S314  our own text


def test_an_endpoint_that_is_listed_twice_is_one_endpoint(tmp_path: Path) -> None:
    entry = "{addresses: [10.244.0.11], nodeName: %s, conditions: {ready: %s, serving: %s, terminating: %s}}"
    bad = entry % ("node-b", "false", "false", "false")
    for good, wanted in ((entry % ("node-c", "true", "true", "false"), 0), (bad, 1)):
        for entries in ((good, bad), (bad, good)):
            file = tmp_path / "objects.yaml"
            file.write_text(TWICE.format(entries=", ".join(entries)))
            result = trace(POD, "default/web", "-f", str(file), "--family", "ipv4", "--hostname-override", "node-a")
            assert result.exit_code == wanted, result.output
            if wanted:
                assert "no ready endpoints for default/web: 1 endpoint, not ready" in result.stdout
            else:
                assert "10.244.0.11:8080" in result.stdout


TWICE = """\
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec: {{clusterIP: 10.96.0.50, ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: default, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: "", port: 8080, protocol: TCP}}]
endpoints: [{entries}]
"""


def test_a_pod_of_another_node() -> None:
    result = example("10.244.1.11", "default/web")
    assert result.stderr == (
        "note: --from 10.244.1.11 is a pod of node-b, whose rules redirect its packets for Services, "
        "not those of node-a; ask on node-b, or with --hostname-override node-b\n"
    )
    assert example("10.244.1.11", "default/web", node="node-b").stderr == ""
    assert example("10.244.1.11", "172.31.0.11:30083").stderr == ""


def test_a_dump_with_many_questions_fits_on_a_screen() -> None:
    """Of a node with Calico, the interfaces, the IP sets and the reverse path are not known."""
    dump = ("--live", str(Path(__file__).parents[1] / "netfilter/foreign/calico.save"), "--host-address", "172.31.0.11")
    result = trace("10.244.0.9", "default/web", *dump)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) < 35
    for question in ("-i cali+  (rule 2 of cali-PREROUTING in raw)", "-m set --match-set cali40s:xyz src  (rule 1 of "):
        assert result.stdout.count(question) == 1
    assert "  ✘ DROP  if 1 and 2: dropped by rule 3 of chain cali-PREROUTING in table raw" in result.stdout
    assert result.stdout.startswith("10.244.0.9 → 10.96.0.10:80/tcp  (default/web:http)\n")
    every_step = trace("10.244.0.9", "default/web", *dump, "--every-step").stdout
    assert every_step.count("cannot decide: -i cali+") > 1


def test_the_pods_and_nodes_of_client_and_endpoints() -> None:
    title, _, first, *_ = example("10.244.0.12", "default/web").stdout.splitlines()
    assert title.endswith("(default/web:http)  # default/web-2 on node-a")
    assert first.endswith("sent to 10.244.0.11:8080  # default/web-1 on node-a")
    refused = example(STRANGER, "172.31.0.12:30084", node="node-b").stdout.splitlines()[2]
    assert "#" not in refused, "a packet that is dropped gets to nobody"
