"""A Plan as input for iptables-restore: docs/reference/iptables-rules.md section 4."""

import pytest

from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete, RuleInsert, diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset, Table, render
from tests.builders import options
from tests.memory_host import MemoryHost

NEW = ChainChange(table="nat", chain="KUBE-SVC-B", before=None, after=("-A KUBE-SVC-B -j KUBE-SEP-A",))
LEAF = ChainChange(table="nat", chain="KUBE-SEP-A", before=None, after=("-A KUBE-SEP-A -j ACCEPT",))
OLD = ChainChange(table="nat", chain="KUBE-SVC-OLD", before=("-A KUBE-SVC-OLD -j KUBE-SEP-OLD",), after=None)
OLD_LEAF = ChainChange(table="nat", chain="KUBE-SEP-OLD", before=(), after=None)
EMPTIED = ChainChange(table="filter", chain="KUBE-SERVICES", before=("-A KUBE-SERVICES -j DROP",), after=())
JUMP = RuleInsert(table="nat", chain="OUTPUT", position=2, line="-A OUTPUT -j KUBE-SVC-B")
UNJUMP = RuleDelete(table="filter", chain="INPUT", line="-A INPUT -j KUBE-SERVICES")


def test_nothing_to_do_is_nothing_to_restore() -> None:
    assert list(Payload(Plan())) == []
    assert list(Payload()) == []
    assert list(Payload(Plan(kept=(("nat", "KUBE-SVC-A"),)))) == []


def test_all_parts_in_their_places() -> None:
    plan = Plan(chains=(OLD, LEAF, NEW, EMPTIED, OLD_LEAF), inserts=(JUMP,), deletes=(UNJUMP,))
    assert list(Payload(plan)) == [
        "*filter",
        ":KUBE-SERVICES - [0:0]",
        "-D INPUT -j KUBE-SERVICES",
        "COMMIT",
        "*nat",
        ":KUBE-SVC-OLD - [0:0]",
        ":KUBE-SEP-A - [0:0]",
        ":KUBE-SVC-B - [0:0]",
        ":KUBE-SEP-OLD - [0:0]",
        "-A KUBE-SEP-A -j ACCEPT",
        "-A KUBE-SVC-B -j KUBE-SEP-A",
        "-I OUTPUT 2 -j KUBE-SVC-B",
        "-X KUBE-SVC-OLD",
        "-X KUBE-SEP-OLD",
        "COMMIT",
    ]


def test_the_lines_can_be_asked_for_again() -> None:
    document = Payload(Plan(chains=(LEAF,)), Plan(chains=(NEW,)))
    assert list(document) == list(document)
    assert [line for line in document if line == "COMMIT"] == ["COMMIT", "COMMIT"]


def test_only_the_words_of_the_command_change() -> None:
    """A comment may say -A as well."""
    line = '-A INPUT -m comment --comment "-A INPUT -j X" -j ACCEPT'
    insert = RuleInsert(table="nat", chain="INPUT", position=1, line=line)
    delete = RuleDelete(table="nat", chain="INPUT", line=line)
    rest = '-m comment --comment "-A INPUT -j X" -j ACCEPT'
    assert list(Payload(Plan(inserts=(insert,)))) == ["*nat", f"-I INPUT 1 {rest}", "COMMIT"]
    assert list(Payload(Plan(deletes=(delete,)))) == ["*nat", f"-D INPUT {rest}", "COMMIT"]


def test_on_an_empty_host_a_plan_is_what_render_prints() -> None:
    """Apart from jumps, which are inserted and not appended."""
    desired = compile_ruleset(Snapshot(), options())
    planned = [line for line in Payload(diff(desired, Ruleset(tables={}))) if not line.startswith("-I ")]
    printed = [line for line in render(desired) if not line.startswith("-A ") or line.startswith("-A KUBE-")]
    assert sorted(planned) == sorted(printed)


def test_a_refused_restore_changes_nothing_in_its_table() -> None:
    host = MemoryHost(Ruleset(tables={"nat": Table(chains={"A": ("-A A -j KUBE-SVC-OLD",), "KUBE-SVC-OLD": ()})}))
    before = list(render(host.ruleset))
    with pytest.raises(RestoreError, match="busy") as caught:
        host.restore(Payload(Plan(chains=(LEAF, OLD))))
    assert (caught.value.line, caught.value.text) == (5, "-X KUBE-SVC-OLD")
    assert list(render(host.ruleset)) == before


def test_render_and_restore_agree() -> None:
    desired = compile_ruleset(Snapshot(), options())
    host = MemoryHost()
    host.restore(render(desired))
    text = list(render(host.save()))
    assert diff(desired, parse(text)).is_empty
