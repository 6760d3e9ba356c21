"""Starting on a node that has rules already: nothing is written that is right as it is."""

import re
from functools import partial
from pathlib import Path

import pytest

from pykubeproxy.host import nfacct
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, host_addresses
from tests.host.namespace import Namespace
from tests.kernel.kube_proxy import MANGLE_OF_KUBELET_AND_KUBE_PROXY, as_kube_proxy_leaves_it, with_localhost_counted
from tests.kernel.node import Node

TAKEN_OVER = [Example(GOLDEN / name) for name in ("dual-stack", "no-localhost-nodeports")]
NODE_FLAGS = host_addresses(GOLDEN_NODE)


def test_the_first_run_writes_once_and_a_second_run_nothing(node: Node) -> None:
    node.write(*(node.web(number) for number in range(40)))
    tools = node.stand_ins().watching()
    node.sync(path=tools.path)
    assert len(tools.calls) == 1
    assert "--noflush --counters" in tools.calls[0]
    before = with_every_counter_up(node)
    node.sync(path=tools.path)
    assert len(tools.calls) == 1
    assert node.dump("-c") == before


@pytest.mark.parametrize("example", TAKEN_OVER, ids=str)
def test_rules_of_kube_proxy_are_taken_over_as_they_are(node: Node, example: Example) -> None:
    load_as_kube_proxy_leaves_them(node, example)
    before = with_every_counter_up(node)
    tools = node.stand_ins().watching()
    arguments = ("--dispatch", "linear", *example.flags, *NODE_FLAGS)
    assert node.ask("diff", "-f", example.objects, *arguments).returncode == 0
    node.sync(*arguments, source=Path(example.objects), path=tools.path)
    assert tools.calls == []
    assert node.dump("-c") == before


def load_as_kube_proxy_leaves_them(node: Node, example: Example) -> None:
    dump = as_kube_proxy_leaves_it(example.saved(node.family.lower()), seed=str(example))
    if node.family is Family.IPV4 and "no-localhost" not in str(example) and made_counter(node):
        dump = with_localhost_counted(dump)
    node.load(dump)
    node.load(MANGLE_OF_KUBELET_AND_KUBE_PROXY)


def made_counter(node: Node) -> bool:
    """Make the counter that kube-proxy makes; False where the kernel has none."""
    try:
        Namespace(node.machine.name).run(partial(nfacct.ensure, LOCALHOST_COUNTER))
    except NetlinkError:
        return False
    return True


def with_every_counter_up(node: Node) -> str:
    """Give every rule a count, which a rewritten rule would lose; return the dump."""
    dump = re.sub(r"^\[\d+:\d+\] ", "[7:700] ", node.dump("-c"), flags=re.MULTILINE)
    node.machine.exec([f"{node.kind.program}-restore", "--counters"], stdin=dump)
    counted = node.dump("-c")
    # ip6tables-nft-restore does not set the counters of rules; there, StandIns alone tell what is written.
    assert node.kind.program == "ip6tables-nft" or "[7:700] -A KUBE-POSTROUTING" in counted
    return counted
