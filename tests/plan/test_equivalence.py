"""When live rules may stay though they are not the desired text: docs/reference/iptables-rules.md sections 13 and
16."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.equivalence import is_equivalent
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from tests.builders import snapshot
from tests.corpus import DISPATCH_CHAINS
from tests.strategies import clusters, rule_options

A = "-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A"
B = "-A KUBE-SERVICES -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-B"
LAST = "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
LAST_2 = "-A KUBE-SERVICES -d 192.168.0.2/32 -j KUBE-NODEPORTS"
COUNT = "-m nfacct --nfacct-name  localhost_nps_accepted_pkts"
DROP_INVALID = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
DROP_COUNTED = DROP_INVALID.replace("-j", "-m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j")
PORT = "-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-A"
PORT_COUNTED = f"-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m tcp --dport 30080 {COUNT} -j KUBE-EXT-A"


@pytest.mark.parametrize(
    ("chain", "desired", "live", "same"),
    [
        ("KUBE-SERVICES", (A, B, LAST), (B, A, LAST), True),
        ("KUBE-SERVICES", (A, LAST, LAST_2), (A, LAST_2, LAST), True),
        ("KUBE-SERVICES", (A, B, LAST), (A, LAST, B), False),
        ("KUBE-SERVICES", (A, B, LAST), (A, LAST), False),
        ("KUBE-SERVICES", (A, LAST), (A, A, LAST), False),
        ("KUBE-SERVICES", (A, A, LAST), (A, LAST), False),
        ("KUBE-SERVICES", (A, LAST), (A, B, LAST), False),
        ("KUBE-SVC-A", (A, B), (B, A), False),
        ("KUBE-FORWARD", (DROP_INVALID,), (DROP_COUNTED,), True),
        ("KUBE-FORWARD", (), (DROP_COUNTED,), False),
        ("KUBE-FORWARD", (DROP_COUNTED,), (DROP_INVALID,), False),
        ("KUBE-FORWARD", (DROP_INVALID, A), (A, DROP_COUNTED), False),
        ("KUBE-NODEPORTS", (PORT,), (PORT_COUNTED, PORT), True),
        ("KUBE-NODEPORTS", (PORT,), (PORT_COUNTED,), False),
        ("KUBE-NODEPORTS", (PORT,), (PORT, PORT), False),
        ("KUBE-NODEPORTS", (PORT_COUNTED, PORT), (PORT,), False),
        ("KUBE-NODEPORTS", (PORT_COUNTED, PORT, A), (A, PORT_COUNTED, PORT), True),
        # Only the rule that kube-proxy adds for counting goes; other counters are counters on a rule of their own.
        ("KUBE-NODEPORTS", (PORT,), (PORT.replace("-j", f"{COUNT} -j"),), True),
        ("KUBE-NODEPORTS", (PORT,), (PORT_COUNTED.replace("127.0.0.0/8", "10.0.0.0/8"), PORT), False),
        ("KUBE-SERVICES", (A, LAST), (PORT_COUNTED.replace("NODEPORTS", "SERVICES", 1), A, LAST), False),
    ],
)
def test_case(chain: str, desired: tuple[str, ...], live: tuple[str, ...], *, same: bool) -> None:
    assert is_equivalent(chain, desired, live) is same


@given(clusters, rule_options(st.just(Dispatch.LINEAR)), st.randoms(use_true_random=False))
def test_kube_proxys_random_order_and_counters_are_nothing_to_change(
    objects: list[Object], its: RuleOptions, random: Random
) -> None:
    desired = compile_ruleset(snapshot(*objects), its)
    live = compile_ruleset(snapshot(*objects), its)
    for table in live.tables.values():
        for chain, lines in table.chains.items():
            if chain in DISPATCH_CHAINS:
                dispatch_rules = [line for line in lines if not line.endswith("-j KUBE-NODEPORTS")]
                random.shuffle(dispatch_rules)
                last = [line for line in lines if line.endswith("-j KUBE-NODEPORTS")]
                twins = [
                    line.replace(" -p", " -d 127.0.0.0/8 -p", 1).replace(" -j", f" {COUNT} -j")
                    for line in dispatch_rules
                    if chain == "KUBE-NODEPORTS" and "KUBE-EXT-" in line and not its.counts_localhost
                ]
                table.chains[chain] = (*twins, *dispatch_rules, *last)
            elif chain == "KUBE-FORWARD":
                table.chains[chain] = tuple(DROP_COUNTED if line == DROP_INVALID else line for line in lines)
    assert diff(desired, live).is_empty
