"""What `diff` prints and how it ends: for people, for programs, for iptables-restore, and through another program."""

import json
import stat
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.diff_json import DiffDocument
from pykubeproxy.cli.main import main
from tests.documented import assert_documented, structs_in

EXAMPLES = Path(__file__).parents[2] / "examples"
NODE = ("--hostname-override", "node-a", "--cluster-cidr", "10.244.0.0/16", "--host-address", "172.31.0.11")
IPV4 = ("--family", "ipv4", *NODE)
SAME = "No changes. The node matches the cluster."


def invoke(*arguments: str, env: dict[str, str] | None = None, color: bool = False) -> Result:
    return CliRunner().invoke(main, [*arguments], env=env, color=color)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """What a node has that serves cluster-ip.yaml, and somebody's own rule."""
    text = invoke("render", "-f", str(EXAMPLES / "cluster-ip.yaml"), *IPV4).stdout.removeprefix("# ipv4\n")
    text = text.replace("-A PREROUTING", "-A PREROUTING -i docker0 -j RETURN\n-A PREROUTING", 1)
    dump = tmp_path / "live.save"
    dump.write_text(text)
    return dump


@pytest.fixture
def smaller(tmp_path: Path) -> Path:
    """The same Service with two endpoints instead of three."""
    text = (EXAMPLES / "cluster-ip.yaml").read_text()
    file = tmp_path / "smaller.yaml"
    file.write_text(text[: text.index("  - addresses: [10.244.1.11]")])
    return file


def diff(objects: Path, live: Path, *arguments: str, env: dict[str, str] | None = None, color: bool = False) -> Result:
    return invoke("diff", "-f", str(objects), *IPV4, "--live", str(live), *arguments, env=env, color=color)


def test_no_difference(live: Path) -> None:
    result = diff(EXAMPLES / "cluster-ip.yaml", live)
    assert (result.exit_code, result.stdout) == (0, f"{SAME}\n")


def test_a_difference_service_by_service(live: Path, smaller: Path) -> None:
    result = diff(smaller, live)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[:2] == ["# ipv4", "default/web:http: endpoint 10.244.1.11:8080 removed, 3 -> 2, each now 50%"]
    assert "  - nat KUBE-SEP-ELX6N4Z5RGB67TLC" in lines
    kept = lines.index("  = nat PREROUTING: 1 of other programs' rules kept")
    assert lines[kept + 1 :] == ["    = -i docker0 -j RETURN", lines[-1]]
    services, chains = "1 Service (ports: 0 new, 1 changed, 0 removed)", "0 chains to add, 1 to change, 1 to remove"
    assert lines[-1] == f"Plan: {services}; {chains}; +2/-5 rules"


def test_what_changes_for_ports_that_no_service_has(live: Path, tmp_path: Path) -> None:
    refusing = ("--reject-unused-ports", "cluster-ips")
    result = diff(EXAMPLES / "cluster-ip.yaml", live, *refusing)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "ports that no Service has: refused at 10.96.0.10"
    families = json.loads(diff(EXAMPLES / "cluster-ip.yaml", live, "--output", "json", *refusing).stdout)["families"]
    assert families["ipv4"]["unusedPorts"] == {"refused": ["10.96.0.10"], "noLongerRefused": []}
    rendered = invoke("render", "-f", str(EXAMPLES / "cluster-ip.yaml"), *IPV4, *refusing).stdout
    other = tmp_path / "refusing.save"
    other.write_text(rendered.removeprefix("# ipv4\n"))
    assert diff(EXAMPLES / "cluster-ip.yaml", other, *refusing).stdout == f"{SAME}\n"
    lines = diff(EXAMPLES / "cluster-ip.yaml", other).stdout.splitlines()
    assert lines[1] == "ports that no Service has: no longer refused at 10.96.0.10"


def test_a_missing_jump_is_told_with_its_place(live: Path) -> None:
    kept = [line for line in live.read_text().splitlines(keepends=True) if "-j KUBE-POSTROUTING" not in line]
    live.write_text("".join(kept))
    result = diff(EXAMPLES / "cluster-ip.yaml", live)
    assert result.exit_code == 1
    assert "jump rules that are missing" in result.stdout
    assert "-j KUBE-POSTROUTING  (nat POSTROUTING, at position 1)" in result.stdout


