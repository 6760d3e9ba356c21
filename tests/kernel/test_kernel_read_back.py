"""Rules that are loaded into a kernel are taken, and read back as they were written, or as kube-proxy left them."""

from collections.abc import Iterator

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, PodTraffic
from pykubeproxy.rules.ruleset import Ruleset, render
from tests.builders import cidr, ip, options, port, service, slice_of, snapshot
from tests.clusters import deep_cluster
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, canonical, examples, host_addresses, rendered, sorted_dispatch
from tests.kernel.machine import Kind, Machine, machine, why_no_machine


@pytest.fixture(name="shared", scope="module")
def fixture_shared() -> Iterator[Machine]:
    if lack := why_no_machine():
        pytest.skip(lack)
    with machine() as shared:
        yield shared


@pytest.mark.parametrize("example", examples(GOLDEN), ids=str)
def test_rendered_rules_are_read_back_as_measured(shared: Machine, kind: Kind, example: Example) -> None:
    documents = rendered(example, "--dispatch", "linear", *host_addresses(GOLDEN_NODE))
    shared.clear(kind)
    shared.load(kind, documents[kind.family.lower()])
    assert canonical(sorted_dispatch(shared.dump(kind))) == canonical(example.saved(kind.family.lower()))


def check(its: Machine, kind: Kind, ruleset: Ruleset) -> None:
    its.load(kind, "".join(f"{line}\n" for line in render(ruleset)))
    live = its.rules(kind)
    for table, content in ruleset.tables.items():
        for chain, lines in content.chains.items():
            assert live.lines(table, chain) == lines


def test_the_deepest_tree(machine: Machine, kind: Kind) -> None:
    check(machine, kind, compile_ruleset(snapshot(*deep_cluster(kind.family)), options(kind.family)))
    # There is room for a jump from another chain to the tree.
    machine.iptables(kind, "-t", "nat", "-N", "CNI-FIRST")
    machine.iptables(kind, "-t", "nat", "-A", "CNI-FIRST", "-j", "KUBE-SERVICES")
    machine.iptables(kind, "-t", "nat", "-A", "PREROUTING", "-j", "CNI-FIRST")


EVERYTHING = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}
NODE = {Family.IPV4: "192.168.0.2", Family.IPV6: "::1:2"}


def odd(family: Family) -> list[Object]:
    """Services with addresses that tools print in a form of their own; IPv6 ones look like IPv4, or nearly so."""
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
def test_odd_addresses(machine: Machine, kind: Kind, dispatch: Dispatch) -> None:
    its = options(
        kind.family,
        dispatch=dispatch,
        pod_traffic=PodTraffic(source=EVERYTHING[kind.family]),
        node_ip=ip(NODE[kind.family]),
        node_port_addresses=(NODE[kind.family],),
    )
    check(machine, kind, compile_ruleset(snapshot(*odd(kind.family)), its))
