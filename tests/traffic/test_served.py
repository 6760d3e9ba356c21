"""Whose endpoint chains are whose, told from rules alone: the objects that the rules were made from say the same."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given

from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.service import Service
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.reading import chain_of
from pykubeproxy.rules.ruleset import Ruleset, Table
from pykubeproxy.traffic.connections import chain_owners, rule_owners
from pykubeproxy.traffic.served import Served
from tests.builders import options, service, slice_of, snapshot
from tests.corpus import GOLDEN
from tests.strategies import clusters, rule_options

_OF_ENDPOINT = re.compile(r'-m comment --comment "[^"]*(?: -> [^"]*)?" ')


def without_comments_of_endpoints(ruleset: Ruleset) -> Ruleset:
    """As in a large cluster: rules that lead to endpoints, or are theirs, have no comments."""
    chains = {
        chain: tuple(
            _OF_ENDPOINT.sub("", line) if "KUBE-SEP-" in line or " -> one of " in line else line for line in lines
        )
        for chain, lines in ruleset.tables["nat"].chains.items()
    }
    return Ruleset(tables={"nat": Table(chains=chains)})


FORMS: list[Callable[[Ruleset], Ruleset]] = [Ruleset.copy, without_comments_of_endpoints]


@pytest.mark.parametrize("form", FORMS)
@given(clusters, rule_options())
def test_agrees_with_the_objects_and_shares_make_a_whole(
    form: Callable[[Ruleset], Ruleset], objects: list[Service | EndpointSlice], its: RuleOptions
) -> None:
    cluster = snapshot(*objects)
    ruleset = compile_ruleset(cluster, its)
    served, owners = Served(form(ruleset)), dict(chain_owners(cluster, its))
    chains = {chain for chain in ruleset.tables["nat"].chains if chain.startswith("KUBE-SEP-")}
    assert {chain_of(rule): owner for rule, owner in rule_owners(cluster, its, ruleset)} == {
        chain: owners[chain] for chain in chains
    }
    for chain in chains:
        port, owner = served.ports[served.owner(chain)], owners[chain]
        title = f"{owner.namespace}/{owner.service}{':' if owner.port else ''}{owner.port}"
        assert (port.title, port.namespace, served.target(chain)[0]) == (title, owner.namespace, owner.protocol)
    assert {chain for port in served.ports.values() for chain in port.endpoint_chains} == chains
    for port in served.ports.values():
        expected = [port.expected(chain) for chain in port.endpoint_chains]
        assert abs(sum(share for share in expected if share is not None) - 1) < 1e-9


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize("count", [1, 3, 500])
def test_groups_of_endpoints_are_seen_through(
    count: int, dispatch: Dispatch, form: Callable[[Ruleset], Ruleset]
) -> None:
    addresses = [f"10.0.{number // 200}.{number % 200 + 1}" for number in range(count)]
    cluster = snapshot(service("ns/web"), slice_of("ns/web", *addresses))
    served = Served(form(compile_ruleset(cluster, options(dispatch=dispatch))))
    (port,) = served.ports.values()
    assert port.title == "ns/web:p80"
    assert len(port.endpoint_chains) == count
    assert {port.expected(chain) for chain in port.endpoint_chains} == {1 / count}


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("nodeport-local", {"10.244.0.11": 1 / 3, "10.244.1.12": 1 / 3, "10.244.2.13": 1 / 3}),
        ("both-policies-local", {"10.244.0.11": 1.0, "10.244.1.12": None, "10.244.2.13": None}),
        # The cluster IP is refused there.
        ("internal-local-external-cluster", {"10.244.1.12": 0.5, "10.244.2.13": 0.5}),
    ],
)
def test_the_cluster_ip_decides_what_is_expected(example: str, expected: dict[str, float | None]) -> None:
    served = Served(parse((GOLDEN / example / "ipv4.save").read_text().splitlines()))
    (port,) = served.ports.values()
    shares = {served.target(chain)[1]: port.expected(chain) for chain in port.endpoint_chains}
    assert shares == {f"{address}:8080": share for address, share in expected.items()}


def test_foreign_rules_are_nobodys() -> None:
    dump = "*nat\n:DOCKER - [0:0]\n-A DOCKER -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n"
    assert Served(parse(dump.splitlines())).ports == Served(Ruleset(tables={})).ports == {}
    assert Served(Ruleset(tables={})).owner("KUBE-SEP-A") == ""
