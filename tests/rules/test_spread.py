"""Every endpoint is as likely as every other, in groups or not: docs/reference/iptables-rules.md section 8."""

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules import names, spread
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import Lines
from pykubeproxy.rules.spread import GROUPED_FROM
from tests.builders import at, compiled_port, endpoint, options, service, service_port, slice_of, snapshot
from tests.strategies import clusters, rule_options

TREE = options(dispatch=Dispatch.TREE)
PORT = service_port()
TOP = names.ChainNames(PORT).cluster

Chains = dict[str, Lines]

PROBABILITY = re.compile(r"--probability ([0-9.]+) -j \S+$")


def address(number: int) -> str:
    return f"10.0.{number // 200}.{number % 200 + 1}"


def chains_for(numbers: Iterable[int], **fields: bool) -> Chains:
    """The chains of a ServicePort with these endpoints, in the order in which a Snapshot has them."""
    endpoints = sorted((endpoint(address(number), **fields) for number in numbers), key=lambda each: each.text)
    return dict(compiled_port(PORT, tuple(endpoints), TREE).chains)


def groups(chains: Chains, top: str = TOP) -> Chains:
    """The chains between a policy chain and its endpoints."""
    return {chain: lines for chain, lines in chains.items() if chain.startswith(f"{top}-")}


def choices(lines: Lines) -> list[tuple[str | None, str]]:
    """The random choice at the end of a policy chain or group: (probability as printed, chain)."""
    found: list[tuple[str | None, str]] = []
    for line in lines:
        chain, target = line.split()[1], line.split()[-1]
        if target.startswith(("KUBE-SEP-", f"{chain}-")) and "-m recent" not in line:
            chance = PROBABILITY.search(line)
            found.append((chance[1] if chance else None, target))
    return found


def size(chains: Chains, chain: str) -> int:
    """The number of endpoints behind a chain."""
    targets = choices(chains[chain])
    return sum(size(chains, target) for _, target in targets) if targets else 1


def chances(chains: Chains, chain: str) -> dict[str, Fraction]:
    """The nominal chance of each endpoint chain. Each printed probability must be that of its nominal value."""
    targets = choices(chains[chain])
    if not targets:
        return {chain: Fraction(1)}
    left, rest = size(chains, chain), Fraction(1)
    found: dict[str, Fraction] = {}
    for printed, target in targets:
        share = Fraction(size(chains, target), left)
        assert printed == (None if share == 1 else as_printed(share))
        for each, chance in chances(chains, target).items():
            assert each not in found
            found[each] = rest * share * chance
        rest *= 1 - share
        left -= size(chains, target)
    assert rest == 0, "no packet falls off the end of a policy chain"
    return found


def as_printed(share: Fraction) -> str:
    """Ten decimals as written, the nearest multiple of 2^-31 as kept, eleven decimals as printed; exactly."""
    written = Fraction(round(share * 10**10), 10**10)
    kept = Fraction((written * 2**31 + Fraction(1, 2)).__floor__(), 2**31)
    return f"{float(kept):.11f}"


def policy_chains(chains: Chains) -> list[str]:
    """The chains in which a choice begins."""
    return [chain for chain in chains if re.fullmatch(r"KUBE-SV[CL]-[A-Z2-7]{16}", chain)]


@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize("affinity", [None, 10800])
@pytest.mark.parametrize("count", [1, 2, 3, 10, GROUPED_FROM - 1, GROUPED_FROM, GROUPED_FROM + 1, 600, 1100])
def test_of_so_many_each_has_the_same_chance(dispatch: Dispatch, affinity: int | None, count: int) -> None:
    """In groups only with tree dispatch, and not with session affinity, which has to ask for every endpoint."""
    cluster = snapshot(
        service(affinity_seconds=affinity), slice_of("ns1/svc1", *(at(address(number)) for number in range(count)))
    )
    chains = compile_ruleset(cluster, options(dispatch=dispatch)).tables["nat"].chains
    (policy,) = policy_chains(chains)
    its = chances(chains, policy)
    assert set(its.values()) == {Fraction(1, count)}
    assert len(its) == count
    remembered = [line.split()[-1] for line in chains[policy] if "--rcheck" in line]
    assert Counter(remembered) == (Counter(its.keys()) if affinity else Counter())
    is_grouped = dispatch is Dispatch.TREE and count >= GROUPED_FROM and not affinity
    assert bool(groups(chains, policy)) is is_grouped
    if is_grouped:
        most_rules = len(chains[policy]) + max(map(len, groups(chains, policy).values()))
        assert most_rules <= 6 * count**0.5, "a connection passes few rules"


@given(clusters, rule_options(), st.sampled_from([2, 128]))
def test_in_any_cluster_each_has_the_same_chance(objects: list[Object], its: RuleOptions, grouped_from: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread, "GROUPED_FROM", grouped_from)
        chains = compile_ruleset(snapshot(*objects), its).tables["nat"].chains
    for chain in policy_chains(chains):
        if choices(chains[chain]):
            its_chances = chances(chains, chain)
            assert set(its_chances.values()) == {Fraction(1, len(its_chances))}


@given(st.sets(st.integers(0, 900), min_size=200, max_size=240), st.integers(901, 999), st.integers(0, 199))
def test_a_change_of_one_endpoint_touches_one_group(numbers: set[int], new: int, place: int) -> None:
    """And one that takes the place of another, their two groups."""
    before = chains_for(numbers)
    gone = sorted(numbers)[place]
    for its, most in ((numbers | {new}, 1), (numbers - {gone}, 1), (numbers - {gone} | {new}, 2)):
        after = chains_for(its)
        policy = {TOP, *groups(before), *groups(after)}
        changed = {chain for chain in policy if before.get(chain) != after.get(chain)}
        assert TOP in changed or most == 2
        assert 1 <= len(changed - {TOP}) <= most


def test_groups_are_named_for_their_service() -> None:
    chains = chains_for(range(1000))
    assert list(groups(chains)) == [f"{TOP}-{number:x}" for number in range(32)]
    for chain in (*groups(chains), longest := names.group(TOP, names.MOST_GROUPS - 1)):
        assert names.service_hash(chain) == names.service_hash(TOP)
        assert names.is_stale_candidate("nat", chain)
    assert len(longest) == names.LONGEST_NAME


def test_the_rules_that_lead_to_groups() -> None:
    endpoints = tuple(endpoint(address(number)) for number in range(GROUPED_FROM + 9))
    silent, told = (dict(compiled_port(PORT, endpoints, TREE, comments=on).chains) for on in (False, True))
    assert told[TOP][0].endswith(f" -j {names.MARK_MASQ}"), "what is to be masqueraded is so before the choice"
    assert not any(names.MARK_MASQ in line for lines in groups(told).values() for line in lines)
    for (_, group), line, without in zip(choices(told[TOP]), told[TOP][1:], silent[TOP][1:], strict=True):
        comment = f'-m comment --comment "ns1/svc1:p80 -> one of {size(told, group)} endpoints" '
        assert line.replace(comment, "") == without != line
