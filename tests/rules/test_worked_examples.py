"""The worked examples of docs/reference/iptables-rules.md section 20."""

from collections import defaultdict

import pytest

from tests.corpus import (
    DISPATCH_CHAINS,
    WORKED,
    Example,
    canonical,
    chains_of,
    host_addresses,
    rendered,
    sorted_dispatch,
    without_nfacct,
)

NODE = ("192.168.0.2", "192.168.1.2", "2001:db8::1", "127.0.0.1", "::1")


def example(name: str) -> Example:
    return Example(WORKED / name)


def dump(name: str, family: str = "ipv4", *arguments: str) -> str:
    return rendered(example(name), "--dispatch", "linear", *host_addresses(NODE), *arguments)[family]


def expected_rules(name: str, family: str = "ipv4") -> dict[tuple[str, str], list[str]]:
    """A `.rules` file, by (table, chain)."""
    text = without_nfacct((WORKED / name / f"{family}.rules").read_text())
    chains = defaultdict(list)
    for line in text.splitlines():
        table, _, rule = line.partition(" ")
        chains[table, rule.split()[1]].append(rule)
    return chains


def test_a_to_b_the_first_sync() -> None:
    expected = without_nfacct(example("first-sync").saved("ipv4")).replace("*mangle", "*filter")
    assert canonical(sorted_dispatch(dump("first-sync"))) == canonical(sorted_dispatch(expected))


def test_c_to_d_the_same_in_ipv6() -> None:
    found = {chain: rules for chain, rules in chains_of(dump("first-sync", "ipv6")).items() if rules}
    ours = {chain: rules for chain, rules in found.items() if chain[1].startswith("KUBE-")}
    assert ours == expected_rules("first-sync", "ipv6")


def test_e_one_more_endpoint_changes_two_chains() -> None:
    before, after = chains_of(dump("first-sync")), chains_of(dump("endpoint-added"))
    expected = expected_rules("endpoint-added")
    assert {chain: after[chain] for chain in expected} == expected
    changed = {
        name for table, name in before.keys() | after.keys() if before.get((table, name)) != after.get((table, name))
    }
    assert changed == {"KUBE-SVC-X27LE4BHSL4DOUIK", "KUBE-SEP-KQMYTGJNFTSIJXKJ"}


def test_f_policies() -> None:
    found = chains_of(dump("policies"))
    for (table, chain), rules in expected_rules("policies").items():
        if chain in DISPATCH_CHAINS:
            assert set(rules) <= set(found[table, chain])
        else:
            assert found[table, chain] == rules


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_g_node_port_addresses(family: str) -> None:
    found = chains_of(dump("node-port-addresses", family))["nat", "KUBE-SERVICES"]
    assert found == expected_rules("node-port-addresses", family)["nat", "KUBE-SERVICES"]


def test_node_ports_come_last() -> None:
    assert chains_of(dump("first-sync"))["nat", "KUBE-SERVICES"][-1].endswith("--dst-type LOCAL -j KUBE-NODEPORTS")
