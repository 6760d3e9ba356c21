"""However the cluster came to be what it is: the rules are those of compiling it afresh."""

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules import compile as compiling
from pykubeproxy.rules import trie
from pykubeproxy.rules.compile import Compiler, compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset
from tests.builders import options, port, service, slice_of
from tests.builders import snapshot as holding
from tests.strategies import Event, events, name_of, rule_options


@pytest.fixture(scope="module", autouse=True)
def _small_limits() -> Iterator[None]:
    """Limits that random clusters cross again and again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "LARGE_CLUSTER_ENDPOINTS", 6)
        patch.setattr(trie, "LEAF_SIZE", 3)
        yield


def chains(ruleset: Ruleset) -> Mapping[ChainId, Lines]:
    return {(name, chain): lines for name, table in ruleset.tables.items() for chain, lines in table.chains.items()}


def play(snapshot: Snapshot, event: Event) -> frozenset[ServiceKey]:
    is_put, obj = event
    return snapshot.put(obj) if is_put else snapshot.remove(name_of(event))


def check_update(compiler: Compiler, snapshot: Snapshot, touched: set[ServiceKey]) -> None:
    before = chains(compiler.ruleset)
    changed = compiler.update(snapshot, touched)
    after = chains(compiler.ruleset)
    assert after == chains(compile_ruleset(snapshot, compiler.options))
    assert {chain for chain in before.keys() | after.keys() if before.get(chain) != after.get(chain)} <= changed


@given(st.lists(st.lists(events, min_size=1, max_size=6), max_size=10), rule_options())
def test_any_sequence_of_events_gives_the_rules_of_the_final_state(
    batches: list[list[Event]], its: RuleOptions
) -> None:
    snapshot, compiler = Snapshot(), Compiler(its)
    for batch in batches:
        check_update(compiler, snapshot, {key for event in batch for key in play(snapshot, event)})


@pytest.mark.parametrize("dispatch", Dispatch)
@given(st.lists(st.integers(0, 15), min_size=20, max_size=60))
def test_services_come_and_go(dispatch: Dispatch, numbers: list[int]) -> None:
    """Each number stands for a Service, which comes at its first mention and goes at the next one."""
    snapshot, compiler = Snapshot(), Compiler(options(dispatch=dispatch))
    for number in numbers:
        address = f"10.{number // 12 * 96}.{number % 3}.{number}"
        its = service(f"ns/s{number}", address, ports=(port(node_port=30000 + number % 4 * 40 * (number > 4)),))
        is_there = its.key in snapshot.services
        check_update(compiler, snapshot, set(play(snapshot, (not is_there, its))))


def test_comments_survive_a_threshold_that_is_crossed_and_left_within_one_update() -> None:
    """One Service swells, another is compiled meanwhile, a third one shrinks: in the end the cluster is small."""
    snapshot, compiler = Snapshot(), Compiler(options())
    for sizes in ((0, 0, 6), (5, 1, 0)):
        for name, endpoints in zip(("ns/a", "ns/b", "ns/c"), sizes, strict=True):
            snapshot.put(service(name))
            snapshot.put(slice_of(name, *(f"10.0.0.{i}" for i in range(1, endpoints + 1))))
        check_update(compiler, snapshot, set(snapshot.services))


@pytest.mark.parametrize(("endpoints", "has_comments"), [(6, True), (7, False)])
def test_a_cluster_is_large_above_the_limit(endpoints: int, *, has_comments: bool) -> None:
    addresses = (f"10.0.0.{i}" for i in range(1, endpoints + 1))
    nat = compile_ruleset(holding(service(), slice_of("ns1/svc1", *addresses)), options()).tables["nat"].chains
    of_endpoints = [line for chain, lines in nat.items() if chain.startswith("KUBE-SEP-") for line in lines]
    assert {"--comment" in line for line in of_endpoints} == {has_comments}
