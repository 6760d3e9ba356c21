"""Endpoint groups: each endpoint gets exactly its share, and a change of one touches its group alone."""

import re
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.rules import names
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import Lines
from pykubeproxy.rules.spread import GROUPED_FROM
from tests.builders import compiled_port, endpoint, options, service_port

TREE = options(dispatch=Dispatch.TREE, pod_traffic=None)
LINEAR = options(dispatch=Dispatch.LINEAR, pod_traffic=None)
PORT = service_port()
TOP = names.ChainNames(PORT).cluster

Chains = dict[str, Lines]

_LEG = re.compile(
    r"-A \S+ (?:-m comment --comment \"([^\"]*)\" )?(?:-m statistic --mode random --probability (\S+) )?-j (\S+)"
)


def endpoints(numbers: Sequence[int]) -> tuple[Endpoint, ...]:
    """Ready endpoints, in the order in which a Snapshot has them."""
    return tuple(sorted((endpoint(f"10.0.{n // 250}.{n % 250 + 1}") for n in numbers), key=lambda each: each.text))


def chains_for(numbers: Sequence[int], its: RuleOptions = TREE, *, comments: bool = True) -> Chains:
    return dict(compiled_port(PORT, endpoints(numbers), its, comments=comments).chains)


def groups(chains: Chains) -> Chains:
    """The chains between a policy chain and its endpoints."""
    return {chain: lines for chain, lines in chains.items() if chain.startswith(f"{TOP}-")}


def targets(lines: Lines) -> list[tuple[str, str | None, str]]:
    """Comment, probability and target of rules that spread traffic."""
    found = [_LEG.fullmatch(line) for line in lines]
    return [(target[1] or "", target[2], target[3]) for target in found if target]


def written_shares(chains: Chains, chain: str) -> dict[str, Fraction]:
    """The share of each endpoint chain in what comes to `chain`, by the probabilities as the kernel keeps them."""
    shares: dict[str, Fraction] = {}
    left = Fraction(1)
    for _, probability, target in targets(chains[chain]):
        taken = left * (1 if probability is None else Fraction(probability))
        left -= taken
        below = written_shares(chains, target) if target in groups(chains) else {target: Fraction(1)}
        for end, share in below.items():
            shares[end] = shares.get(end, Fraction()) + taken * share
    assert left == 0
    return shares


def meant_shares(chains: Chains) -> dict[str, Fraction]:
    """The same by the number of endpoints in each group, which the rules take their probabilities from."""
    its = groups(chains)
    number = sum(len(lines) for lines in its.values())
    return {
        target: Fraction(len(lines), number) * Fraction(1, len(lines))
        for lines in its.values()
        for _, _, target in targets(lines)
    }


sizes = st.integers(GROUPED_FROM, 1100)


@given(sizes)
def test_each_endpoint_gets_the_same_share(number: int) -> None:
    chains = chains_for(range(number))
    ends = {chain for chain in chains if chain.startswith(names.ENDPOINT)}
    assert len(ends) == number
    assert set(meant_shares(chains).values()) == {Fraction(1, number)}
    shares = written_shares(chains, TOP)
    assert shares.keys() == ends
    assert sum(shares.values()) == 1
    assert max(abs(share - Fraction(1, number)) for share in shares.values()) < Fraction(1, 2**30)


@given(sizes, st.booleans())
def test_probabilities_are_those_of_the_groups(number: int, comments: bool) -> None:  # noqa: FBT001
    chains = chains_for(range(number), comments=comments)
    left = number
    top = targets(chains[TOP])
    assert [target for _, _, target in top] == list(groups(chains))
    for comment, probability, target in top:
        size = len(chains[target])
        assert comment == (f"ns1/svc1:p80 -> one of {size} endpoints" if comments else "")
        if probability is not None:
            assert abs(Fraction(probability) - Fraction(size, left)) < Fraction(1, 2**31)
        left -= size
    assert left == 0
    assert top[-1][1] is None


@given(sizes)
def test_a_connection_passes_few_rules(number: int) -> None:
    its = groups(chains_for(range(number)))
    longest = max(map(len, its.values()))
    assert len(its) + longest <= 6 * number**0.5
    assert all(its.values())


@given(st.sets(st.integers(0, 900), min_size=200, max_size=240), st.integers(901, 999), st.integers(0, 199))
def test_a_change_of_one_endpoint_touches_one_group(numbers: set[int], new: int, place: int) -> None:
    before = chains_for(sorted(numbers))
    for its in (numbers | {new}, numbers - {sorted(numbers)[place]}):
        after = chains_for(sorted(its))
        policy = {TOP, *groups(before), *groups(after)}
        changed = {chain for chain in policy if before.get(chain) != after.get(chain)}
        assert TOP in changed
        assert len(changed) == 2


def test_an_endpoint_that_takes_the_place_of_another_touches_their_two_groups() -> None:
    before, after = chains_for(range(200)), chains_for(range(1, 201))
    changed = {chain for chain in (TOP, *groups(before)) if before[chain] != after.get(chain)}
    assert len(changed - {TOP}) in (1, 2)
    assert groups(before).keys() == groups(after).keys()


def test_groups_are_named_for_their_service() -> None:
    chains = chains_for(range(1000))
    service_hash = names.service_hash(TOP)
    for chain in groups(chains):
        assert len(chain) <= names.LONGEST_NAME
        assert names.service_hash(chain) == service_hash
        assert names.is_stale_candidate("nat", chain)
    assert list(groups(chains)) == [f"{TOP}-{number:x}" for number in range(32)]


def test_no_number_of_endpoints_makes_a_name_too_long() -> None:
    assert len(names.group(TOP, names.MOST_GROUPS - 1)) == names.LONGEST_NAME
    assert names.service_hash(names.group(TOP, names.MOST_GROUPS - 1))


@pytest.mark.parametrize(
    ("its", "number", "is_grouped"),
    [(TREE, GROUPED_FROM - 1, False), (TREE, GROUPED_FROM, True), (LINEAR, 1000, False)],
)
def test_only_large_services_with_tree_dispatch_have_groups(its: RuleOptions, number: int, *, is_grouped: bool) -> None:
    chains = chains_for(range(number), its)
    assert bool(groups(chains)) is is_grouped
    assert (len(chains[TOP]) == number) is not is_grouped


def test_session_affinity_has_to_ask_for_every_endpoint() -> None:
    port = service_port(affinity_seconds=60)
    chains = dict(compiled_port(port, endpoints(range(300)), TREE).chains)
    assert not groups(chains)
    assert len(chains[TOP]) == 600


def test_local_endpoints_have_groups_of_their_own() -> None:
    port = service_port(internal_traffic_local=True)
    its = tuple(endpoint(each.ip, is_local=number < GROUPED_FROM) for number, each in enumerate(endpoints(range(300))))
    chains = dict(compiled_port(port, its, TREE).chains)
    local = names.ChainNames(port).local
    assert len([chain for chain in chains if chain.startswith(f"{local}-")]) == 16


def test_the_masquerade_rule_stays_before_the_choice() -> None:
    with_masquerade = options(dispatch=Dispatch.TREE)
    chains = dict(compiled_port(PORT, endpoints(range(200)), with_masquerade).chains)
    assert chains[TOP][0].endswith(f" -j {names.MARK_MASQ}")
    assert not any(names.MARK_MASQ in line for lines in groups(chains).values() for line in lines)
    assert chains[TOP][1:] == chains_for(range(200))[TOP]
