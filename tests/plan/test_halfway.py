"""What filter refuses while nat changes: of each destination, what is right before and what is right after."""

import pytest

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.plan.halfway import halfway
from pykubeproxy.rules.ruleset import Lines

WAY = '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "ns/s cluster IP" -m tcp --dport 80 -j KUBE-SVC-X'
REFUSED = (
    '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "ns/s has no endpoints" -m tcp --dport 80 -j REJECT'
)
OTHER = '-A KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m comment --comment "ns/t cluster IP" -m tcp --dport 80 -j KUBE-SVC-Y'
NODE_PORT = '-A KUBE-NODEPORTS -p tcp -m comment --comment "ns/s" -m tcp --dport 30000 -j KUBE-EXT-X'
DROPPED = (
    '-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "ns/s has no local endpoints" '
    "-m addrtype --dst-type LOCAL -m tcp --dport 30000 -j DROP"
)
SUBTREE = "-A KUBE-SERVICES -d 10.96.0.0/24 -j KUBE-SVC-10.96.0.0/24"


def nat(before: Lines | None, after: Lines | None) -> ChainChange:
    return ChainChange(table="nat", chain="KUBE-SERVICES", before=before, after=after)


def filtered(before: Lines | None, after: Lines | None) -> ChainChange:
    return ChainChange(table="filter", chain="KUBE-SERVICES", before=before, after=after)


def test_where_no_way_changes_the_services_behind_may() -> None:
    """As when the first endpoint on this node comes to a Service with policy Local: its chains change, no way does."""
    change = filtered((REFUSED,), ())
    assert halfway([change], []) == ([], [change])


def test_a_service_is_refused_before_its_endpoints_go() -> None:
    change = filtered((), (REFUSED,))
    assert halfway([change], [nat((WAY,), ())]) == ([change], [])


def test_a_service_is_refused_until_its_endpoints_are_there() -> None:
    change = filtered((REFUSED,), ())
    assert halfway([change], [nat((), (WAY,))]) == ([], [change])


def test_what_nobody_knew_is_not_refused_before_others_are_let_in() -> None:
    change = filtered((OTHER,), (OTHER, REFUSED))
    assert halfway([change], [nat((), (WAY,))]) == ([], [change])


def test_what_goes_is_not_refused_to_those_who_were_let_in() -> None:
    change = filtered((OTHER, REFUSED), (OTHER,))
    assert halfway([change], [nat((WAY,), ())]) == ([change], [])


@pytest.mark.parametrize(
    ("before", "after", "first"), [((), (REFUSED,), True), ((REFUSED,), (), False)], ids=["begins", "ends"]
)
def test_where_nat_keeps_a_way_more_is_refused_rather_than_less(before: Lines, after: Lines, *, first: bool) -> None:
    """What is let in is not seen by filter under this address."""
    change = filtered(before, after)
    expected = ([change], []) if first else ([], [change])
    assert halfway([change], [nat((WAY,), (WAY.replace("SVC", "EXT"),))]) == expected


def test_both_at_once_take_two_steps() -> None:
    gone, come = filtered(None, ()), REFUSED.replace("10.96.0.1", "10.96.0.2")
    change = filtered((REFUSED, SUBTREE), (come,))
    first, last = halfway([change, gone], [nat((OTHER,), (WAY,))])
    assert first == [filtered((REFUSED, SUBTREE), (come, REFUSED, SUBTREE)), gone]
    assert last == [filtered((come, REFUSED, SUBTREE), (come,))]


def test_what_is_there_already_stays_though_nat_has_lost_the_way() -> None:
    """Somebody has flushed nat."""
    change = filtered((REFUSED,), (REFUSED, OTHER))
    first, _ = halfway([change], [nat((), (WAY,))])
    assert first == [filtered((REFUSED,), (REFUSED, OTHER))]


def test_node_ports_are_destinations_without_an_address() -> None:
    change = filtered((DROPPED,), ())
    assert halfway([change], [nat((NODE_PORT,), ())]) == ([change], [])
    assert halfway([change], [nat((), (NODE_PORT,))]) == ([], [change])


def test_a_chain_that_goes_is_emptied_of_what_goes_and_deleted_later() -> None:
    gone = filtered((REFUSED, DROPPED), None)
    first, last = halfway([gone], [nat((WAY, NODE_PORT), (NODE_PORT,))])
    assert first == [filtered((REFUSED, DROPPED), (DROPPED,))]
    assert last == [filtered((DROPPED,), None)]
