"""The words for the Services that rules know."""

from collections.abc import Iterator

from pykubeproxy.explain.changes import AddressKind, TrafficKind
from pykubeproxy.explain.cluster_view import AddressHolder
from pykubeproxy.explain.finding_words import finding_text
from pykubeproxy.explain.findings import NotAmongObjects
from pykubeproxy.explain.service_port_state import LOCAL
from pykubeproxy.explain.service_view import PortNumber, ServiceEndpoint, ServiceView, UnequalServices
from pykubeproxy.explain.words import holder_text
from pykubeproxy.rules.refusals import RefusalReason
from pykubeproxy.rules.routing import Refusal

_ADDRESS_KINDS = {
    AddressKind.CLUSTER_IP: "cluster IP",
    AddressKind.EXTERNAL_IP: "external IP",
    AddressKind.LOAD_BALANCER_IP: "load balancer",
    AddressKind.NOT_CLUSTER_IP: "address",
}
_REASONS = {
    RefusalReason.NO_ENDPOINTS: "refused: no endpoints",
    RefusalReason.NO_LOCAL_ENDPOINTS: "dropped: no local endpoints",
    RefusalReason.NOT_IN_SOURCE_RANGES: "dropped: not in loadBalancerSourceRanges",
    RefusalReason.UNUSED_PORT: "refused: no Service has this port",
}
_WHERE = {TrafficKind.INTERNAL: " at the cluster IP", TrafficKind.EXTERNAL: " from outside"}
_VERBS = {Refusal.NO_ENDPOINTS: "refused", Refusal.NO_LOCAL_ENDPOINTS: "dropped"}


def address_texts(view: ServiceView) -> Iterator[tuple[str, str]]:
    """What each address is, and the address itself; the cluster IP first, node ports last."""
    is_cluster_ip = AddressKind.CLUSTER_IP
    for each in sorted(view.addresses, key=lambda its: its.address_kind is not is_cluster_ip):
        yield _ADDRESS_KINDS[each.address_kind], each.address
    for port in view.node_ports:
        yield "node port", port_text(port)


def port_text(port: PortNumber) -> str:
    """`80/TCP`."""
    return f"{port.port}/{port.protocol}"


def endpoint_count_text(view: ServiceView) -> str:
    """`3`, `3 (1 local)`, or `1 local` where no others are known."""
    local = sum(each.is_local is True for each in view.endpoints)
    if not view.has_all_endpoints:
        return f"{local} local"
    is_known = any(each.is_local is not None for each in view.endpoints)
    return f"{len(view.endpoints)} ({local} local)" if is_known else str(len(view.endpoints))


def endpoint_text(endpoint: ServiceEndpoint) -> str:
    """`10.244.0.5:8080 (local)  # default/web-1 on node-a`; without its pod and node if they are not known."""
    text = f"{endpoint.endpoint} (local)" if endpoint.is_local else endpoint.endpoint
    holder = holder_text(AddressHolder(pod=endpoint.pod, node=endpoint.node))
    return f"{text}  # {holder}" if holder else text


def refusal_texts(view: ServiceView) -> Iterator[str]:
    """What is refused or dropped, and why; said once if that is all traffic."""
    reasons = {each.reason for each in view.refused}
    is_all = len(reasons) == 1 and len(view.refused) == (2 if view.is_served_outside else 1)
    for each in view.refused[:1] if is_all else view.refused:
        where = "" if is_all else _WHERE[each.traffic]
        counted = [its.packets for its in (view.refused if is_all else (each,)) if its.packets is not None]
        packets = f" ({_packets_text(sum(counted))})" if counted else ""
        # Whether the objects have it is said of all ServicePorts together.
        finding = "" if isinstance(each.finding, NotAmongObjects) else finding_text(each.finding)
        yield f"{_VERBS[each.reason]}{where}{packets}: {each.reason.removeprefix('has ')}{finding}"


def refusal_reason_text(reason: RefusalReason) -> str:
    """What happens to connections for one reason, and the reason."""
    return _REASONS[reason]


def note_texts(view: ServiceView) -> Iterator[str]:
    """What is not as with most ServicePorts: traffic policies, session affinity, source ranges, use of other ports."""
    for policy, value in sorted(view.policies.items()):
        if value == LOCAL:
            yield f"{policy} {LOCAL}"
    if view.affinity_seconds is not None:
        yield f"session affinity for {view.affinity_seconds} s"
    if view.source_ranges is not None:
        packets = view.packets_out_of_range
        others = "" if packets is None else f" ({_packets_text(packets)} from elsewhere dropped)"
        yield f"load balancer open only to {', '.join(view.source_ranges) or 'nobody'}{others}"
    if view.packets_to_unused_ports:
        yield f"{_packets_text(view.packets_to_unused_ports)} to unused ports refused"
    if not view.is_dispatched:
        yield "left over: no rule leads there from a cluster IP"


def unequal_texts(unequal: UnequalServices) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What some ServicePorts are, and their names."""
    if unequal.only_in_objects:
        yield f"in the objects, but not in the {unequal.family} rules", unequal.only_in_objects
    if unequal.only_in_rules:
        yield f"in the {unequal.family} rules, but not in the objects", unequal.only_in_rules


def _packets_text(packets: int) -> str:
    return f"{packets:,} packet{'' if packets == 1 else 's'}"
