"""The order of rules in linear dispatch: docs/reference/iptables-rules.md section 16."""

from typing import Any

import pytest

from pykubeproxy.model.service import ServiceType
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.fragment import DispatchChain
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Lines
from tests.builders import ip, options, port, service, slice_of, snapshot

BALANCED: dict[str, Any] = {
    "type": ServiceType.LOAD_BALANCER,
    "external_traffic_local": True,
    "load_balancer_ips": (ip("1.2.3.4"), ip("1.2.3.3")),
}
CLUSTER = snapshot(
    service(
        "ns2/svc2",
        "172.30.0.42",
        ports=(port(node_port=3001),),
        external_ips=(ip("192.168.99.22"), ip("192.168.99.21")),
        **BALANCED,
    ),
    slice_of("ns2/svc2", "10.180.0.2"),
    service("ns1/svc1", "172.30.0.43", ports=(port(node_port=3002),), **BALANCED),
    slice_of("ns1/svc1", "10.180.0.1"),
)


def places(lines: Lines) -> list[str]:
    """Services and destinations, of rules for one port."""
    return [
        f"{line.partition('--comment ')[2].split()[0].strip(chr(34))} {line.split()[3] if ' -d ' in line else 'node'}"
        for line in lines
        if "must be the last rule" not in line
    ]


@pytest.mark.parametrize(
    ("dispatch_chain", "first", "second", "at_last"),
    [
        (
            DispatchChain.NAT_SERVICES,
            ["172.30.0.43", "1.2.3.4", "1.2.3.3"],
            ["172.30.0.42", "192.168.99.22", "192.168.99.21", "1.2.3.4", "1.2.3.3"],
            [],
        ),
        (
            DispatchChain.FILTER_EXTERNAL,
            ["1.2.3.4", "1.2.3.3"],
            ["192.168.99.22", "192.168.99.21", "1.2.3.4", "1.2.3.3"],
            ["ns1/svc1:p80 node", "ns2/svc2:p80 node"],
        ),
    ],
)
def test_service_ports_by_name_and_the_rules_of_each_in_kube_proxys_order(
    dispatch_chain: DispatchChain, first: list[str], second: list[str], at_last: list[str]
) -> None:
    lines = compile_ruleset(CLUSTER, options(dispatch=Dispatch.LINEAR)).lines(
        dispatch_chain.table, dispatch_chain.chain
    )
    assert lines is not None
    assert places(lines) == [
        *(f"ns1/svc1:p80 {address}/32" for address in first),
        *(f"ns2/svc2:p80 {address}/32" for address in second),
        *at_last,
    ]
