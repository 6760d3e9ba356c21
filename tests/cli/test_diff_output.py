"""What `diff` prints and how it ends: for people, for programs, for iptables-restore, and through another program."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main

EXAMPLE = Path(__file__).parents[2] / "examples/cluster-ip.yaml"
NODE = ("--hostname-override", "node-a", "--cluster-cidr", "10.244.0.0/16", "--host-address", "172.31.0.11")
IPV4 = ("--family", "ipv4", *NODE)
SAME = "No changes. The node matches the cluster."
# Somebody's own rule, whose comment must not pass for an answer.
DOCKER = f'-i docker0 -m comment --comment "one\n{SAME}" -j RETURN'
DOCKER_TOLD = DOCKER.replace("\n", r"\n")
STALE = "KUBE-SVC-AAAAAAAAAAAAAAAA"


def rendered(objects: Path, *arguments: str) -> str:
    text = CliRunner().invoke(main, ["render", "-f", str(objects), *IPV4, *arguments]).stdout
    return text.removeprefix("# ipv4\n")


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """What a node has that serves cluster-ip.yaml, and somebody's own rule."""
    dump = tmp_path / "live.save"
    dump.write_text(rendered(EXAMPLE).replace("-A PREROUTING", f"-A PREROUTING {DOCKER}\n-A PREROUTING", 1))
    return dump


@pytest.fixture
def smaller(tmp_path: Path) -> Path:
    """The same Service with two endpoints instead of three."""
    text = EXAMPLE.read_text()
    file = tmp_path / "smaller.yaml"
    file.write_text(text[: text.index("  - addresses: [10.244.1.11]")])
    return file


def diff(objects: Path, live: Path, *arguments: str, **environment: str) -> Result:
    words = ["diff", "-f", str(objects), *IPV4, "--live", str(live), *arguments]
    return CliRunner().invoke(main, words, env=environment)


def document(objects: Path, live: Path, *arguments: str) -> Any:
    return json.loads(diff(objects, live, "--output", "json", *arguments).stdout)


def test_a_difference_service_by_service(live: Path, smaller: Path) -> None:
    result = diff(smaller, live)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[:3] == [
        "# ipv4",
        "default/web:http: endpoint 10.244.1.11:8080 removed, 3 -> 2, each now 50%",
        "  - nat KUBE-SEP-ELX6N4Z5RGB67TLC",
    ]
    assert lines[-3:] == [
        "  = nat PREROUTING: 1 of other programs' rules kept",
        f"    = {DOCKER_TOLD}",
        "Plan: 1 Service (ports: 0 new, 1 changed, 0 removed); 0 chains to add, 1 to change, 1 to remove; +2/-5 rules",
    ]


def test_the_same_in_json(live: Path, smaller: Path) -> None:
    found = document(smaller, live)
    assert (found["version"], found["changed"], found["summary"]["chainsRemoved"]) == (1, True, 1)
    (port,) = found["families"]["ipv4"]["servicePorts"]
    assert port["servicePort"] == "default/web:http"
    removed = {"added": [], "removed": ["10.244.1.11:8080"], "before": 3, "after": 2}
    assert port["changes"] == [{"kind": "EndpointsChanged", "isLocal": False, **removed}]
    assert port["says"] == ["endpoint 10.244.1.11:8080 removed, 3 -> 2, each now 50%"]
    assert {chain["action"] for chain in port["chains"]} == {"removed", "changed"}
    assert found["families"]["ipv4"]["keptRules"][0]["rules"] == [f"-A PREROUTING {DOCKER}"]
    same = diff(EXAMPLE, live, "--output", "json")
    assert (same.exit_code, json.loads(same.stdout)["changed"]) == (0, False)


def test_what_changes_for_ports_that_no_service_has(live: Path, tmp_path: Path) -> None:
    refusing = ("--reject-unused-ports", "cluster-ips")
    result = diff(EXAMPLE, live, *refusing)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "ports that no Service has: refused at 10.96.0.10"
    unused = document(EXAMPLE, live, *refusing)["families"]["ipv4"]["unusedPorts"]
    assert unused == {"refused": ["10.96.0.10"], "noLongerRefused": []}
    other = tmp_path / "refusing.save"
    other.write_text(rendered(EXAMPLE, *refusing))
    assert diff(EXAMPLE, other, *refusing).stdout == f"{SAME}\n"
    assert diff(EXAMPLE, other).stdout.splitlines()[1] == "ports that no Service has: no longer refused at 10.96.0.10"


