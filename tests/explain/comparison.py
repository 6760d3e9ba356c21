"""A Service before and after some change, the words for what a Plan does about it, and a packet for it."""

from collections.abc import Sequence
from typing import Any

from pykubeproxy.explain.change_words import change_texts
from pykubeproxy.explain.plan import Explanation, explain
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Trace, trace
from pykubeproxy.plan.diff import diff
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import NODE, at, ip, options, port, service, slice_of, snapshot
from tests.netfilter import asking

NAME = "ns1/svc1"
TITLE = "ns1/svc1:p80"
FIRST, SECOND, THIRD = "10.0.1.1", "10.0.1.2", "10.0.1.3"
NODE_PORT = {"type": ServiceType.NODE_PORT, "ports": (port(node_port=30080),)}
BALANCED = {"type": ServiceType.LOAD_BALANCER, "load_balancer_ips": (ip("192.0.2.1"),)}


def compiled(objects: Sequence[Object], dispatch: Dispatch = Dispatch.LINEAR) -> Ruleset:
    return compile_ruleset(snapshot(*objects), options(dispatch=dispatch))


def explained(desired: Ruleset, live: Ruleset) -> Explanation:
    return explain(diff(desired, live), desired, live)


def words(
    before: Sequence[Object], after: Sequence[Object], dispatch: Dispatch = Dispatch.LINEAR
) -> dict[str, tuple[str, ...]]:
    explanation = explained(compiled(after, dispatch), compiled(before, dispatch))
    assert not explanation.other_chains
    return {diff.service_port: tuple(change_texts(diff.changes)) for diff in explanation.service_ports}


def web(*addresses: str, **fields: Any) -> tuple[Object, Object]:
    """The Service with endpoints on this node, whatever its port."""
    return service(NAME, **fields), slice_of(NAME, *(at(address, NODE) for address in addresses))


def elsewhere(*addresses: str, **fields: Any) -> tuple[Object, Object]:
    """The same with its endpoints on another node."""
    return service(NAME, **fields), slice_of(NAME, *(at(address, "other-node") for address in addresses))


def empty(**fields: Any) -> tuple[Object]:
    """The same with none."""
    return (service(NAME, **fields),)


def traced(*addresses: str, **fields: Any) -> Trace:
    """What becomes of a packet for the Service, whose cluster IP is 10.96.0.1, with these endpoints."""
    objects = (service(NAME, "10.96.0.1"), slice_of(NAME, *addresses))
    return trace(compile_ruleset(snapshot(*objects), options()), asking.packet(**fields), asking.NODE)
