"""What a node must have before anything is written to it: docs/reference/lifecycle.md section 7."""

import pytest

from pykubeproxy.config.completed import complete
from pykubeproxy.daemon.messages import FatalError
from pykubeproxy.daemon.setup.config_check import ConfigProblem, config_problems, why_not_served
from pykubeproxy.daemon.setup.rule_options import NodeFacts
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from tests.builders import NODE, cidr, ip
from tests.daemon.fakes import Clock, FakeProxy, changed, loop_of

IPV4, IPV6 = Family.IPV4, Family.IPV6
BOTH = (IPV4, IPV6)
INCORRECT = "kube-proxy configuration is incorrect: cluster is "
PODS4, PODS6 = "10.244.1.0/24", "fd00:1::/64"
NODE_CIDR = {"detect-local-mode": "NodeCIDR"}
OPEN: dict[str, object] = {"nodeport-addresses": ("0.0.0.0/0", "::/0")}
METRICS6 = {"metrics-bind-address": "[::1]:10249"}


@pytest.mark.parametrize(
    ("flags", "pods", "primary", "families", "why"),
    [
        ({}, (), IPV4, BOTH, None),
        ({}, (), IPV4, (IPV4,), None),
        ({}, (), IPV6, (IPV4,), 'no support for primary IP family "IPv6"'),
        ({}, (), IPV4, (IPV6,), 'no support for primary IP family "IPv4"'),
        (NODE_CIDR, (), IPV4, BOTH, None),
        (NODE_CIDR, (PODS4,), IPV4, BOTH, None),
        (NODE_CIDR, (PODS6, PODS4), IPV4, (IPV4,), None),
        (
            NODE_CIDR,
            (PODS6,),
            IPV4,
            BOTH,
            f"{INCORRECT}IPv4-primary but node.spec.podCIDRs contains only IPv6 addresses",
        ),
        (
            NODE_CIDR,
            (PODS4,),
            IPV6,
            (IPV6,),
            f"{INCORRECT}IPv6-only but node.spec.podCIDRs contains only IPv4 addresses",
        ),
        ({}, (PODS6,), IPV4, BOTH, None),
        ({"cluster-cidr": "fd00::/64"}, (), IPV4, BOTH, None),
        (
            {"cluster-cidr": "fd00::/64"},
            (),
            IPV4,
            (IPV4,),
            f"{INCORRECT}IPv4-only but clusterCIDRs contains only IPv6 addresses",
        ),
        ({"cluster-cidr": "10.0.0.0/8,fd00::/64"}, (), IPV4, (IPV4,), None),
        ({"cluster-cidr": "fd00::/64", **NODE_CIDR}, (PODS4,), IPV4, (IPV4,), None),
    ],
)
def test_why_not_served(
    flags: dict[str, object], pods: tuple[str, ...], primary: Family, families: tuple[Family, ...], why: str | None
) -> None:
    facts = NodeFacts(node=Node(name="n1", pod_cidrs=tuple(map(cidr, pods))))
    assert why_not_served(complete(flags, None, "n1"), facts, primary, families) == why


@pytest.mark.parametrize(
    ("flags", "pods", "primary", "families", "told"),
    [
        ({}, (PODS4,), IPV4, (IPV4,), []),
        ({"cluster-cidr": "fd00::/64"}, (), IPV4, BOTH, ["IPv4-primary but clusterCIDRs contains only IPv6 addresses"]),
        ({}, (PODS6,), IPV4, BOTH, ["IPv4-primary but node.spec.podCIDRs contains only IPv6 addresses"]),
        (METRICS6, (PODS4,), IPV6, (IPV6,), ["IPv6-only but node.spec.podCIDRs contains only IPv4 addresses"]),
        (
            {"cluster-cidr": "fd00::/64", **NODE_CIDR},
            (PODS4,),
            IPV4,
            (IPV4,),
            ["IPv4-only but clusterCIDRs contains only IPv6 addresses"],
        ),
        (METRICS6, (), IPV4, BOTH, []),
        (METRICS6, (), IPV4, (IPV4,), ["IPv4-only but metricsBindAddress is IPv6"]),
        (
            {"healthz-bind-address": "192.0.2.1:1", **METRICS6},
            (),
            IPV6,
            (IPV6,),
            ["IPv6-only but healthzBindAddress is IPv4"],
        ),
        ({}, (), IPV6, (IPV6,), ["IPv6-only but metricsBindAddress is IPv4"]),
        ({"healthz-bind-address": "[::]:10256", "metrics-bind-address": "[::]:10249"}, (), IPV4, (IPV4,), []),
    ],
)
def test_what_may_be_a_mistake_is_told_and_nothing_more(
    flags: dict[str, object], pods: tuple[str, ...], primary: Family, families: tuple[Family, ...], told: list[str]
) -> None:
    its = (complete(OPEN | flags, None, "n1"), NodeFacts(node=Node(name="n1", pod_cidrs=tuple(map(cidr, pods)))))
    expected = [f"cluster is {text}" for text in told]
    assert list(config_problems(*its, primary, families)) == [ConfigProblem(text) for text in expected]
    assert why_not_served(*its, primary, families) is None