MASQUERADED = "default/web:http: connections to the cluster IP are masqueraded"
AS_BEFORE = "(before: unless they come from 10.244.0.0/16)"


@pytest.mark.parametrize(
    ("before", "after", "flag", "said"),
    [
        ("", "", "--iptables-masquerade-bit=15", ["connections to be masqueraded are marked 0x8000 (before: 0x4000)"]),
        ("--set-xmark 0x4000/0x4000", "", "-v=0", ["connections to be masqueraded are marked 0x4000"]),
        (" --random-fully", "", "-v=0", ["masquerading chooses source ports at random"]),
        ("-A KUBE-FORWARD", "-A KUBE-FORWARD -p icmp -j ACCEPT\n-A KUBE-FORWARD", "-v=0", []),
        (
            "",
            "",
            "--iptables-localhost-nodeports=false",
            ["node ports are served at all local addresses but 127.0.0.0/8 (before: all local addresses)"],
        ),
        ("", "", "--cluster-cidr=10.0.0.0/8", [f"{MASQUERADED} unless they come from 10.0.0.0/8 {AS_BEFORE}"]),
        ("", "", "--masquerade-all", [f"{MASQUERADED} {AS_BEFORE}"]),
    ],
)
def test_what_changes_for_all_services(live: Path, before: str, after: str, flag: str, said: list[str]) -> None:
    live.write_text(live.read_text().replace(before, after, 1))
    lines = diff(EXAMPLE, live, flag).stdout.splitlines()
    every, own = "for all Services: ", "default/web:http: "
    assert [line.removeprefix(every) for line in lines if line.startswith((every, own))] == said


def swapped(text: str, word: str) -> str:
    """With the first line that has a word behind the next one."""
    lines = text.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if word in line)
    return "".join([*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]])


def with_a_stale_chain(text: str, *its_rules: str) -> str:
    """To which somebody's rule leads."""
    text = text.replace("*nat\n", f"*nat\n:{STALE} - [0:0]\n")
    return text.replace("-A PREROUTING", "\n".join([*its_rules, LEADS_THERE, "-A PREROUTING"]), 1)


JUMP = '-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'
LEADS_THERE = f"-A PREROUTING -d 192.0.2.9/32 -j {STALE}"
FOREIGN = [f"-s 192.0.2.{number}/32 -j DROP" for number in range(1, 8)]
KEPT = ["  = nat PREROUTING: 1 of other programs' rules kept", f"    = {DOCKER_TOLD}"]
NO_RULES = "0 chains to add, 1 to change, 0 to remove; +0/-0 rules"
IS_STALE = f"note: nat {STALE} serves no Service any more, but is only emptied: other programs' rules lead there"

# What is done to the rules, and what is said then.
ODD: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "a jump is missing": (
        lambda text: text.replace(f"-A POSTROUTING {JUMP}\n", ""),
        [
            "jump rules that are missing",
            f"  + -A POSTROUTING {JUMP}  (nat POSTROUTING, at position 1)",
            *KEPT,
            "Plan: 0 Services; 0 chains to add, 1 to change, 0 to remove; +1/-0 rules",
        ],
    ),
    "a jump is there twice": (
        lambda text: text.replace(f"-A POSTROUTING {JUMP}\n", f"-A POSTROUTING {JUMP}\n" * 2),
        ["note: nat POSTROUTING has a jump rule 2 times, and that stays so", f"    = {JUMP}", SAME],
    ),
    "jumps in another order behind rules of others": (
        lambda text: swapped(text, "-A FORWARD").replace(
            "-A FORWARD", "\n".join([*(f"-A FORWARD {rule}" for rule in FOREIGN), "-A FORWARD"]), 1
        ),
        [
            "note: jump rules in filter FORWARD are in another order than on a fresh node, and stay so",
            "  = filter FORWARD: 7 of other programs' rules kept",
            *(f"    = {rule}" for rule in FOREIGN[:5]),
            "    … and 2 more",
            SAME,
        ],
    ),
    "rules in another order": (
        lambda text: swapped(text, " --probability "),
        [
            "default/web:http: only the order of its rules differs",
            "  ~ nat KUBE-SVC-CDGGSHYLG3RE2FKL: the same rules in another order",
            *KEPT,
            f"Plan: 1 Service (ports: 0 new, 1 changed, 0 removed); {NO_RULES}",
        ],
    ),
    "node ports before a Service": (
        lambda text: swapped(text, "-A KUBE-SERVICES "),
        [
            "chains of no Service",
            "  ~ nat KUBE-SERVICES: the rule that leads to the node ports is not the last one, which it must be",
            *KEPT,
            f"Plan: 0 Services; {NO_RULES}",
        ],
    ),
    "an empty stale chain in use": (with_a_stale_chain, [IS_STALE, f"    = {LEADS_THERE}", SAME]),
    "a stale chain in use": (
        lambda text: with_a_stale_chain(text, f"-A {STALE} -j RETURN"),
        [
            "chains of no Service",
            f"  ~ nat {STALE}",
            "    - -j RETURN",
            IS_STALE,
            f"    = {LEADS_THERE}",
            "  = nat PREROUTING: 2 of other programs' rules kept",
            f"    = -d 192.0.2.9/32 -j {STALE}",
            f"    = {DOCKER_TOLD}",
            "Plan: 0 Services; 0 chains to add, 1 to change, 0 to remove; +0/-1 rules",
        ],
    ),
}


