"""Every endpoint is as likely as every other: docs/reference/iptables-rules.md section 8."""

import re
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules import spread
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import Lines
from tests.builders import at, options, service, slice_of, snapshot
from tests.strategies import clusters, rule_options

Chains = dict[str, Lines]

PROBABILITY = re.compile(r"--probability ([0-9.]+) -j \S+$")


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
        for endpoint, chance in chances(chains, target).items():
            assert endpoint not in found
            found[endpoint] = rest * share * chance
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
@pytest.mark.parametrize("count", [1, 2, 3, 10, 127, 128, 129, 600])
def test_of_so_many(dispatch: Dispatch, affinity: int | None, count: int) -> None:
    endpoints = [at(f"10.0.{i // 200}.{i % 200 + 1}") for i in range(count)]
    cluster = snapshot(service(affinity_seconds=affinity), slice_of("ns1/svc1", *endpoints))
    chains = compile_ruleset(cluster, options(dispatch=dispatch)).tables["nat"].chains
    (policy,) = policy_chains(chains)
    its = chances(chains, policy)
    assert set(its.values()) == {Fraction(1, count)}
    assert len(its) == count
    remembered = [line.split()[-1] for line in chains[policy] if "--rcheck" in line]
    assert Counter(remembered) == (Counter(its.keys()) if affinity else Counter())


@given(clusters, rule_options(), st.sampled_from([2, 128]))
def test_in_any_cluster(objects: list[Object], its: RuleOptions, grouped_from: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread, "GROUPED_FROM", grouped_from)
        chains = compile_ruleset(snapshot(*objects), its).tables["nat"].chains
    for chain in policy_chains(chains):
        if choices(chains[chain]):
            its_chances = chances(chains, chain)
            assert set(its_chances.values()) == {Fraction(1, len(its_chances))}