ONLY_IPV4 = (
    "nodePortAddresses contains only IPv4 addresses; NodePort connections will be accepted on all local IPv6 IPs"
)
ONLY_IPV6 = (
    "nodePortAddresses contains only IPv6 addresses; NodePort connections will be accepted on all local IPv4 IPs"
)
UNSET = (
    "nodePortAddresses is unset; NodePort connections will be accepted on all local IPs. "
    "Consider using `--nodeport-addresses primary,localhost`"
)


@pytest.mark.parametrize(
    ("flags", "pods", "addresses", "told"),
    [
        ({}, (), (), UNSET),
        ({"nodeport-addresses": ("192.0.2.0/24",)}, (PODS4,), (), None),
        (
            {"nodeport-addresses": ("192.0.2.0/24",)},
            (PODS4, PODS6),
            (),
            f"cluster appears to be dual-stack but {ONLY_IPV4}",
        ),
        (
            {"nodeport-addresses": ("192.0.2.0/24",), "cluster-cidr": "10.0.0.0/8,fd00::/64"},
            (),
            (),
            f"cluster appears to be dual-stack but {ONLY_IPV4}",
        ),
        ({"nodeport-addresses": ("192.0.2.0/24", "2001:db8::/64")}, (PODS4, PODS6), (), None),
        ({"nodeport-addresses": ("2001:db8::/64",)}, (), (), f"cluster appears to be IPv4-primary but {ONLY_IPV6}"),
        ({"nodeport-addresses": ("primary",)}, (PODS4, PODS6), ("192.0.2.1", "2001:db8::1"), None),
        ({"nodeport-addresses": ("all",)}, (PODS4, PODS6), ("192.0.2.1",), None),
        ({"nodeport-addresses": ("localhost",)}, (PODS4, PODS6), ("192.0.2.1",), None),
        # ::1 restricts the family of which the node has no address.
        ({"nodeport-addresses": ("primary", "localhost")}, (PODS4, PODS6), ("192.0.2.1",), None),
        (
            {"nodeport-addresses": ("primary", "192.0.2.0/24")},
            (PODS4, PODS6),
            ("192.0.2.1",),
            f"cluster appears to be dual-stack but {ONLY_IPV4}",
        ),
        (
            {"nodeport-addresses": ("primary",)},
            (PODS4, PODS6),
            ("192.0.2.1",),
            f"cluster appears to be dual-stack but {ONLY_IPV4}",
        ),
    ],
)
def test_node_ports_that_are_open_though_perhaps_they_should_not_be(
    flags: dict[str, object], pods: tuple[str, ...], addresses: tuple[str, ...], told: str | None
) -> None:
    node = Node(name="n1", pod_cidrs=tuple(map(cidr, pods)), addresses=tuple(map(ip, addresses)))
    found = list(config_problems(complete(flags, None, "n1"), NodeFacts(node=node), IPV4, BOTH))
    assert found == ([ConfigProblem(told)] if told else [])


def test_without_a_node_there_are_no_pod_networks() -> None:
    assert why_not_served(complete(NODE_CIDR, None, "n1"), NodeFacts(), IPV4, BOTH) is None


def test_it_is_asked_before_the_first_sync_and_never_again(clock: Clock, proxy: FakeProxy) -> None:
    asked: list[Node | None] = []

    def objection(node: Node | None) -> str | None:
        asked.append(node)
        return None if node is not None else "no node"

    loop = loop_of(clock, proxy, why_not_served=objection)
    with pytest.raises(FatalError, match="no node"):
        loop.act()
    assert proxy.syncs == []
    its = Node(name=NODE)
    loop.take(changed(its))
    proxy.failure = HostError("no")
    assert not loop.sync()
    proxy.failure = None
    assert loop.sync()
    assert asked == [None, its]