@pytest.mark.parametrize(("edit", "said"), ODD.values(), ids=ODD.keys())
def test_what_is_odd_in_rules_is_told_in_words(live: Path, edit: Callable[[str], str], said: list[str]) -> None:
    live.write_text(edit(live.read_text()))
    result = diff(EXAMPLE, live)
    assert result.stdout.splitlines() == ["# ipv4", *said]
    assert result.exit_code == (0 if said[-1] == SAME else 1)


def many(path: Path, count: int) -> Path:
    """A file with as many Services in two namespaces."""
    services = [
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, namespace: ns{number % 2}}}\n"
        f"spec: {{clusterIP: 10.96.{number % 4}.{number + 1}, ports: [{{port: 80}}]}}\n"
        for number in range(count)
    ]
    path.write_text("---\n".join(services))
    return path


def test_very_many_services_are_only_counted(tmp_path: Path) -> None:
    live = tmp_path / "live.save"
    live.write_text("*filter\nCOMMIT\n*nat\nCOMMIT\n")
    objects = many(tmp_path / "objects.yaml", 201)
    *lines, last = diff(objects, live).stdout.splitlines()
    assert lines == [
        "ns0: 101 Services (ports: 101 new, 0 changed, 0 removed)",
        "ns1: 100 Services (ports: 100 new, 0 changed, 0 removed)",
        "note: so many Services differ that they are only counted; --no-summary shows each",
    ]
    assert last.startswith("Plan: 201 Services (ports: 201 new, 0 changed, 0 removed); ")
    each = diff(objects, live, "--no-summary").stdout.splitlines()
    assert sum(line.endswith(": new; it has no endpoints: refused") for line in each) == 201
    few = diff(many(objects, 2), live, "--summary").stdout.splitlines()
    assert few[0] == "ns0: 1 Service (ports: 1 new, 0 changed, 0 removed)"


@pytest.mark.parametrize("status", [0, 1, 2, 127])
def test_another_program_may_show_it_and_leaves_no_files(
    status: int, live: Path, smaller: Path, tmp_path: Path
) -> None:
    program, seen = tmp_path / "differ", tmp_path / "seen"
    program.write_text(
        f'#!/bin/sh\necho "$@" >{seen}\ncd "$2" && cat ipv4.save "../PLANNED/ipv4.save" >>{seen}\nexit {status}'
    )
    program.chmod(0o755)
    result = diff(smaller, live, PYKUBEPROXY_EXTERNAL_DIFF=f"{program} -u")
    (option, *folders), *rules = [line.split(maxsplit=2) for line in seen.read_text().splitlines()]
    assert (option, [Path(folder).name for folder in folders]) == ("-u", ["LIVE", "PLANNED"])
    assert not any(Path(folder).parent.exists() for folder in folders)
    assert [rule[0] for rule in rules].count("*nat") == 2
    assert (result.exit_code, result.stdout) == (min(status, 2), "")


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("/no/such/differ", "No such file or directory"),
        ("'x", "no closing quotation; a program and its arguments are expected, quoted as for a shell"),
        ("x \\", "no escaped character; a program and its arguments are expected, quoted as for a shell"),
    ],
)
def test_a_program_that_cannot_be_run(program: str, problem: str, live: Path, smaller: Path) -> None:
    result = diff(smaller, live, PYKUBEPROXY_EXTERNAL_DIFF=program)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: PYKUBEPROXY_EXTERNAL_DIFF: {program}: {problem}\n"
    assert diff(smaller, live, "--output", "json", PYKUBEPROXY_EXTERNAL_DIFF=program).exit_code == 1
