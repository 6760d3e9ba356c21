"""What is there without any Service, and the options that change it: docs/reference/iptables-rules.md sections 2, 5, 10
to 13."""

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import compile_ruleset
from tests.builders import options, port, service, slice_of, snapshot


@pytest.mark.parametrize(
    ("bit", "mark"), [(0, "0x1"), (14, "0x4000"), (15, "0x8000"), (20, "0x100000"), (31, "0x80000000")]
)
@pytest.mark.parametrize(("random_fully", "how"), [(True, "MASQUERADE --random-fully"), (False, "MASQUERADE")])
def test_the_mark(bit: int, mark: str, how: str, *, random_fully: bool) -> None:
    skeleton = compile_ruleset(Snapshot(), options(masquerade_bit=bit, random_fully=random_fully))
    assert skeleton.lines("nat", "KUBE-MARK-MASQ") == (f"-A KUBE-MARK-MASQ -j MARK --set-xmark {mark}/{mark}",)
    assert skeleton.lines("nat", "KUBE-POSTROUTING") == (
        f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN",
        f"-A KUBE-POSTROUTING -j MARK --set-xmark {mark}/0x0",
        f'-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j {how}',
    )
    assert f"--mark {mark}/{mark} -j ACCEPT" in (skeleton.lines("filter", "KUBE-FORWARD") or ())[1]


def test_no_address_no_way_to_the_node_ports() -> None:
    assert compile_ruleset(Snapshot(), options(node_port_addresses=())).lines("nat", "KUBE-SERVICES") == ()


@pytest.mark.parametrize(
    ("family", "localhost", "rules", "shared"),
    [(Family.IPV4, True, 1, False), (Family.IPV4, False, 0, True), (Family.IPV6, False, 0, True)],
)
def test_the_firewall_chain_is_ours_only_while_localhost_is_open(
    family: Family, *, localhost: bool, rules: int, shared: bool
) -> None:
    ruleset = compile_ruleset(Snapshot(), options(family, localhost_node_ports=localhost))
    assert len(ruleset.lines("filter", "KUBE-FIREWALL") or ()) == rules
    assert (("filter", "KUBE-FIREWALL") in ruleset.shared) is shared
    assert "-A INPUT -j KUBE-FIREWALL" in (ruleset.lines("filter", "INPUT") or ())


def test_a_node_port_with_endpoints_has_a_rule_more_that_counts_what_goes_to_localhost() -> None:
    """kube-proxy's dumps are compared without it, as not every kernel has nfacct."""
    web = (service(type=ServiceType.NODE_PORT, ports=(port(node_port=30080),)), slice_of("ns1/svc1", "10.0.0.1"))
    plain, counting = (
        compile_ruleset(snapshot(*web), options(counts_localhost=counts)).lines("nat", "KUBE-NODEPORTS") or ()
        for counts in (False, True)
    )
    assert counting[1:] == plain
    assert counting[0].startswith("-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp ")
    assert "--nfacct-name  localhost_nps_accepted_pkts" in counting[0]
