"""Rules with addresses that the tools print in a form of their own, or not at all."""

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, PodTraffic
from pykubeproxy.rules.ruleset import render
from tests.builders import cidr, ip, options, port, service, slice_of, snapshot
from tests.kernel.machine import Kind, Machine

EVERYTHING = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}
NODE = {Family.IPV4: "192.168.0.2", Family.IPV6: "::1:2"}


def odd(family: Family) -> list[Object]:
    """Services with load balancers, external IPs and source ranges; IPv6 ones look like IPv4, or nearly so."""
    if family is Family.IPV4:
        ranges, addresses, endpoint = ["10.0.0.0/8"], [f"10.96.0.{number}" for number in range(1, 40)], "10.0.9.1"
    else:
        ranges = ["::1.2.3.0/120", "::/96", "::1:0/127", "::/100", "2000::/3"]
        addresses = ["::1:5", "::5", "::1.2.3.4", "::ffff:0:1.2.3.4", "64:ff9b::1.2.3.4", "2001:0:0:1::", "::1:0"]
        addresses += [f"::{number:x}:{number:x}" for number in range(2, 40)]
        endpoint = "::2:7"
    objects: list[Object] = []
    for number, address in enumerate(addresses):
        its = service(
            f"ns/s{number}",
            ip(address).text,
            ports=(port(node_port=30000 + number),),
            type=ServiceType.LOAD_BALANCER,
            external_traffic_local=bool(number % 2),
            external_ips=(ip(address),),
            load_balancer_ips=(ip(address),),
            source_ranges=tuple(map(cidr, ranges)),
        )
        objects += [its, slice_of(its.key.namespace + "/" + its.key.name, ip(endpoint).text)]
    return objects


@pytest.mark.parametrize("dispatch", Dispatch)
def test_they_are_taken_and_printed_back(machine: Machine, kind: Kind, dispatch: Dispatch) -> None:
    its = options(
        kind.family,
        dispatch=dispatch,
        pod_traffic=PodTraffic(source=EVERYTHING[kind.family]),
        node_ip=ip(NODE[kind.family]),
        node_port_addresses=(NODE[kind.family],),
    )
    ruleset = compile_ruleset(snapshot(*odd(kind.family)), its)
    machine.load(kind, "".join(f"{line}\n" for line in render(ruleset)))
    live = machine.rules(kind)
    for table, content in ruleset.tables.items():
        for chain, lines in content.chains.items():
            assert live.lines(table, chain) == lines


@pytest.mark.parametrize(("source", "printed"), [("::1:0/112", "::0.1.0.0/112"), ("::/80", "::/80")])
def test_pods_of_a_network_that_looks_like_ipv4(machine: Machine, kind6: Kind, source: str, printed: str) -> None:
    ruleset = compile_ruleset(
        snapshot(*odd(kind6.family)), options(kind6.family, pod_traffic=PodTraffic(source=source))
    )
    machine.load(kind6, "".join(f"{line}\n" for line in render(ruleset)))
    nat = ruleset.tables["nat"].chains
    assert {chain: machine.rules(kind6).lines("nat", chain) for chain in nat} == nat
    assert any(f"! -s {printed} " in line for lines in nat.values() for line in lines)
