"""What filter refuses while nat changes: of each destination, what is right before and what is right after."""

import pytest

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.plan.halfway import halfway
from pykubeproxy.rules.ruleset import Lines

WAY = '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "ns/s cluster IP" -m tcp --dport 80 -j KUBE-SVC-X'
REFUSED = (
    '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "ns/s has no endpoints" -m tcp --dport 80 -j REJECT'
)
ELSEWHERE = WAY.replace("SVC", "EXT")
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


@pytest.mark.parametrize(
    ("before", "after", "nat_before", "nat_after", "is_first"),
    [
        # As when the first endpoint on this node comes to a Service with policy Local: its chains change, no way does.
        ((REFUSED,), (), (), (), False),
        ((), (REFUSED,), (WAY,), (), True),
        ((REFUSED,), (), (), (WAY,), False),
        ((OTHER,), (OTHER, REFUSED), (), (WAY,), False),
        ((OTHER, REFUSED), (OTHER,), (WAY,), (), True),
        # Where nat keeps a way, more is refused rather than less: what is let in is not seen under this address.
        ((), (REFUSED,), (WAY,), (ELSEWHERE,), True),
        ((REFUSED,), (), (WAY,), (ELSEWHERE,), False),
        # Node ports are destinations without an address.
        ((DROPPED,), (), (NODE_PORT,), (), True),
        ((DROPPED,), (), (), (NODE_PORT,), False),
        # Not all that others have put there can be written.
        (("-A KUBE-SERVICES -m nft --handle 7 -j DROP",), (), (), (), True),
    ],
    ids=[
        "no way changes",
        "refused before its endpoints go",
        "refused until its endpoints are there",
        "unknown, not refused before others are let in",
        "going, not refused to those who were let in",
        "begins where a way is kept",
        "ends where a way is kept",
        "node port that goes",
        "node port that comes",
        "rule of others",
    ],
)
def test_a_change_of_filter_comes_before_that_of_nat_or_after_it(
    before: Lines, after: Lines, nat_before: Lines, nat_after: Lines, *, is_first: bool
) -> None:
    change = filtered(before, after)
    ways = [nat(nat_before, nat_after)] if nat_before != nat_after else []
    assert halfway([change], ways) == (([change], []) if is_first else ([], [change]))


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


def test_a_chain_that_goes_is_emptied_of_what_goes_and_deleted_later() -> None:
    gone = filtered((REFUSED, DROPPED), None)
    first, last = halfway([gone], [nat((WAY, NODE_PORT), (NODE_PORT,))])
    assert first == [filtered((REFUSED, DROPPED), (DROPPED,))]
    assert last == [filtered((DROPPED,), None)]