@pytest.fixture
def backwards(live: Path) -> Path:
    """The same node with the jump rules of FORWARD in another order, and somebody's seven rules before them."""
    lines = live.read_text().splitlines(keepends=True)
    forward = [line for line in lines if line.startswith("-A FORWARD ")]
    foreign = [f"-A FORWARD -s 192.0.2.{number}/32 -j DROP\n" for number in range(1, 8)]
    rest = [line for line in lines if line not in forward]
    first = rest.index(next(line for line in rest if line.startswith("-A ")))
    live.write_text("".join([*rest[:first], *foreign, *reversed(forward), *rest[first:]]))
    return live


def test_without_a_change_only_what_is_worth_a_note_is_told(backwards: Path) -> None:
    result = diff(EXAMPLES / "cluster-ip.yaml", backwards)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "# ipv4",
        "note: jump rules in filter FORWARD are in another order than on a fresh node, and stay so",
        "  = filter FORWARD: 7 of other programs' rules kept",
        *(f"    = -s 192.0.2.{number}/32 -j DROP" for number in range(1, 6)),
        "    … and 2 more",
        SAME,
    ]


def test_a_jump_rule_that_is_there_twice_is_noted(live: Path) -> None:
    jump = next(line for line in live.read_text().splitlines(keepends=True) if line.startswith("-A POSTROUTING "))
    live.write_text(live.read_text().replace(jump, jump * 2))
    result = diff(EXAMPLES / "cluster-ip.yaml", live)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "# ipv4",
        "note: nat POSTROUTING has a jump rule 2 times, and that stays so",
        f"    = {jump.strip().removeprefix('-A POSTROUTING ')}",
        SAME,
    ]
    families = json.loads(diff(EXAMPLES / "cluster-ip.yaml", live, "--output", "json").stdout)["families"]
    assert families["ipv4"]["repeatedJumps"] == [
        {"table": "nat", "chain": "POSTROUTING", "rule": jump.strip(), "count": 2},
    ]


def test_rules_in_another_order_are_told_in_words(live: Path) -> None:
    lines = live.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if " --probability " in line)
    lines[first : first + 2] = lines[first + 1], lines[first]
    live.write_text("".join(lines))
    result = diff(EXAMPLES / "cluster-ip.yaml", live)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:3] == [
        "default/web:http: only the order of its rules differs",
        "  ~ nat KUBE-SVC-CDGGSHYLG3RE2FKL: the same rules in another order",
    ]
    assert result.stdout.endswith("; 0 chains to add, 1 to change, 0 to remove; +0/-0 rules\n")
    families = json.loads(diff(EXAMPLES / "cluster-ip.yaml", live, "--output", "json").stdout)["families"]
    assert families["ipv4"]["servicePorts"][0]["chains"][0]["order"] == "sameRules"


def test_node_ports_before_a_service_are_told_in_words(live: Path) -> None:
    lines = live.read_text().splitlines(keepends=True)
    last = next(line for line in lines if line.startswith("-A KUBE-SERVICES ") and line.endswith("-j KUBE-NODEPORTS\n"))
    lines.remove(last)
    first = lines.index(next(line for line in lines if line.startswith("-A KUBE-SERVICES ") and "cluster IP" in line))
    live.write_text("".join([*lines[:first], last, *lines[first:]]))
    assert diff(EXAMPLES / "cluster-ip.yaml", live).stdout.splitlines()[1:3] == [
        "chains of no Service",
        "  ~ nat KUBE-SERVICES: the rule that leads to the node ports is not the last one, which it must be",
    ]


