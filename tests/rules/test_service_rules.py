"""The rules of a ServicePort, one option or policy at a time: docs/reference/iptables-rules.md sections 6 to 8, 11 and
14."""

import re
from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import PodTraffic, RuleOptions
from pykubeproxy.rules.ruleset import Lines
from tests.builders import NODE, at, cidr, ip, options, port, service, slice_of, slice_port, snapshot

HASH = "XPGD46QRK7WJZT7O"
SVC, SVL, EXT, FW = (f"KUBE-{kind}-{HASH}" for kind in ("SVC", "SVL", "EXT", "FW"))
LOCAL, REMOTE = at("10.180.0.1", NODE), at("10.180.0.2", "other")

Chains = dict[str, Lines]


def nat(objects: list[Object], its: RuleOptions | None = None) -> Chains:
    return compile_ruleset(snapshot(*objects), its or options()).tables["nat"].chains


def filtered(objects: list[Object], its: RuleOptions | None = None) -> Chains:
    return compile_ruleset(snapshot(*objects), its or options()).tables["filter"].chains


def words(lines: Lines) -> list[str]:
    """Rules without `-A CHAIN` and without their comments."""
    return [re.sub(r'-m comment --comment "[^"]*" ?', "", line.split(" ", 2)[2]) for line in lines]


def with_ports(**fields: Any) -> list[Object]:
    """A NodePort Service with one local and one remote endpoint."""
    its = service(type=ServiceType.NODE_PORT, ports=(port(node_port=3001),), **fields)
    return [its, slice_of("ns1/svc1", LOCAL, REMOTE)]


MASQUERADE_ALL = "-d 172.30.0.41/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ"


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({}, f"! -s 10.0.0.0/8 {MASQUERADE_ALL}"),
        ({"pod_traffic": PodTraffic(interface="cbr0")}, MASQUERADE_ALL.replace(" -p", " ! -i cbr0 -p")),
        ({"pod_traffic": PodTraffic(interface="veth+")}, MASQUERADE_ALL.replace(" -p", " ! -i veth+ -p")),
        ({"masquerade_all": True}, MASQUERADE_ALL),
        ({"masquerade_all": True, "pod_traffic": None}, MASQUERADE_ALL),
        ({"pod_traffic": None}, None),
        ({"pod_traffic": PodTraffic(source="0.0.0.0/0")}, None),
        ({"pod_traffic": PodTraffic(source="0.0.0.0/0"), "masquerade_all": True}, MASQUERADE_ALL),
    ],
)
@pytest.mark.parametrize(("internal", "chain"), [(False, SVC), (True, SVL)])
def test_masquerading_of_cluster_ip_traffic(
    fields: dict[str, Any], first: str | None, *, internal: bool, chain: str
) -> None:
    chains = nat(with_ports(internal_traffic_local=internal), options(**fields))
    masquerades = [rule for rule in words(chains[chain]) if rule.endswith("-j KUBE-MARK-MASQ")]
    assert masquerades == ([first] if first else [])
    assert words(chains[chain])[: len(masquerades)] == masquerades
    other = SVC if internal else SVL
    assert not any("KUBE-MARK-MASQ" in line for line in chains.get(other, ()))


def test_external_policy_cluster_masquerades_everything() -> None:
    assert words(nat(with_ports())[EXT]) == ["-j KUBE-MARK-MASQ", f"-j {SVC}"]


def test_external_policy_local_keeps_the_client() -> None:
    assert words(nat(with_ports(external_traffic_local=True))[EXT]) == [
        f"-s 10.0.0.0/8 -j {SVC}",
        "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ",
        f"-m addrtype --src-type LOCAL -j {SVC}",
        f"-j {SVL}",
    ]


def test_without_a_local_detector_pods_have_no_short_cut() -> None:
    chains = nat(with_ports(external_traffic_local=True), options(pod_traffic=None, masquerade_all=True))
    assert words(chains[EXT])[0] == "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"


