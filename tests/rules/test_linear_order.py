"""The order of rules in linear dispatch: docs/reference/iptables-rules.md section 16."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.endpoint import PortKey
from pykubeproxy.model.service import ServiceType, service_ports
from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.rules.compile import Compiler, compile_ruleset
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.reading import read
from pykubeproxy.rules.ruleset import Lines
from tests.builders import compiled_port, ip, options, port, service, slice_of, snapshot
from tests.strategies import clusters, rule_options

LINEAR = options(dispatch=Dispatch.LINEAR)


def load_balancer(name: str, cluster_ip: str, *external_ips: str, node_port: int = 3001) -> Object:
    return service(
        name,
        cluster_ip,
        type=ServiceType.LOAD_BALANCER,
        ports=(port(node_port=node_port),),
        external_traffic_local=True,
        external_ips=tuple(map(ip, external_ips)),
        load_balancer_ips=(ip("1.2.3.4"), ip("1.2.3.3")),
    )


def places(lines: Lines) -> list[str]:
    """(Service, destination) of rules for one port."""
    return [
        f"{line.partition('--comment ')[2].split()[0].strip(chr(34))} {line.split()[3] if ' -d ' in line else 'node'}"
        for line in lines
        if "must be the last rule" not in line
    ]


CLUSTER = snapshot(
    load_balancer("ns2/svc2", "172.30.0.42", "192.168.99.22", "192.168.99.21"),
    slice_of("ns2/svc2", "10.180.0.2"),
    load_balancer("ns1/svc1", "172.30.0.43", node_port=3002),
    slice_of("ns1/svc1", "10.180.0.1"),
)


@pytest.mark.parametrize(
    ("dispatch_chain", "expected"),
    [
        (
            DispatchChain.NAT_SERVICES,
            [
                *(f"ns1/svc1:p80 {address}/32" for address in ("172.30.0.43", "1.2.3.4", "1.2.3.3")),
                *(
                    f"ns2/svc2:p80 {address}/32"
                    for address in ("172.30.0.42", "192.168.99.22", "192.168.99.21", "1.2.3.4", "1.2.3.3")
                ),
            ],
        ),
        (
            DispatchChain.FILTER_EXTERNAL,
            [
                *(f"ns1/svc1:p80 {address}/32" for address in ("1.2.3.4", "1.2.3.3")),
                *(f"ns2/svc2:p80 {address}/32" for address in ("192.168.99.22", "192.168.99.21", "1.2.3.4", "1.2.3.3")),
                "ns1/svc1:p80 node",
                "ns2/svc2:p80 node",
            ],
        ),
    ],
)
def test_service_ports_by_name_and_the_rules_of_each_in_kube_proxys_order(
    dispatch_chain: DispatchChain, expected: list[str]
) -> None:
    lines = compile_ruleset(CLUSTER, LINEAR).lines(dispatch_chain.table, dispatch_chain.chain)
    assert lines is not None
    assert places(lines) == expected


def dispatch_rules(cluster: Snapshot, its: RuleOptions) -> Iterator[DispatchRule]:
    """What each ServicePort has to say, by itself."""
    for key, known in cluster.services.items():
        endpoints = cluster.endpoints(key, its.family, its.node_name)
        for each in service_ports(known, its.family):
            yield from compiled_port(each, endpoints.get(PortKey(each.name, each.protocol), ()), its).dispatch_rules


def of_service_ports(rules: list[str]) -> dict[tuple[str, str], list[str]]:
    """Rules by their ServicePort, of which two may differ in nothing but the protocol."""
    found: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        view = read(f"-A X {rule}")
        found.setdefault((view.title, view.protocol), []).append(rule)
    return found


@given(clusters, rule_options(st.just(Dispatch.LINEAR)))
def test_no_order_within_a_service_port_but_its_own(objects: list[Object], its: RuleOptions) -> None:
    cluster = snapshot(*objects)
    compiler = Compiler(its)
    compiler.update(cluster, cluster.services)
    told = list(dispatch_rules(cluster, its))
    for dispatch_chain in DispatchChain:
        lines = compiler.ruleset.lines(dispatch_chain.table, dispatch_chain.chain) or ()
        rules = [
            line.removeprefix(f"-A {dispatch_chain.chain} ") for line in lines if "must be the last rule" not in line
        ]
        assert of_service_ports(rules) == of_service_ports(
            [f"{rule.match} -j {rule.target}" for rule in told if rule.dispatch_chain is dispatch_chain]
        )
