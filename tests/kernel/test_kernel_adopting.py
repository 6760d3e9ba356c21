"""Starting on a node that has rules already: nothing is written that is right as it is."""

import random
import re
from pathlib import Path

import pytest

from tests.corpus import CANARY, DOORS, GOLDEN, GOLDEN_NODE, Example, canonical, host_addresses, rendered, sorted_doors
from tests.kernel.machine import Kind, Machine
from tests.kernel.objects import web, write
from tests.kernel.stand_ins import StandIns

TAKEN_OVER = [Example(GOLDEN / name) for name in ("dual-stack", "no-localhost-nodeports")]
NODE_FLAGS = host_addresses(GOLDEN_NODE)


def test_a_second_run_writes_nothing(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", *(web(kind.family, number) for number in range(40)))
    assert machine.once(source, *kind.flags).returncode == 0
    before = with_every_counter_up(machine, kind)
    tools = StandIns(tmp_path / "bin").watching()
    second = machine.once(source, *kind.flags, path=tools.path)
    assert second.returncode == 0
    assert tools.calls == []
    assert machine.dump(kind, "-c") == before


def test_the_first_run_writes_once(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family))
    tools = StandIns(tmp_path / "bin").watching()
    assert machine.once(source, *kind4.flags, path=tools.path).returncode == 0
    assert len(tools.calls) == 1
    assert "--noflush --counters" in tools.calls[0]


@pytest.mark.parametrize("example", TAKEN_OVER, ids=str)
def test_rules_of_kube_proxy_are_taken_over_as_they_are(
    machine: Machine, kind: Kind, example: Example, tmp_path: Path
) -> None:
    load_as_kube_proxy_leaves_them(machine, kind, example)
    before = with_every_counter_up(machine, kind)
    tools = StandIns(tmp_path / "bin").watching()
    arguments = (*kind.flags, "--dispatch", "linear", *example.flags, *NODE_FLAGS)
    assert machine.pykubeproxy("diff", "-f", example.objects, *arguments).returncode == 0
    assert machine.once(Path(example.objects), *arguments, path=tools.path).returncode == 0
    assert tools.calls == []
    assert machine.dump(kind, "-c") == before


@pytest.mark.parametrize("example", TAKEN_OVER[:1], ids=str)
def test_tree_dispatch_rewrites_only_the_ways_to_services(machine: Machine, kind4: Kind, example: Example) -> None:
    load_as_kube_proxy_leaves_them(machine, kind4, example)
    before = with_every_counter_up(machine, kind4)
    arguments = (*kind4.flags, *example.flags, *NODE_FLAGS)
    assert machine.once(Path(example.objects), "--dispatch", "tree", *arguments).returncode == 0
    tree = rendered(example, "--dispatch", "tree", *NODE_FLAGS)[kind4.family.lower()]
    assert chains(machine.dump(kind4)) == chains(tree)
    rewritten = set(before.splitlines()) - set(machine.dump(kind4, "-c").splitlines())
    assert {line.split()[2] for line in rewritten if " -A " in line} <= DOORS
    assert machine.once(Path(example.objects), "--dispatch", "linear", *arguments).returncode == 0
    assert chains(machine.dump(kind4)) == chains(example.saved(kind4.family.lower()))


def test_a_tree_is_left_alone_by_a_second_run_and_taken_back_by_linear_dispatch(
    machine: Machine, kind: Kind, tmp_path: Path
) -> None:
    source = write(tmp_path / "objects.json", *(web(kind.family, number) for number in range(60)))
    assert machine.once(source, *kind.flags, "--dispatch", "linear").returncode == 0
    linear = machine.dump(kind)
    assert machine.once(source, *kind.flags, "--dispatch", "tree").returncode == 0
    assert machine.dump(kind) != linear
    tools = StandIns(tmp_path / "bin").watching()
    assert machine.once(source, *kind.flags, "--dispatch", "tree", path=tools.path).returncode == 0
    assert tools.calls == []
    assert machine.once(source, *kind.flags, "--dispatch", "linear").returncode == 0
    assert machine.dump(kind) == linear


def load_as_kube_proxy_leaves_them(machine: Machine, kind: Kind, example: Example) -> None:
    """The measured rules, in the random order that kube-proxy gives them, with its canaries, on a node where kubelet
    was there first and has its KUBE-FIREWALL behind kube-proxy's own jumps."""
    dump = shuffled(example.saved(kind.family.lower()), random.Random(str(example)))  # noqa: S311  a repeatable one
    machine.load(kind, firewall_last(dump))
    machine.load(
        kind, f"*mangle\n:{CANARY} - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"
    )


def shuffled(dump: str, order: random.Random) -> str:
    """The same rules, those of the shared chains in some other order; what leads to the node ports stays last."""
    tables = []
    for table in dump.split("COMMIT\n"):
        lines = table.splitlines()
        rules = [line for line in lines if line.startswith("-A ")]
        order.shuffle(rules)
        in_doors = sorted((rule for rule in rules if rule.split()[1] in DOORS), key=leads_to_node_ports)
        rest = [line for line in lines if not (line.startswith("-A ") and line.split()[1] in DOORS)]
        tables.append("".join(f"{line}\n" for line in (*rest, *in_doors)))
    return "COMMIT\n".join(tables)


def leads_to_node_ports(rule: str) -> bool:
    return rule.endswith("-j KUBE-NODEPORTS")


def firewall_last(dump: str) -> str:
    """The jumps to KUBE-FIREWALL moved behind those that kube-proxy has put before them."""
    jumps = re.findall(r"^-A \S+ -j KUBE-FIREWALL\n", dump, flags=re.MULTILINE)
    table, commit, rest = dump.replace("".join(jumps), "").partition("COMMIT\n")
    for jump in jumps:
        table = table.replace(jump, "")
    return f"{table}{''.join(jumps)}{commit}{rest}"


def with_every_counter_up(machine: Machine, kind: Kind) -> str:
    """Give every rule a count, which a rewritten rule would lose; return the dump."""
    dump = re.sub(r"^\[\d+:\d+\] ", "[7:700] ", machine.dump(kind, "-c"), flags=re.MULTILINE)
    machine.exec([f"{kind.program}-restore", "--counters"], stdin=dump)
    counted = machine.dump(kind, "-c")
    # ip6tables-nft-restore does not set the counters of rules; there, StandIns alone tell what is written.
    assert kind.program == "ip6tables-nft" or "[7:700] -A KUBE-POSTROUTING" in counted
    return counted


def chains(dump: str) -> str:
    """What two dumps must agree in: chains in filter and nat, but for the place of the jumps to KUBE-FIREWALL."""
    ordered = canonical(sorted_doors(dump))
    agreed = re.sub(r"^(?:-A \S+ -j KUBE-FIREWALL|mangle :.*)\n", "", ordered, flags=re.MULTILINE)
    return re.sub(r"^filter :(?:INPUT|OUTPUT|FORWARD)\n", "", agreed, flags=re.MULTILINE)