LOCAL_MATRIX = [
    # internal, external, local endpoints -> cluster IP leads to, EXT ends in, what is dropped
    (False, False, True, SVC, SVC, []),
    (False, True, True, SVC, SVL, []),
    (False, True, False, SVC, None, ["EXTERNAL-SERVICES"]),
    (True, False, True, SVL, SVC, []),
    (True, False, False, None, SVC, ["SERVICES"]),
    (True, True, True, SVL, SVL, []),
    (True, True, False, None, None, ["EXTERNAL-SERVICES", "SERVICES"]),
]


@pytest.mark.parametrize(("internal", "external", "local", "cluster_ip", "tail", "dropped"), LOCAL_MATRIX)
def test_what_goes_where(
    *, internal: bool, external: bool, local: bool, cluster_ip: str | None, tail: str | None, dropped: list[str]
) -> None:
    """The table at the end of docs/reference/iptables-rules.md section 7."""
    its = service(
        type=ServiceType.NODE_PORT,
        ports=(port(node_port=3001),),
        internal_traffic_local=internal,
        external_traffic_local=external,
    )
    objects: list[Object] = [its, slice_of("ns1/svc1", REMOTE, *([LOCAL] if local else []))]
    chains = nat(objects)
    to_cluster_ip = [rule for rule in words(chains["KUBE-SERVICES"]) if rule.startswith("-d 172.30.0.41/32")]
    expected = f"-d 172.30.0.41/32 -p tcp -m tcp --dport 80 -j {cluster_ip}"
    assert to_cluster_ip == ([expected] if cluster_ip else [])
    last = words(chains[EXT])[-1]
    assert (last == f"-j {tail}") if tail else last.startswith("-m addrtype --src-type LOCAL")
    dispatch_chains = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")
    refused = {chain: lines for chain in dispatch_chains if (lines := filtered(objects)[chain])}
    assert sorted(refused) == [f"KUBE-{chain}" for chain in dropped]
    assert all(line.endswith(" -j DROP") and "has no local endpoints" in line for line in sum(refused.values(), ()))


EVERYTHING: dict[str, Any] = {
    "type": ServiceType.LOAD_BALANCER,
    "ports": (port(node_port=3001),),
    "external_ips": (ip("192.168.99.22"),),
    "load_balancer_ips": (ip("1.2.3.4"), ip("1.2.3.5")),
}


def test_nobody_anywhere_is_told_at_once() -> None:
    chains = filtered([service(**EVERYTHING, source_ranges=(cidr("10.0.0.0/8"),))])
    answer = "-j REJECT --reject-with icmp-port-unreachable"
    assert words(chains["KUBE-SERVICES"]) == [f"-d 172.30.0.41/32 -p tcp -m tcp --dport 80 {answer}"]
    assert words(chains["KUBE-EXTERNAL-SERVICES"]) == [
        f"-d 192.168.99.22/32 -p tcp -m tcp --dport 80 {answer}",
        f"-d 1.2.3.4/32 -p tcp -m tcp --dport 80 {answer}",
        f"-d 1.2.3.5/32 -p tcp -m tcp --dport 80 {answer}",
        f"-p tcp -m addrtype --dst-type LOCAL -m tcp --dport 3001 {answer}",
    ]
    assert all('"ns1/svc1:p80 has no endpoints"' in line for line in chains["KUBE-EXTERNAL-SERVICES"])
    assert chains["KUBE-PROXY-FIREWALL"] == ()


def test_no_endpoint_no_chain() -> None:
    chains = nat([service(**EVERYTHING, source_ranges=(cidr("10.0.0.0/8"),))])
    assert [chain for chain in chains if HASH in chain] == []
    assert chains["KUBE-NODEPORTS"] == ()


def test_ipv6_answers_in_its_own_words() -> None:
    chains = filtered([service(cluster_ip="fd00::41")], options(Family.IPV6))
    assert words(chains["KUBE-SERVICES"]) == [
        "-d fd00::41/128 -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp6-port-unreachable"
    ]


