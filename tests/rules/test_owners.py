"""Whose a rule or chain is, told from the rules."""

import pytest

from pykubeproxy.model.service import ServiceType
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import service_hash
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.owners import Owners
from pykubeproxy.rules.reading import title_of
from pykubeproxy.rules.ruleset import Ruleset, Table
from tests.builders import NODE, at, options, port, service, slice_of, snapshot


# From 1001 endpoints on, the rules of endpoints have no comments.
@pytest.mark.parametrize("number", [2, 300, 1001])
@pytest.mark.parametrize("dispatch", Dispatch)
def test_every_chain_of_a_service_has_its_name_and_endpoints(dispatch: Dispatch, number: int) -> None:
    addresses = [f"10.0.{index // 250}.{index % 250 + 1}" for index in range(number)]
    web = service(type=ServiceType.NODE_PORT, ports=(port(node_port=30080),), external_traffic_local=True)
    cluster = snapshot(web, slice_of("ns1/svc1", *(at(address, NODE) for address in addresses)))
    ruleset = compile_ruleset(cluster, options(dispatch=dispatch))
    owners, own = Owners(ruleset), sorted(chain for chain in ruleset.tables["nat"].chains if service_hash(chain))
    assert {owners.title(chain) for chain in own} == {"ns1/svc1:p80"}
    for prefix in ("KUBE-SVC-", "KUBE-SVL-"):
        policy, *groups = (chain for chain in own if chain.startswith(prefix))
        assert sorted(owners.endpoints(policy)) == sorted(f"{address}:80" for address in addresses)
        assert bool(groups) is (dispatch is Dispatch.TREE and number > 2)
        assert sum(len(owners.endpoints(group)) for group in groups) == (number if groups else 0)


def test_an_endpoint_without_comments_belongs_to_what_leads_there() -> None:
    ruleset = compile_ruleset(snapshot(service(), slice_of("ns1/svc1", "10.0.1.1")), options())
    chains = ruleset.tables["nat"].chains
    endpoint = next(chain for chain in chains if chain.startswith("KUBE-SEP-"))
    chains[endpoint] = tuple(line.replace(' -m comment --comment "ns1/svc1:p80"', "") for line in chains[endpoint])
    assert title_of("".join(chains[endpoint])) == ""
    assert Owners(ruleset).title(endpoint) == "ns1/svc1:p80"


def test_a_chain_that_does_not_exist_is_nobodys() -> None:
    assert Owners(Ruleset()).title("KUBE-SEP-AAAAAAAAAAAAAAAA") == ""
    lost = Ruleset(tables={"nat": Table(chains={"KUBE-SVC-AAAAAAAAAAAAAAAA": ("-A X -j KUBE-SEP-AAAAAAAAAAAAAAAA",)})})
    assert Owners(lost).title("KUBE-SEP-AAAAAAAAAAAAAAAA") == ""