@pytest.mark.parametrize("content", ["", "-A KUBE-SVC-AAAAAAAAAAAAAAAA -j RETURN\n"])
def test_a_stale_chain_that_somebody_uses_is_told(content: str, live: Path) -> None:
    chain = "KUBE-SVC-AAAAAAAAAAAAAAAA"
    leads = f"-A PREROUTING -d 192.0.2.9/32 -j {chain}"
    text = live.read_text().replace("\n*nat\n", f"\n*nat\n:{chain} - [0:0]\n")
    live.write_text(text.replace("-A PREROUTING", f"{content}{leads}\n-A PREROUTING", 1))
    result = diff(EXAMPLES / "cluster-ip.yaml", live)
    lines = result.stdout.splitlines()
    note = f"note: nat {chain} serves no Service any more, but is only emptied: other programs' rules lead there"
    assert lines[lines.index(note) + 1] == f"    = {leads}"
    assert result.exit_code == (1 if content else 0)
    assert (lines[-1] == SAME) is not bool(content)
    families = json.loads(diff(EXAMPLES / "cluster-ip.yaml", live, "--output", "json").stdout)["families"]
    assert families["ipv4"]["staleChains"] == [{"table": "nat", "chain": chain, "usedBy": [leads]}]


def test_a_comment_of_several_lines_does_not_break_out_of_its_rule(live: Path, smaller: Path) -> None:
    text = live.read_text().replace("-i docker0", f'-i docker0 -m comment --comment "one\n{SAME}"')
    live.write_text(text)
    lines = diff(smaller, live).stdout.splitlines()
    assert SAME not in lines
    assert f'    = -i docker0 -m comment --comment "one\\n{SAME}" -j RETURN' in lines


def test_the_tree_is_told_in_one_line_per_service(tmp_path: Path) -> None:
    services = [
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, namespace: ns1}}\n"
        f"spec: {{clusterIP: 10.96.{number % 4}.{number + 1}, ports: [{{port: 80}}]}}\n"
        for number in range(40)
    ]
    objects, live = tmp_path / "objects.yaml", tmp_path / "live.save"
    objects.write_text("---\n".join(services))
    rendered = invoke("render", "-f", str(objects), *IPV4, "--dispatch", "linear").stdout
    live.write_text(rendered.removeprefix("# ipv4\n"))
    assert diff(objects, live, "--dispatch", "linear").stdout == f"{SAME}\n"
    lines = diff(objects, live).stdout.splitlines()
    assert sum(line.endswith(": only its dispatch differs") for line in lines) == 40
    assert lines[-1].startswith("Plan: 40 Services (ports: 0 new, 40 changed, 0 removed); ")


def test_very_many_services_are_only_counted(tmp_path: Path) -> None:
    services = [
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, namespace: ns{number % 2}}}\n"
        f"spec: {{clusterIP: 10.96.1.{number + 1}, ports: [{{port: 80}}]}}\n"
        for number in range(201)
    ]
    objects, live = tmp_path / "objects.yaml", tmp_path / "live.save"
    live.write_text("*filter\nCOMMIT\n*nat\nCOMMIT\n")
    objects.write_text("---\n".join(services))
    lines = diff(objects, live).stdout.splitlines()
    assert lines[:-1] == [
        "ns0: 101 Services (ports: 101 new, 0 changed, 0 removed)",
        "ns1: 100 Services (ports: 100 new, 0 changed, 0 removed)",
        "note: so many Services differ that they are only counted; --no-summary shows each",
    ]
    assert lines[-1].startswith("Plan: 201 Services (ports: 201 new, 0 changed, 0 removed); ")
    each = diff(objects, live, "--no-summary").stdout.splitlines()
    assert sum(line.endswith(": new; it has no endpoints: refused") for line in each) == 201
    objects.write_text("---\n".join(services[:2]))
    assert diff(objects, live, "--summary").stdout.splitlines()[:-1] == [
        "ns0: 1 Service (ports: 1 new, 0 changed, 0 removed)",
        "ns1: 1 Service (ports: 1 new, 0 changed, 0 removed)",
    ]


def test_changed_masquerading_is_told_in_words(live: Path) -> None:
    found = diff(EXAMPLES / "cluster-ip.yaml", live, "--cluster-cidr", "10.0.0.0/8").stdout.splitlines()
    assert found[1] == (
        "default/web:http: connections to the cluster IP are masqueraded unless they come from 10.0.0.0/8 "
        "(before: unless they come from 10.244.0.0/16)"
    )
    found = diff(EXAMPLES / "cluster-ip.yaml", live, "--masquerade-all").stdout.splitlines()
    assert found[1] == (
        "default/web:http: connections to the cluster IP are masqueraded (before: unless they come from 10.244.0.0/16)"
    )


