"""Restores that are refused: whole tables stay, the others are served, and it is said which it was."""

import json

import pytest

from pykubeproxy.host.errors import RestoreError
from tests.kernel.machine import wait_until
from tests.kernel.node import Node
from tests.kernel.stand_ins import host_in

# The last rule of a nat section is refused: by the tool, or for a loop of chains, which the kernel finds in the end.
LOOP = "-A KUBE-NEW -j KUBE-SERVICES"
REFUSED = ("-A KUBE-SERVICES -p tcp -m tcp --dport 99999 -j KUBE-NEW", "-X KUBE-MISSING", "rubbish", LOOP)
FIRST_INPUT = ["*nat", ":KUBE-SERVICES - [0:0]", ":KUBE-OLD - [0:0]", "-A KUBE-SERVICES -j KUBE-OLD", "COMMIT"]
SECOND_INPUT = [
    *("*filter", ":KUBE-NEW - [0:0]", "COMMIT", "*nat", ":KUBE-SERVICES - [0:0]", ":KUBE-NEW - [0:0]"),
    *("-A KUBE-SERVICES -j KUBE-NEW", "-A PREROUTING -j KUBE-SERVICES"),
]


@pytest.mark.parametrize("line", REFUSED)
def test_the_line_that_is_refused_is_named_and_nat_stays_whole(node: Node, line: str) -> None:
    host = host_in(node.machine, node.kind, node.folder)
    host.restore(FIRST_INPUT)
    before = node.dump("-t", "nat")
    with pytest.raises(RestoreError) as caught:
        host.restore([*SECOND_INPUT, line, "COMMIT"])
    named = (caught.value.line, caught.value.text)
    assert named == (9, line) or (line is LOOP and named[1] == "COMMIT")
    assert f" failed at line {named[0]} ({named[1]}): " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert node.dump("-t", "nat") == before
    assert node.chain("filter", "KUBE-NEW") == ()


# A kernel that lacks an extension: Services that need it stay as they were, all others are served.
NAMED = "Warning: Extension recent revision 0 not supported, missing kernel module?"
STICKY = {"sessionAffinity": "ClientIP"}


@pytest.mark.parametrize("complaint", [NAMED, ""], ids=["named", "unnamed"])
def test_a_start_where_an_extension_is_lacking(node: Node, complaint: str) -> None:
    node.write(node.web(1), node.web(2, (5,), **STICKY), node.web(3))
    tools = node.stand_ins().refusing("-m recent", complaint)
    result = node.once("--log-format", "json", path=tools.path)
    assert result.returncode == 1
    assert node.served() == {1, 3}
    (error,) = [line for line in map(json.loads, result.stderr.splitlines()) if line["level"] == "error"]
    assert (error["services"], error["missing_module"]) == ("default/web-2", "xt_recent")
    assert "-restore failed" in error["error"]


def test_a_running_node_where_an_extension_is_lacking(node4: Node) -> None:
    """Many need what is missing since they were written: as before, for no more restores than one would cost."""
    many = range(10, 40)
    node4.write(node4.web(1), *(node4.web(number, (5,), **STICKY) for number in many))
    node4.sync()
    before = node4.dump()
    tools = node4.stand_ins().refusing("-m recent")
    node4.start(path=tools.path)
    node4.wait_for_log("in sync")
    node4.write(node4.web(1, endpoints=(7,)), node4.web(2), *(node4.web(number, (6,), **STICKY) for number in many))
    node4.wait_for(1, 2, *many)
    kept = [line for line in before.splitlines() if "-m recent" in line]
    assert [line for line in node4.dump().splitlines() if "-m recent" in line] == kept
    node4.wait_for_log("and 25 more")
    assert node4.log.read_text().count("[error") == 1
    assert len(tools.calls) <= 6


# Tools that print rules in other words than they were written in, as another version may.
EDITS = (
    r"s|--set-xmark 0x4000/0x4000|--or-mark 0x4000|",
    r"s|-m statistic --mode random|-m statistic --mode=random|",
    r"s|-m conntrack --ctstate NEW|-m conntrack  --ctstate NEW|",
    r"s|--comment \"kubernetes service portals\"|--comment  \"kubernetes service portals\"|",
)


def test_a_running_node_where_rules_are_printed_in_other_words(node4: Node) -> None:
    node4.write(node4.web(1), node4.web(2, (3, 4, 5)))
    tools = node4.stand_ins().watching().wording(*EDITS)
    node4.start("--iptables-sync-period", "1s", "-v", "4", path=tools.path)
    node4.wait_for(1, 2)
    first = node4.dump()
    wait_until(lambda: len(tools.calls) >= 2, "what looks changed to be written once more")
    written = len(tools.calls)

    def syncs() -> int:
        return sum("in sync" in line or "synced" in line for line in node4.log.read_text().splitlines())

    seen = syncs()
    wait_until(lambda: syncs() >= seen + 3, "more periods")
    assert len(tools.calls) <= max(written, 3), "the first sync, once more, and jumps that were there twice"
    assert node4.dump() == first, "no jump is there twice"
    assert "changed by another program" not in node4.log.read_text()

    chain = next(line.split()[1] for line in first.splitlines() if "10.244.0.3:8080" in line)
    node4.iptables("-t", "nat", "-F", chain)
    node4.wait_for_log("changed by another program")
    wait_until(lambda: node4.dump() == first, "its repair")
