"""Jumps from the built-in chains: inserted where they are missing, and never moved: docs/reference/iptables-rules.md
section 2."""

import pytest

from pykubeproxy.plan.diff import RuleInsert, diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.rules.ruleset import Ruleset, Table
from pykubeproxy.rules.skeleton import JUMPS
from tests.memory_host import MemoryHost

INPUT = JUMPS["filter", "INPUT"]
FIREWALL, PROXY_FIREWALL, NODE_PORTS, EXTERNAL = INPUT
ACCEPT, DROP = "-A INPUT -p icmp -j ACCEPT", "-A INPUT -j DROP"
COPY = EXTERNAL.replace("externally-visible", "very visible")


def after(*live: str) -> list[str]:
    """INPUT as it is after the Plan, with only its jumps desired."""
    targets = {line.split()[-1] for line in (*INPUT, COPY) if line.split()[-1].startswith("KUBE")}
    chains = {"INPUT": live, **dict.fromkeys(targets, ())}
    host = MemoryHost(Ruleset(tables={"filter": Table(chains=dict(chains))}))
    desired = Ruleset(tables={"filter": Table(chains={"INPUT": INPUT})})
    plan = diff(desired, host.ruleset)
    assert plan.chains == ()
    host.restore(Payload(plan))
    return list(host.ruleset.tables["filter"].chains["INPUT"])


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        # All at the head, before everybody else's rules, in kube-proxy's order.
        ([], [*INPUT]),
        ([ACCEPT, DROP], [*INPUT, ACCEPT, DROP]),
        # Those that are there stay where they are, in whatever order.
        ([DROP, *INPUT[::-1], ACCEPT], [DROP, *INPUT[::-1], ACCEPT]),
        ([ACCEPT, EXTERNAL], [FIREWALL, PROXY_FIREWALL, NODE_PORTS, ACCEPT, EXTERNAL]),
        # Behind those of ours that are to be met earlier.
        ([ACCEPT, FIREWALL, PROXY_FIREWALL, DROP], [ACCEPT, FIREWALL, PROXY_FIREWALL, NODE_PORTS, EXTERNAL, DROP]),
        ([PROXY_FIREWALL, ACCEPT, EXTERNAL], [FIREWALL, PROXY_FIREWALL, NODE_PORTS, ACCEPT, EXTERNAL]),
        # KUBE-FIREWALL is kubelet's too, and tells nothing.
        ([ACCEPT, FIREWALL], [PROXY_FIREWALL, NODE_PORTS, EXTERNAL, ACCEPT, FIREWALL]),
        # A rule that only looks like ours is not ours.
        ([COPY, *INPUT[:3]], [COPY, *INPUT]),
        # What is there twice stays there twice.
        ([EXTERNAL, *INPUT], [EXTERNAL, *INPUT]),
    ],
)
def test_case(live: list[str], expected: list[str]) -> None:
    assert after(*live) == expected


def test_positions_count_from_one_with_all_earlier_inserts_done() -> None:
    desired = Ruleset(tables={"filter": Table(chains={"INPUT": INPUT})})
    live = Ruleset(tables={"filter": Table(chains={"INPUT": (ACCEPT, PROXY_FIREWALL, DROP)})})
    assert diff(desired, live).inserts == (
        RuleInsert(table="filter", chain="INPUT", position=3, line=EXTERNAL),
        RuleInsert(table="filter", chain="INPUT", position=3, line=NODE_PORTS),
        RuleInsert(table="filter", chain="INPUT", position=1, line=FIREWALL),
    )


def test_built_in_chains_are_never_declared() -> None:
    desired = Ruleset(tables={"filter": Table(chains={"INPUT": INPUT[:1]})})
    lines = list(Payload(diff(desired, Ruleset(tables={}))))
    assert lines == ["*filter", f"-I INPUT 1 {FIREWALL.removeprefix('-A INPUT ')}", "COMMIT"]
