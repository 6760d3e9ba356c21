"""What is there without any Service, and the options that change it: docs/reference/iptables-rules.md sections 2, 5, 10
to 13."""

from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Lines, Ruleset
from tests.builders import options

NODE_PORTS_NOTE = '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'


def skeleton(family: Family = Family.IPV4, **fields: Any) -> Ruleset:
    return compile_ruleset(Snapshot(), options(family, **fields))


def lines(table: str, chain: str, family: Family = Family.IPV4, **fields: Any) -> Lines | None:
    return skeleton(family, **fields).lines(table, chain)


@pytest.mark.parametrize("dispatch", Dispatch)
@pytest.mark.parametrize("family", Family)
def test_the_fixed_chains_exist_with_no_services(family: Family, dispatch: Dispatch) -> None:
    tables = skeleton(family, dispatch=dispatch).tables
    assert list(tables["filter"].chains) == [
        "INPUT",
        "FORWARD",
        "OUTPUT",
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-FIREWALL",
        "KUBE-FORWARD",
        "KUBE-NODEPORTS",
        "KUBE-PROXY-FIREWALL",
        "KUBE-SERVICES",
    ]
    assert list(tables["nat"].chains) == [
        "PREROUTING",
        "OUTPUT",
        "POSTROUTING",
        "KUBE-MARK-MASQ",
        "KUBE-NODEPORTS",
        "KUBE-POSTROUTING",
        "KUBE-SERVICES",
    ]


@pytest.mark.parametrize(
    ("bit", "mark"), [(0, "0x1"), (14, "0x4000"), (15, "0x8000"), (20, "0x100000"), (31, "0x80000000")]
)
def test_the_mark(bit: int, mark: str) -> None:
    assert lines("nat", "KUBE-MARK-MASQ", masquerade_bit=bit) == (
        f"-A KUBE-MARK-MASQ -j MARK --set-xmark {mark}/{mark}",
    )
    assert lines("nat", "KUBE-POSTROUTING", masquerade_bit=bit) == (
        f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN",
        f"-A KUBE-POSTROUTING -j MARK --set-xmark {mark}/0x0",
        (
            '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" '
            "-j MASQUERADE --random-fully"
        ),
    )
    assert f"--mark {mark}/{mark} -j ACCEPT" in (lines("filter", "KUBE-FORWARD", masquerade_bit=bit) or ())[1]


def test_a_tool_without_random_fully() -> None:
    last = (lines("nat", "KUBE-POSTROUTING", random_fully=False) or ())[-1]
    assert last.endswith("-j MASQUERADE")


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize(("liberal", "drops"), [(False, 1), (True, 0)])
def test_invalid_packets_are_dropped_unless_conntrack_is_liberal(*, family: Family, liberal: bool, drops: int) -> None:
    forward = lines("filter", "KUBE-FORWARD", family, conntrack_tcp_liberal=liberal) or ()
    assert len(forward) == 2 + drops
    assert [line for line in forward if "INVALID" in line] == (
        ["-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"] * drops
    )


@pytest.mark.parametrize(
    ("family", "localhost", "fields", "last"),
    [
        (Family.IPV4, True, {}, f"{NODE_PORTS_NOTE} -m addrtype --dst-type LOCAL"),
        (Family.IPV4, False, {}, f"! -d 127.0.0.0/8 {NODE_PORTS_NOTE} -m addrtype --dst-type LOCAL"),
        (Family.IPV6, False, {}, f"! -d ::1/128 {NODE_PORTS_NOTE} -m addrtype --dst-type LOCAL"),
        (Family.IPV4, True, {"node_port_addresses": ("192.168.0.2",)}, f"-d 192.168.0.2/32 {NODE_PORTS_NOTE}"),
        (Family.IPV6, False, {"node_port_addresses": ("2001:db8::1",)}, f"-d 2001:db8::1/128 {NODE_PORTS_NOTE}"),
    ],
)
def test_the_way_to_the_node_ports(family: Family, *, localhost: bool, fields: dict[str, Any], last: str) -> None:
    its = lines("nat", "KUBE-SERVICES", family, localhost_node_ports=localhost, **fields)
    assert its == (f"-A KUBE-SERVICES {last} -j KUBE-NODEPORTS",)


def test_no_address_no_way_to_the_node_ports() -> None:
    assert lines("nat", "KUBE-SERVICES", node_port_addresses=()) == ()


@pytest.mark.parametrize(
    ("family", "localhost", "rules", "shared"),
    [(Family.IPV4, True, 1, False), (Family.IPV4, False, 0, True), (Family.IPV6, False, 0, True)],
)
def test_the_firewall_chain_is_ours_only_while_localhost_is_open(
    family: Family, *, localhost: bool, rules: int, shared: bool
) -> None:
    ruleset = skeleton(family, localhost_node_ports=localhost)
    assert len(ruleset.lines("filter", "KUBE-FIREWALL") or ()) == rules
    assert (("filter", "KUBE-FIREWALL") in ruleset.shared) is shared
    assert "-A INPUT -j KUBE-FIREWALL" in (ruleset.lines("filter", "INPUT") or ())
