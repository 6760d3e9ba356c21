"""What a node must have before anything is written to it: docs/reference/lifecycle.md section 7."""

import pytest

from pykubeproxy.config.completed import complete
from pykubeproxy.daemon.setup.config_check import ConfigProblem, config_problems, why_not_served
from pykubeproxy.daemon.setup.rule_options import NodeFacts
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from tests.builders import cidr, ip

Flags = dict[str, object]
IPV4, IPV6 = Family.IPV4, Family.IPV6
BOTH = (IPV4, IPV6)
PODS4, PODS6 = "10.244.1.0/24", "fd00:1::/64"
NODE_CIDR: Flags = {"detect-local-mode": "NodeCIDR"}
CLUSTER6: Flags = {"cluster-cidr": "fd00::/64"}
METRICS6: Flags = {"metrics-bind-address": "[::1]:10249"}
UNSPECIFIED: Flags = {"healthz-bind-address": "[::]:10256", "metrics-bind-address": "[::]:10249"}
ONLY_PODS4 = "but node.spec.podCIDRs contains only IPv4 addresses"
ONLY_PODS6 = "but node.spec.podCIDRs contains only IPv6 addresses"
ONLY_CLUSTER6 = "but clusterCIDRs contains only IPv6 addresses"


def facts(pods: tuple[str, ...] = (), addresses: tuple[str, ...] = ()) -> NodeFacts:
    node = Node(name="n1", pod_cidrs=tuple(map(cidr, pods)), addresses=tuple(map(ip, addresses)))
    return NodeFacts(node=node)


@pytest.mark.parametrize(
    ("flags", "pods", "primary", "families", "problem", "is_fatal"),
    [
        ({}, (PODS4,), IPV4, (IPV4,), "", False),
        (NODE_CIDR, (PODS6, PODS4), IPV4, (IPV4,), "", False),
        (NODE_CIDR, (PODS6,), IPV4, BOTH, f"IPv4-primary {ONLY_PODS6}", True),
        (NODE_CIDR | METRICS6, (PODS4,), IPV6, (IPV6,), f"IPv6-only {ONLY_PODS4}", True),
        (CLUSTER6, (), IPV4, (IPV4,), f"IPv4-only {ONLY_CLUSTER6}", True),
        (CLUSTER6 | NODE_CIDR, (PODS4,), IPV4, (IPV4,), f"IPv4-only {ONLY_CLUSTER6}", False),
        ({"cluster-cidr": "10.0.0.0/8,fd00::/64"}, (), IPV4, (IPV4,), "", False),
        (METRICS6, (), IPV4, (IPV4,), "IPv4-only but metricsBindAddress is IPv6", False),
        (
            METRICS6 | {"healthz-bind-address": "192.0.2.1:1"},
            (),
            IPV6,
            (IPV6,),
            "IPv6-only but healthzBindAddress is IPv4",
            False,
        ),
        (UNSPECIFIED, (), IPV4, (IPV4,), "", False),
    ],
)
def test_addresses_of_the_wrong_family(
    *, flags: Flags, pods: tuple[str, ...], primary: Family, families: tuple[Family, ...], problem: str, is_fatal: bool
) -> None:
    its = complete({"nodeport-addresses": ("0.0.0.0/0", "::/0"), **flags}, None, "n1")
    expected = [ConfigProblem(f"cluster is {problem}", is_fatal)] if problem else []
    assert list(config_problems(its, facts(pods), primary, families)) == expected
    why = f"kube-proxy configuration is incorrect: cluster is {problem}" if is_fatal else None
    assert why_not_served(its, facts(pods), primary, families) == why


UNSET = (
    "nodePortAddresses is unset; NodePort connections will be accepted on all local IPs. "
    "Consider using `--nodeport-addresses primary,localhost`"
)
OPEN = "nodePortAddresses contains only {} addresses; NodePort connections will be accepted on all local {} IPs"
DUAL = f"cluster appears to be dual-stack but {OPEN.format('IPv4', 'IPv6')}"
ONLY6 = f"cluster appears to be IPv4-primary but {OPEN.format('IPv6', 'IPv4')}"
NET4, NET6 = "192.0.2.0/24", "2001:db8::/64"


@pytest.mark.parametrize(
    ("networks", "clusters", "pods", "addresses", "told"),
    [
        ((), "", (), (), UNSET),
        ((NET4,), "", (PODS4, PODS6), (), DUAL),
        ((NET4,), "10.0.0.0/8,fd00::/64", (), (), DUAL),
        ((NET6,), "", (), (), ONLY6),
        (("all",), "", (PODS4, PODS6), ("192.0.2.1",), None),
        # ::1 restricts the family of which the node has no address.
        (("primary", "localhost"), "", (PODS4, PODS6), ("192.0.2.1",), None),
        (("primary",), "", (PODS4, PODS6), ("192.0.2.1",), DUAL),
    ],
)
def test_node_ports_that_are_open_though_perhaps_they_should_not_be(
    networks: tuple[str, ...], clusters: str, pods: tuple[str, ...], addresses: tuple[str, ...], told: str | None
) -> None:
    its = complete({"nodeport-addresses": networks, "cluster-cidr": clusters}, None, "n1")
    found = list(config_problems(its, facts(pods, addresses), IPV4, BOTH))
    assert found == ([ConfigProblem(told)] if told else [])