def test_json(live: Path, smaller: Path) -> None:
    result = diff(smaller, live, "--output", "json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (document["version"], document["changed"]) == (1, True)
    assert document["summary"]["chainsRemoved"] == 1
    (found,) = document["families"]["ipv4"]["servicePorts"]
    assert found["servicePort"] == "default/web:http"
    assert found["changes"] == [
        {
            "kind": "EndpointsChanged",
            "isLocal": False,
            "added": [],
            "removed": ["10.244.1.11:8080"],
            "before": 3,
            "after": 2,
        }
    ]
    assert found["says"] == ["endpoint 10.244.1.11:8080 removed, 3 -> 2, each now 50%"]
    assert {chain["action"] for chain in found["chains"]} == {"removed", "changed"}
    assert document["families"]["ipv4"]["keptRules"][0]["rules"] == ["-A PREROUTING -i docker0 -j RETURN"]


@pytest.mark.parametrize("struct", sorted(set(structs_in(DiffDocument)), key=str), ids=lambda each: each.__name__)
def test_the_json_is_documented(struct: type[msgspec.Struct]) -> None:
    assert_documented(struct, "diff-json.md")


def test_json_without_a_difference(live: Path) -> None:
    result = diff(EXAMPLES / "cluster-ip.yaml", live, "--output", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["changed"] is False


def test_restore_is_what_run_would_feed(live: Path, smaller: Path) -> None:
    lines = diff(smaller, live, "--output", "restore").stdout.splitlines()
    assert lines[:2] == ["# ipv4", "*nat"]
    assert "-X KUBE-SEP-ELX6N4Z5RGB67TLC" in lines
    assert lines[-1] == "COMMIT"


def test_colour_is_for_terminals_that_want_it(live: Path, smaller: Path) -> None:
    assert "\x1b[" in diff(smaller, live, color=True).stdout
    assert "\x1b[" not in diff(smaller, live).stdout
    assert "\x1b[" not in diff(smaller, live, color=True, env={"NO_COLOR": "1"}).stdout


@pytest.mark.parametrize("status", [0, 1, 2, 127])
def test_another_program_may_show_it(status: int, live: Path, smaller: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = tmp_path / "differ"
    program.write_text(
        f'#!/bin/sh\nls "$2" "$3" >{seen}\ngrep -c "" "$2/ipv4.save" "$3/ipv4.save" >>{seen}\nexit {status}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    result = diff(smaller, live, env={"PYKUBEPROXY_EXTERNAL_DIFF": f"{program} -u"})
    assert "LIVE" in seen.read_text()
    assert "PLANNED" in seen.read_text()
    assert result.stdout == ""
    if status < 2:
        assert result.exit_code == status
    else:
        assert result.exit_code > 1


def test_a_program_that_is_not_there(live: Path, smaller: Path) -> None:
    result = diff(smaller, live, env={"PYKUBEPROXY_EXTERNAL_DIFF": "/no/such/differ"})
    assert result.exit_code > 1
    assert "PYKUBEPROXY_EXTERNAL_DIFF: /no/such/differ: " in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("text", "problem"), [("'x", "no closing quotation"), ("x \\", "no escaped character")])
def test_a_program_that_is_not_quoted_right(text: str, problem: str, live: Path) -> None:
    environment = {"PYKUBEPROXY_EXTERNAL_DIFF": text}
    result = diff(EXAMPLES / "cluster-ip.yaml", live, env=environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: PYKUBEPROXY_EXTERNAL_DIFF: {text}: {problem}; "
        "a program and its arguments are expected, quoted as for a shell\n"
    )
    assert diff(EXAMPLES / "cluster-ip.yaml", live, "--output", "json", env=environment).exit_code == 0


def test_the_external_program_leaves_no_files(live: Path, smaller: Path, tmp_path: Path) -> None:
    program = tmp_path / "differ"
    program.write_text(f'#!/bin/sh\necho "$1" "$2" >{tmp_path}/folders\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert diff(smaller, live, env={"PYKUBEPROXY_EXTERNAL_DIFF": str(program)}).exit_code == 0
    folders = [Path(word) for word in (tmp_path / "folders").read_text().split()]
    assert [folder.name for folder in folders] == ["LIVE", "PLANNED"]
    assert not any(folder.parent.exists() for folder in folders)
