"""How many rules there are: docs/reference/test-scenarios.md section 5, docs/reference/iptables-rules.md section 18.

Those are of a kernel with nfacct, in which each node port with endpoints has a rule more, that counts.
"""

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import FIXED_CHAINS, is_stale_candidate
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import Table
from tests.builders import cidr, ip, options, port, service, slice_of, slice_port, snapshot


def own_rules(table: str, content: Table) -> int:
    """The rules outside the built-in chains."""
    owned = (c for c in content.chains if c in FIXED_CHAINS[table] or is_stale_candidate(table, c))
    return sum(len(content.chains[chain]) for chain in owned)


def counts(objects: list[Object], its: RuleOptions) -> tuple[int, int]:
    tables = compile_ruleset(snapshot(*objects), its).tables
    return own_rules("filter", tables["filter"]), own_rules("nat", tables["nat"])


def many(kind: ServiceType, services: int, endpoints: int) -> list[Object]:
    objects: list[Object] = []
    for i in range(services):
        name, address = f"ns{i}/svc{i}", f"10.1.{i}.1"
        if kind is ServiceType.LOAD_BALANCER:
            spec = port(f"p{i}", 80 + i, 30000 + i)
            outside = (ip("1.2.3.4"),)
            ranges = (cidr("1.2.3.4/28"),)
            objects.append(
                service(
                    name,
                    address,
                    type=kind,
                    ports=(spec,),
                    external_ips=outside,
                    load_balancer_ips=outside,
                    source_ranges=ranges,
                )
            )
        else:
            objects.append(service(name, address, ports=(port(f"p{i}", 80 + i),)))
        addresses = [f"10.0.{i}.{j}" for j in range(1, endpoints + 1)]
        objects.append(slice_of(name, *addresses, ports=(slice_port(f"p{i}", 8080),)))
    return objects


@pytest.mark.parametrize(
    ("kind", "services", "endpoints", "filter_rules", "nat_rules"),
    [
        (ServiceType.CLUSTER_IP, 0, 0, 4, 5),
        (ServiceType.CLUSTER_IP, 1, 0, 5, 5),
        (ServiceType.CLUSTER_IP, 1, 1, 4, 10),
        (ServiceType.CLUSTER_IP, 1, 2, 4, 13),
        (ServiceType.CLUSTER_IP, 1, 10, 4, 37),
        (ServiceType.CLUSTER_IP, 10, 0, 14, 5),
        (ServiceType.CLUSTER_IP, 10, 1, 4, 55),
        (ServiceType.CLUSTER_IP, 10, 2, 4, 85),
        (ServiceType.CLUSTER_IP, 10, 10, 4, 325),
        (ServiceType.LOAD_BALANCER, 0, 0, 4, 5),
        (ServiceType.LOAD_BALANCER, 1, 0, 8, 5),
        (ServiceType.LOAD_BALANCER, 1, 1, 5, 18),
        (ServiceType.LOAD_BALANCER, 1, 2, 5, 21),
        (ServiceType.LOAD_BALANCER, 1, 10, 5, 45),
        (ServiceType.LOAD_BALANCER, 10, 0, 44, 5),
        (ServiceType.LOAD_BALANCER, 10, 1, 14, 135),
        (ServiceType.LOAD_BALANCER, 10, 2, 14, 165),
        (ServiceType.LOAD_BALANCER, 10, 10, 14, 405),
    ],
)
def test_number_of_rules(kind: ServiceType, services: int, endpoints: int, filter_rules: int, nat_rules: int) -> None:
    objects = many(kind, services, endpoints)
    assert counts(objects, options(counts_localhost=True)) == (filter_rules, nat_rules)
    counting = services if kind is ServiceType.LOAD_BALANCER and endpoints else 0
    assert counts(objects, options()) == (filter_rules, nat_rules - counting)


def test_ipv6_has_no_rule_in_the_firewall_chain() -> None:
    assert counts([], options(Family.IPV6)) == (3, 5)


@pytest.mark.parametrize("endpoints", [1, 2, 7])
def test_per_endpoint(endpoints: int) -> None:
    objects = many(ServiceType.CLUSTER_IP, 1, endpoints)
    assert counts(objects, options())[1] == 5 + 2 + 3 * endpoints
    assert counts(objects, options(pod_traffic=None))[1] == 5 + 1 + 3 * endpoints
