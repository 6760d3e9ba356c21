"""The rules of a ServicePort, one option or policy at a time: iptables-rules.md sections 6 to 8, 11 and 14."""

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
    found = []
    for line in lines:
        before, _, after = line.split(" ", 2)[2].partition('-m comment --comment "')
        found.append(f"{before}{after.partition('" ')[2] if after else ''}")
    return found


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
    """The table at the end of iptables-rules.md section 7."""
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
    drops = {chain: lines for chain, lines in filtered(objects).items() if any(line.endswith("DROP") for line in lines)}
    assert [name.removeprefix("KUBE-") for name in sorted(drops) if "INVALID" not in str(drops[name])][-2:] == [
        *(["FIREWALL"] if len(dropped) < 2 and not dropped else []),
        *dropped,
    ][-2:] or sorted(dropped) == sorted(
        name.removeprefix("KUBE-") for name in drops if name in ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")
    )
