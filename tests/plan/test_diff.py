"""What a Plan does, case by case."""

from collections.abc import Mapping

import pytest

from pykubeproxy.plan.diff import ChainChange, Plan, diff, diff_chains, is_owned
from pykubeproxy.rules.ruleset import Ruleset, Table

SVC = "KUBE-SVC-AAAAAAAAAAAAAAAA"
OLD = "KUBE-SVC-OLDOLDOLDOLDOLDO"


def rules(chains: Mapping[str, list[str]], table: str = "nat", *, shared: bool = False) -> Ruleset:
    """A Ruleset of one table; its rules go without `-A CHAIN`."""
    content = Table(chains={name: tuple(f"-A {name} {rule}" for rule in its) for name, its in chains.items()})
    return Ruleset(tables={table: content}, shared=frozenset((table, name) for name in chains if shared))


def change(chain: str, before: list[str] | None, after: list[str] | None, table: str = "nat") -> ChainChange:
    lines = [None if rules is None else tuple(f"-A {chain} {rule}" for rule in rules) for rules in (before, after)]
    return ChainChange(table=table, chain=chain, before=lines[0], after=lines[1])


def test_a_missing_chain_is_created() -> None:
    desired = rules({"KUBE-SERVICES": ["-j A"]})
    assert diff(desired, rules({})) == Plan(chains=(change("KUBE-SERVICES", None, ["-j A"]),))
    assert diff(desired, Ruleset(tables={})) == diff(desired, rules({}))


def test_an_empty_chain_is_created_too() -> None:
    assert diff(rules({"KUBE-NODEPORTS": []}), rules({})) == Plan(chains=(change("KUBE-NODEPORTS", None, []),))


def test_a_different_chain_is_rewritten() -> None:
    plan = diff(rules({"KUBE-MARK-MASQ": ["-j B"]}), rules({"KUBE-MARK-MASQ": ["-j A"]}))
    assert plan == Plan(chains=(change("KUBE-MARK-MASQ", ["-j A"], ["-j B"]),))


def test_an_equal_chain_is_left_alone() -> None:
    assert diff(rules({"KUBE-MARK-MASQ": ["-j A"]}), rules({"KUBE-MARK-MASQ": ["-j A"]})).is_empty


def test_a_stale_chain_goes() -> None:
    assert diff(rules({}), rules({OLD: ["-j DROP"]})) == Plan(chains=(change(OLD, ["-j DROP"], None),))


@pytest.mark.parametrize("chain", ["DOCKER", "KUBE-PROXY-CANARY", "KUBE-MARK-DROP", "KUBE-POSTROUTING", "X-KUBE-SVC-A"])
def test_chains_that_nobody_made_for_a_service_stay(chain: str) -> None:
    assert diff(rules({}), rules({chain: ["-j DROP"]})) == Plan()


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
    assert diff(rules({}), rules({OLD: []})) == Plan(chains=(change(OLD, [], None),))


def test_a_chain_that_is_wanted_is_not_kept_for_others() -> None:
    live = rules({SVC: ["-j A"], "DOCKER": [f"-j {SVC}"]})
    assert diff(rules({SVC: ["-j A"]}), live) == Plan()
    assert diff(rules({SVC: ["-j B"]}), live) == Plan(chains=(change(SVC, ["-j A"], ["-j B"]),))


def test_our_own_rules_do_not_keep_a_chain() -> None:
    live = rules({"KUBE-SERVICES": [f"-d 10.0.0.1/32 -j {OLD}"], OLD: [f"-j {SVC}"], SVC: []})
    plan = diff(rules({"KUBE-SERVICES": []}), live)
    assert {its.chain: its.after for its in plan.chains} == {"KUBE-SERVICES": (), OLD: None, SVC: None}
    assert plan.kept == ()


def test_a_shared_chain_is_created_and_then_left_alone() -> None:
    desired = rules({"KUBE-FIREWALL": []}, "filter", shared=True)
    assert diff(desired, rules({}, "filter")) == Plan(chains=(change("KUBE-FIREWALL", None, [], "filter"),))
    assert diff(desired, rules({"KUBE-FIREWALL": ["-j DROP"]}, "filter")).is_empty


def test_a_firewall_chain_of_our_own_is_not_shared() -> None:
    plan = diff(rules({"KUBE-FIREWALL": ["-j DROP"]}, "filter"), rules({"KUBE-FIREWALL": ["-j RETURN"]}, "filter"))
    assert plan.chains == (change("KUBE-FIREWALL", ["-j RETURN"], ["-j DROP"], "filter"),)


def test_only_the_chains_asked_for() -> None:
    desired = rules({"KUBE-MARK-MASQ": ["-j B"], "KUBE-POSTROUTING": ["-j B"]})
    live = rules({"KUBE-MARK-MASQ": ["-j A"], "KUBE-POSTROUTING": ["-j A"], OLD: []})
    assert diff_chains(desired, live, [("nat", "KUBE-MARK-MASQ")]).chains == (
        change("KUBE-MARK-MASQ", ["-j A"], ["-j B"]),
    )
    assert diff_chains(desired, live, [("nat", OLD)]).chains == (change(OLD, [], None),)
    assert diff_chains(desired, live, [("nat", "KUBE-SVC-NEVER")]).is_empty
    assert diff_chains(desired, live, []).is_empty


def test_the_order_of_a_plan_does_not_depend_on_that_of_the_chains() -> None:
    desired = rules({"KUBE-SERVICES": ["-j B"], "KUBE-MARK-MASQ": ["-j B"]})
    ids = [("nat", "KUBE-SERVICES"), ("nat", "KUBE-MARK-MASQ")]
    plans = [diff_chains(desired, rules({}), order) for order in (ids, ids[::-1])]
    assert plans[0] == plans[1]
    assert [its.chain for its in plans[0].chains] == ["KUBE-MARK-MASQ", "KUBE-SERVICES"]


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
