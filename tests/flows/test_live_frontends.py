"""Reading the UDP frontends out of rules, in kube-proxy's layout and in ours."""

import pytest

from pykubeproxy.flows.live_frontends import live_udp_frontends
from pykubeproxy.flows.stale import UdpFrontends, socket_text
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset, Table
from tests.builders import ip, options, port, service, slice_of, slice_port, snapshot, traffic_of
from tests.corpus import GOLDEN, Example

RULES = """
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "ns/dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-AAAA
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "ns/dns:tcp cluster IP" -m tcp --dport 53 -j KUBE-SVC-BBBB
-A KUBE-SERVICES -d 10.96.0.11/32 -p udp -m comment --comment "ns/l:dns cluster IP" -m udp --dport 54 -j KUBE-SVL-CCCC
-A KUBE-SERVICES -d 198.51.100.7/32 -p udp -m comment --comment "ns/dns:dns external IP" -m udp --dport 53 -j KUBE-EXT-A
-A KUBE-SERVICES -d 203.0.113.9/32 -p udp -m comment --comment "ns/dns:dns load" -m udp --dport 53 -j KUBE-FW-
-A KUBE-SERVICES -d 10.96.4.0/24 -j KUBE-SVC-10.96.4.0/24
-A KUBE-SVC-10.96.4.0/24 -d 10.96.4.1/32 -p udp -m comment --comment "ns/t:dns" -m udp --dport 53 -j KUBE-SVL-
-A KUBE-SVC-AAAA ! -s 10.0.0.0/8 -d 10.96.0.99/32 -p udp -m comment --comment "x" -m udp --dport 53 -j KUBE-MARK-MASQ
-A KUBE-NODEPORTS -p udp -m comment --comment "ns/dns:dns" -m udp --dport 30053 -j KUBE-EXT-AAAA
-A KUBE-SEP-AAAA -p udp -m comment --comment "ns/dns:dns" -m udp -j DNAT --to-destination 10.0.0.1:5353
-A PREROUTING -d 192.0.2.1/32 -p udp -m udp --dport 99 -j DNAT --to-destination 10.0.0.1:99
-A KUBE-SERVICES -d fd00::10/128 -p udp -m comment --comment "ns/dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-EEEE
""".strip().splitlines()


def test_frontends_of_rules() -> None:
    live = Ruleset(tables={"nat": Table(chains={"ANY": tuple(RULES)}), "filter": Table(chains={"ANY": tuple(RULES)})})
    assert sorted(map(socket_text, live_udp_frontends(live))) == [
        "10.96.0.10:53",
        "10.96.0.11:54",
        "10.96.4.1:53",
        "198.51.100.7:53",
        "203.0.113.9:53",
        ":30053",
        "[fd00::10]:53",
    ]
    assert live_udp_frontends(Ruleset(tables={})) == frozenset()


@pytest.mark.parametrize("dispatch", Dispatch)
def test_frontends_of_our_own_rules(dispatch: Dispatch) -> None:
    objects = snapshot()
    for number in range(100):
        spec = port("dns", 53, 30000 + number, Protocol.UDP)
        title = f"ns/dns-{number}"
        fields = {"ports": (spec, port("web")), "external_ips": (ip(f"198.51.100.{number}"),)}
        objects.put(service(title, f"10.96.0.{number}", type=ServiceType.NODE_PORT, **fields))
        objects.put(slice_of(title, f"10.0.0.{number}", ports=(slice_port("dns", 53, Protocol.UDP), slice_port("web"))))
    live = compile_ruleset(objects, options(dispatch=dispatch))
    expected = UdpFrontends(Family.IPV4).update(traffic_of(objects, objects.services)).serving.keys()
    assert len(expected) == 300
    assert live_udp_frontends(live) == expected


def test_kube_proxys_own_dump() -> None:
    dump = Example(GOLDEN / "clusterip-multiport-udp-sctp").saved("ipv4")
    assert list(map(socket_text, live_udp_frontends(parse(dump.splitlines())))) == ["10.96.0.10:53"]
