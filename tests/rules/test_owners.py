"""Whose a rule or chain is, told from the rules."""

import pytest

from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import service_hash
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.owners import Owners
from pykubeproxy.rules.reading import title_of
from pykubeproxy.rules.ruleset import Ruleset, Table
from tests.builders import NODE, at, options, port, service, slice_of, snapshot


def compiled(*objects: Object) -> Ruleset:
    return compile_ruleset(snapshot(*objects), options())


def test_every_chain_of_a_service_has_its_name_and_endpoints() -> None:
    ruleset = compiled(service(), slice_of("ns1/svc1", "10.0.1.1", "10.0.1.2"))
    owners = Owners(ruleset)
    own = [chain for chain in ruleset.tables["nat"].chains if chain.startswith(("KUBE-SVC-", "KUBE-SEP-"))]
    assert {owners.title(chain) for chain in own} == {"ns1/svc1:p80"}
    policy = next(chain for chain in own if chain.startswith("KUBE-SVC-"))
    assert owners.endpoints(policy) == ("10.0.1.1:80", "10.0.1.2:80")


def test_an_endpoint_without_comments_belongs_to_what_leads_there() -> None:
    ruleset = compiled(service(), slice_of("ns1/svc1", "10.0.1.1"))
    chains = ruleset.tables["nat"].chains
    endpoint = next(chain for chain in chains if chain.startswith("KUBE-SEP-"))
    chains[endpoint] = tuple(line.replace(' -m comment --comment "ns1/svc1:p80"', "") for line in chains[endpoint])
    assert title_of("".join(chains[endpoint])) == ""
    assert Owners(ruleset).title(endpoint) == "ns1/svc1:p80"


def test_groups_of_endpoints_are_seen_through() -> None:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(300)]
    objects = snapshot(service(), slice_of("ns1/svc1", *addresses))
    chains = compile_ruleset(objects, options(dispatch=Dispatch.TREE)).tables["nat"].chains
    policy, *groups = sorted(chain for chain in chains if chain.startswith("KUBE-SVC-") and service_hash(chain))
    assert len(groups) > 1
    owners = Owners(Ruleset(tables={"nat": Table(chains=chains)}))
    assert sum(len(owners.endpoints(group)) for group in groups) == 300
    assert len(owners.endpoints(policy)) == 300


@pytest.mark.parametrize("dispatch", Dispatch)
def test_where_rules_have_no_comments_every_chain_still_has_an_owner(dispatch: Dispatch) -> None:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(1001)]
    local = service(type=ServiceType.NODE_PORT, ports=(port(node_port=30080),), external_traffic_local=True)
    objects = snapshot(local, slice_of("ns1/svc1", *(at(address, NODE) for address in addresses)))
    ruleset = compile_ruleset(objects, options(dispatch=dispatch))
    owners = Owners(ruleset)
    own = [chain for chain in ruleset.tables["nat"].chains if service_hash(chain)]
    assert any(chain.startswith("KUBE-SVL-") for chain in own)
    assert {owners.title(chain) for chain in own} == {"ns1/svc1:p80"}


def test_a_chain_that_does_not_exist_is_nobodys() -> None:
    assert Owners(Ruleset()).title("KUBE-SEP-AAAAAAAAAAAAAAAA") == ""
