"""A Plan as input for iptables-restore: docs/reference/iptables-rules.md section 4."""

from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete, RuleInsert
from pykubeproxy.plan.payload import Payload

NEW = ChainChange(table="nat", chain="KUBE-SVC-B", before=None, after=("-A KUBE-SVC-B -j KUBE-SEP-A",))
LEAF = ChainChange(table="nat", chain="KUBE-SEP-A", before=None, after=("-A KUBE-SEP-A -j ACCEPT",))
OLD = ChainChange(table="nat", chain="KUBE-SVC-OLD", before=("-A KUBE-SVC-OLD -j KUBE-SEP-OLD",), after=None)
OLD_LEAF = ChainChange(table="nat", chain="KUBE-SEP-OLD", before=(), after=None)
EMPTIED = ChainChange(table="filter", chain="KUBE-SERVICES", before=("-A KUBE-SERVICES -j DROP",), after=())
# A comment may say -A as well.
COMMENT = '-m comment --comment "-A INPUT -j X" -j ACCEPT'
JUMP = RuleInsert(table="nat", chain="OUTPUT", position=2, line=f"-A OUTPUT {COMMENT}")
UNJUMP = RuleDelete(table="filter", chain="INPUT", line=f"-A INPUT {COMMENT}")


def test_nothing_to_do_is_nothing_to_restore() -> None:
    assert list(Payload(Plan())) == list(Payload()) == list(Payload(Plan(kept=(("nat", "KUBE-SVC-A"),)))) == []


def test_all_parts_in_their_places() -> None:
    plan = Plan(chains=(OLD, LEAF, NEW, EMPTIED, OLD_LEAF), inserts=(JUMP,), deletes=(UNJUMP,))
    payload = Payload(plan, Plan(chains=(LEAF,)))
    lines = [
        "*filter",
        ":KUBE-SERVICES - [0:0]",
        f"-D INPUT {COMMENT}",
        "COMMIT",
        "*nat",
        ":KUBE-SVC-OLD - [0:0]",
        ":KUBE-SEP-A - [0:0]",
        ":KUBE-SVC-B - [0:0]",
        ":KUBE-SEP-OLD - [0:0]",
        "-A KUBE-SEP-A -j ACCEPT",
        "-A KUBE-SVC-B -j KUBE-SEP-A",
        f"-I OUTPUT 2 {COMMENT}",
        "-X KUBE-SVC-OLD",
        "-X KUBE-SEP-OLD",
        "COMMIT",
        "*nat",
        ":KUBE-SEP-A - [0:0]",
        "-A KUBE-SEP-A -j ACCEPT",
        "COMMIT",
    ]
    assert list(payload) == lines
    assert list(payload) == lines, "it can be asked for again"
    assert payload.line_count == len(lines) - 2 * 3
