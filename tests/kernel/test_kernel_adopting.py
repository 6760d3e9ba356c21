"""Starting on a node that has rules already: nothing is written that is right as it is."""

import re
from functools import partial
from pathlib import Path

import pytest

from pykubeproxy.host import nfacct
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from tests.corpus import (
    DISPATCH_CHAINS,
    GOLDEN,
    GOLDEN_NODE,
    Example,
    canonical,
    host_addresses,
    rendered,
    sorted_dispatch,
    without_nfacct,
)
from tests.host.namespace import Namespace
from tests.kernel.kube_proxy import MANGLE_OF_KUBELET_AND_KUBE_PROXY, as_kube_proxy_leaves_it, with_localhost_counted
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
    assert chains(without_nfacct(machine.dump(kind4))) == chains(tree)
    rewritten = set(before.splitlines()) - set(machine.dump(kind4, "-c").splitlines())
    assert {line.split()[2] for line in rewritten if " -A " in line} <= DISPATCH_CHAINS
    assert machine.once(Path(example.objects), "--dispatch", "linear", *arguments).returncode == 0
    assert chains(without_nfacct(machine.dump(kind4))) == chains(example.saved(kind4.family.lower()))


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
    dump = as_kube_proxy_leaves_it(example.saved(kind.family.lower()), seed=str(example))
    if kind.family is Family.IPV4 and "no-localhost" not in str(example) and made_counter(machine):
        dump = with_localhost_counted(dump)
    machine.load(kind, dump)
    machine.load(kind, MANGLE_OF_KUBELET_AND_KUBE_PROXY)


def made_counter(machine: Machine) -> bool:
    """Make the counter that kube-proxy makes; False where the kernel has none."""
    try:
        Namespace(machine.name).run(partial(nfacct.ensure, LOCALHOST_COUNTER))
    except NetlinkError:
        return False
    return True


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
    ordered = canonical(sorted_dispatch(dump))
    agreed = re.sub(r"^(?:-A \S+ -j KUBE-FIREWALL|mangle :.*)\n", "", ordered, flags=re.MULTILINE)
    return re.sub(r"^filter :(?:INPUT|OUTPUT|FORWARD)\n", "", agreed, flags=re.MULTILINE)