def test_every_door_leads_to_the_external_chain() -> None:
    chains = nat([service(**EVERYTHING), slice_of("ns1/svc1", REMOTE)])
    assert words(chains["KUBE-SERVICES"])[:-1] == [
        f"-d 172.30.0.41/32 -p tcp -m tcp --dport 80 -j {SVC}",
        f"-d 192.168.99.22/32 -p tcp -m tcp --dport 80 -j {EXT}",
        f"-d 1.2.3.4/32 -p tcp -m tcp --dport 80 -j {EXT}",
        f"-d 1.2.3.5/32 -p tcp -m tcp --dport 80 -j {EXT}",
    ]
    assert words(chains["KUBE-NODEPORTS"]) == [f"-p tcp -m tcp --dport 3001 -j {EXT}"]


@pytest.mark.parametrize(
    ("node_ip", "ranges", "sources"),
    [
        (
            "192.168.0.2",
            ("203.0.113.0/25", "192.168.0.0/16"),
            ["203.0.113.0/25", "192.168.0.0/16", "1.2.3.4", "1.2.3.5"],
        ),
        ("192.168.0.2", ("203.0.113.0/25",), ["203.0.113.0/25"]),
        (None, ("203.0.113.0/25", "192.168.0.0/16"), ["203.0.113.0/25", "192.168.0.0/16"]),
        ("192.168.0.2", ("192.168.0.2/32",), ["192.168.0.2/32", "1.2.3.4", "1.2.3.5"]),
    ],
)
def test_source_ranges(node_ip: str | None, ranges: tuple[str, ...], sources: list[str]) -> None:
    objects: list[Object] = [
        service(**EVERYTHING, source_ranges=tuple(map(cidr, ranges))),
        slice_of("ns1/svc1", REMOTE),
    ]
    its = options(node_ip=ip(node_ip) if node_ip else None)
    chains = nat(objects, its)
    assert words(chains[FW]) == [
        *(f"-s {source if '/' in source else f'{source}/32'} -j {EXT}" for source in sources),
        "",
    ]
    assert chains[FW][-1] == (
        f'-A {FW} -m comment --comment "other traffic to ns1/svc1:p80 will be dropped by KUBE-PROXY-FIREWALL"'
    )
    to_load_balancer = [rule for rule in words(chains["KUBE-SERVICES"]) if rule.startswith("-d 1.2.3.")]
    assert [rule.split()[-1] for rule in to_load_balancer] == [FW, FW]
    assert [rule.split()[-1] for rule in words(chains["KUBE-NODEPORTS"])] == [EXT], "node ports know no source ranges"
    assert filtered(objects, its)["KUBE-PROXY-FIREWALL"] == tuple(
        f"-A KUBE-PROXY-FIREWALL -d {address}/32 -p tcp -m comment --comment "
        f'"ns1/svc1:p80 traffic not accepted by {FW}" -m tcp --dport 80 -j DROP'
        for address in ("1.2.3.4", "1.2.3.5")
    )


def test_source_ranges_need_a_load_balancer_ip() -> None:
    fields = {**EVERYTHING, "load_balancer_ips": ()}
    chains = nat([service(**fields, source_ranges=(cidr("10.0.0.0/8"),)), slice_of("ns1/svc1", REMOTE)])
    assert FW not in chains


def test_external_ips_can_be_switched_off() -> None:
    only_external: dict[str, Any] = {"external_ips": (ip("192.168.99.22"),)}
    objects: list[Object] = [service(**only_external), slice_of("ns1/svc1", REMOTE)]
    chains = nat(objects, options(external_ips=False))
    assert not any("192.168.99.22" in line for line in chains["KUBE-SERVICES"])
    assert EXT in chains, "kube-proxy keeps it, though nothing leads there"
    assert filtered([service(**only_external)], options(external_ips=False))["KUBE-EXTERNAL-SERVICES"] == ()


