"""What a Plan does, case by case."""

from collections.abc import Mapping

import pytest

from pykubeproxy.plan.cleanup import cleanup
from pykubeproxy.plan.diff import ChainChange, Plan, diff, diff_chains, is_owned
from pykubeproxy.rules.ruleset import Ruleset, Table

SVC = "KUBE-SVC-AAAAAAAAAAAAAAAA"
OLD = "KUBE-SVC-OLDOLDOLDOLDOLDO"


Chains = Mapping[str, list[str]]


def rules(chains: Chains, table: str = "nat", *, shared: bool = False) -> Ruleset:
    """A Ruleset of one table; its rules go without `-A CHAIN`."""
    content = Table(chains={name: tuple(f"-A {name} {rule}" for rule in its) for name, its in chains.items()})
    return Ruleset(tables={table: content}, shared=frozenset((table, name) for name in chains if shared))


def change(chain: str, before: list[str] | None, after: list[str] | None, table: str = "nat") -> ChainChange:
    lines = [None if rules is None else tuple(f"-A {chain} {rule}" for rule in rules) for rules in (before, after)]
    return ChainChange(table=table, chain=chain, before=lines[0], after=lines[1])


@pytest.mark.parametrize(
    ("desired", "live", "changes"),
    [
        ({"KUBE-SERVICES": ["-j A"]}, {}, [change("KUBE-SERVICES", None, ["-j A"])]),
        ({"KUBE-NODEPORTS": []}, {}, [change("KUBE-NODEPORTS", None, [])]),
        ({"KUBE-MARK-MASQ": ["-j B"]}, {"KUBE-MARK-MASQ": ["-j A"]}, [change("KUBE-MARK-MASQ", ["-j A"], ["-j B"])]),
        ({"KUBE-MARK-MASQ": ["-j A"]}, {"KUBE-MARK-MASQ": ["-j A"]}, []),
        ({}, {OLD: ["-j DROP"]}, [change(OLD, ["-j DROP"], None)]),
        ({}, {OLD: []}, [change(OLD, [], None)]),
        *(
            ({}, {chain: ["-j DROP"]}, [])
            for chain in ("DOCKER", "KUBE-PROXY-CANARY", "KUBE-MARK-DROP", "KUBE-POSTROUTING", "X-KUBE-SVC-A")
        ),
        # What is wanted is not kept for others.
        ({SVC: ["-j A"]}, {SVC: ["-j A"], "DOCKER": [f"-j {SVC}"]}, []),
        ({SVC: ["-j B"]}, {SVC: ["-j A"], "DOCKER": [f"-j {SVC}"]}, [change(SVC, ["-j A"], ["-j B"])]),
        # Nor do our own rules keep a chain that goes.
        (
            {"KUBE-SERVICES": []},
            {"KUBE-SERVICES": [f"-d 10.0.0.1/32 -j {OLD}"], OLD: [f"-j {SVC}"], SVC: []},
            [
                change("KUBE-SERVICES", [f"-d 10.0.0.1/32 -j {OLD}"], []),
                change(OLD, [f"-j {SVC}"], None),
                change(SVC, [], None),
            ],
        ),
    ],
)
def test_chains(desired: Chains, live: Chains, changes: list[ChainChange]) -> None:
    plan = diff(rules(desired), rules(live))
    assert sorted(plan.chains, key=str) == sorted(changes, key=str)
    assert (plan.kept, plan.is_empty) == ((), not changes)
    if not live:
        assert diff(rules(desired), Ruleset(tables={})) == plan


def test_tables_that_are_not_ours_stay() -> None:
    assert diff(rules({}), rules({OLD: ["-j DROP"]}, "mangle")) == Plan()


@pytest.mark.parametrize(
    "leading_there",
    [
        {"PREROUTING": [f"-j {OLD}"]},
        {"DOCKER": [f"-g {OLD}"]},
        {"KUBE-PROXY-CANARY": [f"-m comment --comment -j -j {OLD}"]},
    ],
)
def test_a_stale_chain_that_others_use_is_emptied_until_they_let_go(leading_there: dict[str, list[str]]) -> None:
    live = rules({OLD: ["-j DROP"], **leading_there})
    assert diff(rules({}), live) == Plan(chains=(change(OLD, ["-j DROP"], []),), kept=(("nat", OLD),))
    emptied = diff(rules({}), rules({OLD: [], **leading_there}))
    assert emptied.is_empty
    assert emptied.kept == (("nat", OLD),)


@pytest.mark.parametrize(
    ("shared", "desired", "live", "after"),
    [(True, [], None, []), (True, [], ["-j DROP"], None), (False, ["-j DROP"], ["-j RETURN"], ["-j DROP"])],
    ids=["created", "left alone", "one of our own"],
)
def test_a_chain_that_is_shared(
    desired: list[str], live: list[str] | None, after: list[str] | None, *, shared: bool
) -> None:
    plan = diff(
        rules({"KUBE-FIREWALL": desired}, "filter", shared=shared),
        rules({} if live is None else {"KUBE-FIREWALL": live}, "filter"),
    )
    assert list(plan.chains) == ([] if after is None else [change("KUBE-FIREWALL", live, after, "filter")])


def test_only_the_chains_asked_for_and_in_an_order_of_its_own() -> None:
    desired = rules({"KUBE-MARK-MASQ": ["-j B"], "KUBE-POSTROUTING": ["-j B"], "KUBE-SERVICES": ["-j B"]})
    live = rules({"KUBE-MARK-MASQ": ["-j A"], "KUBE-POSTROUTING": ["-j A"], OLD: []})
    masq, services = change("KUBE-MARK-MASQ", ["-j A"], ["-j B"]), change("KUBE-SERVICES", None, ["-j B"])
    asked = [("nat", "KUBE-SERVICES"), ("nat", "KUBE-MARK-MASQ"), ("nat", "KUBE-SVC-NEVER")]
    for order in (asked, asked[::-1]):
        assert diff_chains(desired, live, order).chains == (masq, services)
    assert diff_chains(desired, live, [("nat", OLD)]).chains == (change(OLD, [], None),)
    assert diff_chains(desired, live, []).is_empty


@pytest.mark.parametrize(
    ("table", "chain", "owned"),
    [
        ("filter", "KUBE-SERVICES", True),
        ("filter", "KUBE-FIREWALL", True),
        ("nat", "KUBE-FIREWALL", False),
        ("nat", "KUBE-MARK-MASQ", True),
        ("filter", "KUBE-MARK-MASQ", False),
        ("nat", SVC, True),
        ("nat", "KUBE-PROXY-CANARY", False),
        ("nat", "PREROUTING", False),
        ("mangle", "KUBE-SERVICES", False),
        ("nat", "KUBE-KUBELET-CANARY", False),
    ],
)
def test_is_owned(table: str, chain: str, *, owned: bool) -> None:
    assert is_owned(table, chain) is owned


def test_what_nobody_can_read_may_lead_to_any_chain_of_its_table() -> None:
    live = rules({OLD: ["-j DROP"]})
    live.mapped = frozenset({"nat"})
    assert diff(rules({}), live) == cleanup(live) == Plan(chains=(change(OLD, ["-j DROP"], []),), kept=(("nat", OLD),))
