"""What the rules do at a Service's address with ports that no Service has there, if such ports are to be refused."""

import pytest
from msgspec.structs import replace

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object, identify
from pykubeproxy.netfilter import Packet, Tracer, Verdict
from pykubeproxy.rules import tree, trie
from pykubeproxy.rules.compile import Compiler, compile_ruleset
from pykubeproxy.rules.options import Dispatch, RejectUnused, RuleOptions
from pykubeproxy.rules.ruleset import Ruleset, render
from pykubeproxy.rules.text import RuleKind
from tests.builders import NODE_IPS, at, ip, options, port, service, slice_of, snapshot
from tests.packets import CLIENTS, ENVIRONMENT, Client, Destination, Walk

REFUSED = (Verdict.REJECT, None, False)
SHARED = "192.0.2.1"
ADDRESSES = {Family.IPV4: "10.96.0.1", Family.IPV6: "fd00:96::1"}
PODS = {Family.IPV4: "10.0.0.7", Family.IPV6: "fd00:10::7"}


def refusing(family: Family = Family.IPV4, where: RejectUnused = RejectUnused.ALL) -> RuleOptions:
    return options(family, dispatch=Dispatch.TREE, reject_unused=where)


def is_refused(ruleset: Ruleset, address: str, number: int, client: Client, protocol: str = "tcp") -> bool:
    fate = Walk(ruleset).fate(Destination(address, protocol, number), client)
    return {each[:3] for each in fate} == {REFUSED}


def rules_for_unused_ports(ruleset: Ruleset) -> list[str]:
    return [line.split(" ", 2)[2] for line in render(ruleset) if RuleKind.UNUSED_PORTS in line]


def balanced(name: str, cluster_ip: str, number: int, *addresses: str) -> list[Object]:
    its = {"type": ServiceType.LOAD_BALANCER, "load_balancer_ips": tuple(map(ip, addresses))}
    return [service(name, cluster_ip, ports=(port(number=number),), **its), slice_of(name, PODS[Family.IPV4])]


@pytest.fixture(name="_small_parts", params=[False, True])
def fixture_small_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with leaves so small that there are chains for one address, and for ranges of its ports."""
    if request.param:
        monkeypatch.setattr(trie, "LEAF_SIZE", 2)
        monkeypatch.setattr(tree, "_INLINE", 0)


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("where", [RejectUnused.CLUSTER_IPS, RejectUnused.ALL])
@pytest.mark.parametrize("family", Family)
def test_only_the_unused_ports_of_a_cluster_ip_are_refused(family: Family, where: RejectUnused) -> None:
    address = ADDRESSES[family]
    ports = tuple(port(f"p{number}", number) for number in range(80, 100))
    cluster = snapshot(service("ns/a", address, ports=ports), slice_of("ns/a", PODS[family]))
    ruleset = compile_ruleset(cluster, refusing(family, where))
    icmp, answer = ("icmp", "icmp") if family is Family.IPV4 else ("ipv6-icmp", "icmp6")
    comment = f'-m comment --comment "{RuleKind.UNUSED_PORTS}"'
    rule = f"-d {address}/{family.bits} ! -p {icmp} {comment} -j REJECT --reject-with {answer}-port-unreachable"
    assert rules_for_unused_ports(ruleset) == [rule]
    for client in CLIENTS[family]:
        assert is_refused(ruleset, address, 79, client)
        assert is_refused(ruleset, address, 80, client, "udp")
        assert not is_refused(ruleset, address, 80, client)
        assert not is_refused(ruleset, str(ip(address).text[:-1] + "2"), 79, client)


def test_a_port_that_is_dropped_is_still_dropped() -> None:
    """A load balancer that asks several nodes must not be told that nobody serves it."""
    cluster = snapshot(
        service("ns/a", "10.96.0.1", internal_traffic_local=True), slice_of("ns/a", at("10.0.0.7", "another-node"))
    )
    fate = Walk(compile_ruleset(cluster, refusing())).fate(Destination("10.96.0.1", "tcp", 80), CLIENTS[Family.IPV4][0])
    assert {each[0] for each in fate} == {Verdict.DROP}


def test_an_address_that_services_share_has_one_rule_until_the_last_is_gone() -> None:
    sharing = {f"ns/s{number}": balanced(f"ns/s{number}", f"10.96.0.{number}", number, SHARED) for number in (1, 2, 3)}
    known = snapshot(*(each for its in sharing.values() for each in its))
    compiler = Compiler(refusing())
    compiler.update(known, known.services)
    for key in tuple(known.services):
        rules = [line for line in rules_for_unused_ports(compiler.ruleset) if SHARED in line]
        assert len(rules) == 1
        assert is_refused(compiler.ruleset, SHARED, 443, CLIENTS[Family.IPV4][0])
        known.remove(identify(known.services[key]))
        compiler.update(known, [key])
    assert rules_for_unused_ports(compiler.ruleset) == []


def test_load_balancer_addresses_only_if_asked_for_and_never_external_ips() -> None:
    """Nor are they refused to processes of the node: the API server may be at such an address."""
    its = service("ns/b", "10.96.0.2", external_ips=(ip("192.0.2.9"),))
    cluster = snapshot(*balanced("ns/a", "10.96.0.1", 80, SHARED), its, slice_of("ns/b", "10.0.0.7"))
    _, process, stranger = CLIENTS[Family.IPV4]
    for where in RejectUnused:
        ruleset = compile_ruleset(cluster, refusing(where=where))
        assert is_refused(ruleset, SHARED, 443, stranger) == (where is RejectUnused.ALL)
        assert not is_refused(ruleset, "192.0.2.9", 443, stranger)
        assert not is_refused(ruleset, SHARED, 6443, process)


@pytest.mark.parametrize("client", CLIENTS[Family.IPV4])
def test_the_nodes_own_ports_are_never_refused(client: Client) -> None:
    """k3s gives Services the addresses of nodes as those of a load balancer."""
    node = NODE_IPS[Family.IPV4]
    ruleset = compile_ruleset(snapshot(*balanced("ns/a", "10.96.0.1", 80, node)), refusing())
    assert not is_refused(ruleset, node, 22, client)


@pytest.mark.parametrize("family", Family)
def test_a_ping_is_left_alone(family: Family) -> None:
    cluster = snapshot(service("ns/a", ADDRESSES[family]), slice_of("ns/a", PODS[family]))
    client = CLIENTS[family][0]
    ping = Packet(
        source=ip(client.address),
        destination=ip(ADDRESSES[family]),
        protocol="icmp" if family is Family.IPV4 else "icmpv6",
        source_port=None,
        destination_port=None,
        in_interface=client.interface,
    )
    found = Tracer(compile_ruleset(cluster, refusing(family)), ENVIRONMENT).trace(ping)
    assert [outcome.verdict for outcome in found.outcomes] == [Verdict.ACCEPT]


def test_no_such_rules_with_linear_dispatch() -> None:
    cluster = snapshot(*balanced("ns/a", "10.96.0.1", 80, SHARED))
    linear = replace(refusing(), dispatch=Dispatch.LINEAR)
    assert compile_ruleset(cluster, linear) == compile_ruleset(cluster, options())