@pytest.mark.parametrize("endpoints", [(), ("10.0.0.1",)])
def test_health_checks_are_let_in_once_per_port(endpoints: tuple[str, ...]) -> None:
    its = service(
        type=ServiceType.LOAD_BALANCER,
        ports=(port("http"), port("dns", 53, protocol=Protocol.UDP)),
        external_traffic_local=True,
        health_check_node_port=30500,
    )
    slices = slice_of("ns1/svc1", *endpoints, ports=(slice_port("http"),))
    assert filtered([its, slices])["KUBE-NODEPORTS"] == tuple(
        f'-A KUBE-NODEPORTS -p tcp -m comment --comment "ns1/svc1:{name} health check node port" '
        "-m tcp --dport 30500 -j ACCEPT"
        for name in ("dns", "http")
    )


@pytest.mark.parametrize(("family", "mask"), [(Family.IPV4, "255.255.255.255"), (Family.IPV6, "ffff:" * 7 + "ffff")])
def test_affinity(family: Family, mask: str) -> None:
    is_ipv6 = family is Family.IPV6
    texts = ("fd00::1", "fd00::2") if is_ipv6 else ("10.0.0.1", "10.0.0.2")
    its = service(cluster_ip="fd00::41" if is_ipv6 else "172.30.0.41", affinity_seconds=77)
    chains = nat([its, slice_of("ns1/svc1", *texts)], options(family, pod_traffic=None))
    first, second = (line.split()[-1] for line in chains[SVC][:2])
    seen = "-m recent --rcheck --seconds 77 --reap --name {0} --mask {1} --rsource -j {0}"
    assert words(chains[SVC]) == [
        seen.format(first, mask),
        seen.format(second, mask),
        f"-m statistic --mode random --probability 0.50000000000 -j {first}",
        f"-j {second}",
    ]
    remember = f"-m recent --set --name {first} --mask {mask} --rsource"
    assert remember in chains[first][1]
    assert remember not in chains[first][0]


def test_a_pod_that_reaches_itself_is_masqueraded() -> None:
    chains = nat([service(), slice_of("ns1/svc1", "10.0.0.1")])
    (endpoint,) = (chain for chain in chains if chain.startswith("KUBE-SEP-"))
    assert words(chains[endpoint]) == [
        "-s 10.0.0.1/32 -j KUBE-MARK-MASQ",
        "-p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80",
    ]


def test_ports_meet_only_endpoints_of_their_name_and_protocol() -> None:
    its = service(ports=(port("dns", 53, protocol=Protocol.UDP), port("dns-tcp", 53)))
    both = (slice_port("dns", 5353, Protocol.UDP), slice_port("dns-tcp", 5353, Protocol.UDP))
    objects: list[Object] = [its, slice_of("ns1/svc1", "10.0.0.1", ports=both)]
    assert [line.split()[-1] for line in nat(objects)["KUBE-SERVICES"][:-1]] == [
        chain for chain in nat(objects) if chain.startswith("KUBE-SVC-")
    ]
    assert ['"ns1/svc1:dns-tcp has no endpoints"' in line for line in filtered(objects)["KUBE-SERVICES"]] == [True]


def test_bad_addresses_come_out_canonical() -> None:
    """docs/reference/test-scenarios.md section 2, TestBadIPs."""
    its = service(
        cluster_ip="172.30.0.041",
        type=ServiceType.LOAD_BALANCER,
        external_ips=(ip("192.168.099.022"),),
        load_balancer_ips=(ip("1.2.3.004"),),
        source_ranges=(cidr("203.0.113.000/025"),),
    )
    text = str(nat([its, slice_of("ns1/svc1", "10.180.0.1")]))
    for address in ("172.30.0.41/32", "192.168.99.22/32", "1.2.3.4/32", "203.0.113.0/25"):
        assert address in text
