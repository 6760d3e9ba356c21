"""What changes for a ServicePort from one state of its rules to another."""

from collections.abc import Iterator

from pykubeproxy.explain import changes
from pykubeproxy.explain.changes import TrafficKind
from pykubeproxy.explain.service_causes import TrafficPolicy
from pykubeproxy.explain.service_port_state import ServicePortState
from pykubeproxy.rules.routing import Refusal

_POLICY_OF = {
    TrafficKind.INTERNAL: TrafficPolicy.INTERNAL,
    TrafficKind.EXTERNAL: TrafficPolicy.EXTERNAL,
}


def service_changes(before: ServicePortState, after: ServicePortState) -> Iterator[changes.ServiceChange]:
    """All changes, in the order in which they are printed; none where the rules differ in another way."""
    if after.is_dispatched and not before.is_known:
        yield changes.ServicePortAdded(_endpoint_count(after), after.refusals.get(TrafficKind.INTERNAL))
        return
    if before.is_dispatched and not after.is_known:
        yield changes.ServicePortRemoved(_endpoint_count(before), before.refusals.get(TrafficKind.INTERNAL))
        return
    policies = list(_policies(before, after))
    yield from _ports(before, after)
    yield from policies
    yield from _endpoints(before, after, has_new_policy=bool(policies))
    yield from _affinity(before, after)
    yield from _masquerading(before, after)
    yield from _source_ranges(before, after)
    yield from _addresses(before, after)
    changed = {change.policy for change in policies}
    for traffic in TrafficKind:
        yield from _refusals(traffic, before, after, has_new_policy=_POLICY_OF[traffic] in changed)


def _endpoint_count(state: ServicePortState) -> int:
    return max(len(state.endpoints), len(state.local_endpoints))


def _ports(before: ServicePortState, after: ServicePortState) -> Iterator[changes.ServiceChange]:
    if len(before.ports) != 1 or len(after.ports) != 1:
        return
    ((old_protocol, old),), ((new_protocol, new),) = before.ports, after.ports
    if old != new:
        yield changes.PortChanged(old, new)
    if old_protocol != new_protocol:
        yield changes.ProtocolChanged(old_protocol, new_protocol)


def _policies(before: ServicePortState, after: ServicePortState) -> Iterator[changes.PolicyChanged]:
    for policy in (TrafficPolicy.EXTERNAL, TrafficPolicy.INTERNAL):
        old, new = before.policies.get(policy), after.policies.get(policy)
        if old and new and old != new:
            yield changes.PolicyChanged(policy, old, new)


def _endpoints(
    before: ServicePortState, after: ServicePortState, *, has_new_policy: bool
) -> Iterator[changes.EndpointsChanged]:
    for is_local, old, new in (
        (False, before.endpoints, after.endpoints),
        (True, before.local_endpoints, after.local_endpoints),
    ):
        # Where a policy changes, its chain comes or goes, and no endpoint does.
        if has_new_policy and not (old and new):
            continue
        gone, kept = set(old), set(new)
        added = tuple(endpoint for endpoint in new if endpoint not in gone)
        removed = tuple(endpoint for endpoint in old if endpoint not in kept)
        if added or removed:
            yield changes.EndpointsChanged(is_local, added, removed, len(old), len(new))


def _affinity(before: ServicePortState, after: ServicePortState) -> Iterator[changes.AffinityChanged]:
    # Without endpoints on both sides, rules do not show it.
    if before.affinity_seconds != after.affinity_seconds and _endpoint_count(before) and _endpoint_count(after):
        yield changes.AffinityChanged(before.affinity_seconds, after.affinity_seconds)


def _masquerading(before: ServicePortState, after: ServicePortState) -> Iterator[changes.MasqueradingChanged]:
    # The rule is in the chain that balances, which is there only with endpoints.
    if before.masqueraded != after.masqueraded and _endpoint_count(before) and _endpoint_count(after):
        yield changes.MasqueradingChanged(before.masqueraded, after.masqueraded)


def _source_ranges(before: ServicePortState, after: ServicePortState) -> Iterator[changes.ServiceChange]:
    old, new = before.source_ranges, after.source_ranges
    if old is None and new is not None:
        yield changes.SourcesLimited(tuple(sorted(new)), before.has_open_balancer)
    elif old is not None and new is None:
        # An address that goes with its source ranges is open to nobody.
        if after.has_open_balancer:
            yield changes.SourcesUnlimited()
    elif old is not None and new is not None:
        if new - old:
            yield changes.SourcesAllowed(tuple(sorted(new - old)))
        if old - new:
            yield changes.SourcesDenied(tuple(sorted(old - new)))


def _addresses(before: ServicePortState, after: ServicePortState) -> Iterator[changes.ServiceChange]:
    for here, there, address, node_port in (
        (after, before, changes.AddressAdded, changes.NodePortAdded),
        (before, after, changes.AddressRemoved, changes.NodePortRemoved),
    ):
        for kind, text in sorted((kind, text) for text, kind in here.addresses.items() if text not in there.addresses):
            yield address(kind, text)
        for protocol, port in sorted(here.node_ports - there.node_ports):
            yield node_port(port, protocol)


def _refusals(
    traffic: TrafficKind, before: ServicePortState, after: ServicePortState, *, has_new_policy: bool
) -> Iterator[changes.ServiceChange]:
    old, new = before.refusals.get(traffic), after.refusals.get(traffic)
    if old is new:
        return
    # Such a policy refuses traffic, or no longer does, though no endpoint has come or gone.
    is_due_to_policy = has_new_policy and Refusal.NO_LOCAL_ENDPOINTS in (old, new)
    if old and new:
        yield changes.RefusalReasonChanged(traffic, old, new)
    elif new:
        yield changes.RefusalBegan(traffic, new, has_lost_endpoints=traffic in before.served and not is_due_to_policy)
    elif old and traffic in after.served:
        yield changes.RefusalEnded(traffic, old, has_new_endpoints=not is_due_to_policy)
