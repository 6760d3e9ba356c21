"""The chains of tree dispatch: deterministic, few of them changed by a change, and never too many jumps deep."""

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import names
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin
from pykubeproxy.rules.tree import TreeDispatch
from pykubeproxy.rules.trie import LEAF_SIZE
from tests.builders import options, snapshot
from tests.clusters import deep_cluster

Chains = dict[ChainId, Lines]

# NFT_JUMP_STACK_SIZE of the kernel (net/netfilter/nf_tables.h): a base chain, and 15 jumps.
MOST_JUMPS = 15


def rule_for(number: int, chain: DispatchChain, address: str, port: int, target: str) -> DispatchRule:
    where = f"-d {address}/32 " if address else ""
    match = f'{where}-p tcp -m comment --comment "ns/s{number}" -m tcp --dport {port}'
    return DispatchRule(chain, f"ns/s{number}", address, Protocol.TCP, port, match, target)


def cluster_ip_rule(number: int, address: str = "", port: int = 80) -> DispatchRule:
    address = address or str(IPv4Address(0x0A600000 + number * 40503 % 65536))
    return rule_for(number, DispatchChain.NAT_SERVICES, address, port, f"KUBE-SVC-{number}")


def node_port_rule(number: int) -> DispatchRule:
    return rule_for(number, DispatchChain.NAT_NODE_PORTS, "", number, f"KUBE-EXT-{number}")


def refused_rule(number: int, *, is_node_port: bool) -> DispatchRule:
    """In KUBE-EXTERNAL-SERVICES, there are dispatch rules of both kinds."""
    return rule_for(number, DispatchChain.FILTER_EXTERNAL, "" if is_node_port else f"192.0.2.{number}", number, "DROP")


dispatch_rules = st.one_of(
    st.builds(cluster_ip_rule, st.integers(0, 400)),
    st.builds(cluster_ip_rule, st.integers(0, 400), st.just("10.96.0.1"), st.integers(0, 99)),
    st.builds(node_port_rule, st.integers(30000, 30200)),
    st.builds(refused_rule, st.integers(1, 99), is_node_port=st.booleans()),
)


class Dispatched:
    """A tree and the chains that it has told so far."""

    def __init__(self) -> None:
        self._dispatch = TreeDispatch(options())
        self.chains: Chains = {}
        self._take(self._dispatch.chains())

    def change(self, removed: Iterable[DispatchRule], added: Iterable[DispatchRule]) -> set[ChainId]:
        """Change dispatch rules; return the chains whose lines differ now."""
        return self._take(self._dispatch.change(removed, added))

    def _take(self, updates: dict[ChainId, Lines | None]) -> set[ChainId]:
        changed = {chain for chain, lines in updates.items() if self.chains.get(chain) != lines}
        kept = {**self.chains, **updates}
        self.chains = {chain: lines for chain, lines in kept.items() if lines is not None}
        return changed


def dispatched(its: Iterable[DispatchRule]) -> Dispatched:
    made = Dispatched()
    made.change((), its)
    return made


@given(st.lists(dispatch_rules, unique=True, max_size=150))
def test_every_dispatch_rule_is_there_once_and_every_chain_is_led_to_once(its: list[DispatchRule]) -> None:
    chains = dispatched(its).chains
    rules = [(table, line.split(" ", 2)[2]) for (table, _), lines in chains.items() for line in lines]
    own = [rule for _, rule in rules if "ns/s" in rule]
    assert sorted(own) == sorted(f"{rule.match} -j {rule.target}" for rule in its)
    led_to = [(table, rule.split()[-1]) for table, rule in rules if "ns/s" not in rule and "addrtype" not in rule]
    assert sorted(led_to) == sorted(chains.keys() - {each.id for each in DispatchChain})
    leads = [line for lines in chains.values() for line in lines if line.endswith(f" -j {names.NODE_PORTS}")]
    assert leads == [chains["nat", names.SERVICES][-1]], "node ports come last"


def test_no_chain_is_long() -> None:
    its = [
        *(cluster_ip_rule(number) for number in range(2000)),
        *(node_port_rule(number) for number in range(30000, 32768)),
        *(refused_rule(number, is_node_port=flag) for number in range(1, 200) for flag in (True, False)),
    ]
    chains = dispatched(its).chains
    # Sixteen ways on and the last rule; one of those ways may be two dispatch rules in its place.
    assert max(map(len, chains.values())) <= 2 * LEAF_SIZE + 1
    assert len(chains) < len(its) / 4


@cache
def crowded(number: int) -> Dispatched:
    return dispatched(cluster_ip_rule(index) for index in range(number))


@pytest.mark.parametrize("number", [100, 2000, 20000])
def test_a_service_touches_only_chains_on_its_own_path(number: int) -> None:
    dispatch = crowded(number)
    touched = []
    for extra in range(60_000, 60_020):
        rule = cluster_ip_rule(extra)
        for removed, added in (((), [rule]), ([rule], ())):
            before = dict(dispatch.chains)
            changed = dispatch.change(removed, added)
            rewritten = [chain for chain in changed if chain in before and chain in dispatch.chains]
            assert all(holds(chain, rule.address) for _, chain in rewritten)
            touched.append(len(changed))
    # A full chain is divided into sixteen at most, or these are put together again.
    assert max(touched) <= LEAF_SIZE + 1
    assert sorted(touched)[len(touched) // 2] <= 2


def holds(chain: str, address: str) -> bool:
    """True for a dispatch chain, and for the chain of a network with the address in it."""
    if chain == names.SERVICES:
        return True
    return ip_address(address) in ip_network(chain.removeprefix(names.CLUSTER_POLICY))


def test_a_changed_entry_touches_its_chain_alone() -> None:
    old = cluster_ip_rule(7)
    changed = crowded(2000).change([old], [cluster_ip_rule(7, old.address, 81)])
    assert len(changed) == 1
    assert crowded(2000).change([cluster_ip_rule(7, old.address, 81)], [old]) == changed


def longest_way(ruleset: Ruleset, table: str) -> int:
    """The number of jumps on the longest way from a built-in chain."""
    chains = ruleset.tables[table].chains

    @cache
    def jumps(chain: str) -> int:
        targets = {line.split()[line.split().index("-j") + 1] for line in chains[chain] if " -j " in line}
        return max((1 + jumps(target) for target in targets if target in chains), default=0)

    return max(jumps(chain) for chain in chains if is_builtin(table, chain))


@pytest.mark.parametrize("family", Family)
def test_no_cluster_makes_more_jumps_than_nf_tables_follows(family: Family) -> None:
    """One less, so that a rule of somebody else may lead to KUBE-SERVICES."""
    ruleset = compile_ruleset(snapshot(*deep_cluster(family)), options(family, dispatch=Dispatch.TREE))
    assert longest_way(ruleset, "nat") == MOST_JUMPS - 1
    assert longest_way(ruleset, "filter") < MOST_JUMPS
