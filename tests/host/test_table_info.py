"""The numbers of legacy tables, and that asking for them leaves no trace."""

import pytest

from pykubeproxy.host.table_info import TableInfo, loaded_tables, table_info
from pykubeproxy.model.ip import Family
from tests.host.namespace import Namespace, namespace, needs_root

pytestmark = needs_root

TOOL = {Family.IPV4: "iptables-legacy", Family.IPV6: "ip6tables-legacy"}


def info(node: Namespace, family: Family, table: str = "nat") -> TableInfo | None:
    return node.run(lambda: table_info(family, table))


@pytest.mark.parametrize("family", Family)
def test_a_table_that_is_not_loaded_stays_so(family: Family) -> None:
    with namespace() as node:
        assert info(node, family) is None
        assert node.run(lambda: loaded_tables(family)) == ()


@pytest.mark.parametrize("family", Family)
def test_numbers_change_with_the_rules(family: Family) -> None:
    with namespace() as node:
        tool = TOOL[family]
        node.exec(tool, "-t", "nat", "-N", "KUBE-SERVICES")
        before = info(node, family)
        node.exec(tool, "-t", "nat", "-A", "KUBE-SERVICES", "-j", "RETURN")
        with_rule = info(node, family)
        node.exec(tool, "-t", "nat", "-F")
        flushed = info(node, family)
        node.exec(tool, "-t", "nat", "-X")
        without_chain = info(node, family)

        assert before is not None
        assert with_rule is not None
        assert without_chain is not None
        assert before.table == "nat"
        assert with_rule.entries == before.entries + 1
        assert with_rule.size > before.size
        assert flushed == before
        assert without_chain.entries < before.entries
        assert info(node, family, "filter") is None
        assert node.run(lambda: loaded_tables(family)) == ("nat",)


def test_where_the_built_in_chains_begin_tells_rules_moved_between_them_apart() -> None:
    with namespace() as node:
        node.exec("iptables-legacy", "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT")
        before = info(node, Family.IPV4)
        node.exec("iptables-legacy", "-t", "nat", "-F")
        node.exec("iptables-legacy", "-t", "nat", "-A", "OUTPUT", "-j", "ACCEPT")
        after = info(node, Family.IPV4)
    assert before is not None
    assert after is not None
    assert (before.entries, before.size) == (after.entries, after.size)
    assert before != after
