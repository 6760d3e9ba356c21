"""Rules of the cluster IP, and of the chains that spread traffic over endpoints (`iptables-rules.md` 7.1, 7.6, 8)."""

from collections.abc import Iterator

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.rules import names, text
from pykubeproxy.rules.fragment import Door, Entry
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing, refusal_target


def cluster_ip_entries(routing: Routing, options: RuleOptions) -> Iterator[Entry]:
    """Send traffic for the cluster IP to its policy chain, or refuse it."""
    port = routing.port
    if routing.internal.chain:
        match = text.to_port(port.cluster_ip, port.protocol, port.port, f"{port.title} cluster IP")
        yield Entry(
            Door.NAT_SERVICES, port.cluster_ip, port.protocol, port.port, f"{match} -j {routing.internal.chain}"
        )
    else:
        match = text.to_port(port.cluster_ip, port.protocol, port.port, f"{port.title} {routing.internal.refusal}")
        target = refusal_target(routing.internal, options.family)
        yield Entry(Door.FILTER_SERVICES, port.cluster_ip, port.protocol, port.port, f"{match} -j {target}")


def internal_masquerade(routing: Routing, options: RuleOptions) -> Iterator[str]:
    """Mark traffic to the cluster IP that does not come from a pod of this node, so that replies come back here."""
    chain, port = routing.internal.chain, routing.port
    note = f"{port.title} cluster IP"
    where = (port.cluster_ip, port.protocol, port.port, note)
    if options.masquerade_all:
        yield f"-A {chain} {text.to_port(*where)} -j {names.MARK_MASQ}"
    elif options.pod_traffic is not None:
        yield f"-A {chain} {text.outside_pods_to_port(options.pod_traffic, *where)} -j {names.MARK_MASQ}"


def spread(
    chain: str, endpoints: tuple[Endpoint, ...], routing: Routing, options: RuleOptions, *, comments: bool
) -> Iterator[str]:
    """Send traffic in `chain` to one of `endpoints`: the one a client used before, else each with equal chance."""
    port = routing.port
    legs = []
    for endpoint in endpoints:
        note = f"{text.comment(f'{port.title} -> {endpoint.text}')} " if comments else ""
        legs.append((note, routing.names.endpoint(endpoint.text)))
    if port.affinity_seconds is not None:
        mask = text.full_mask(options.family)
        for note, leg in legs:
            seen = f"-m recent --rcheck --seconds {port.affinity_seconds} --reap --name {leg} --mask {mask} --rsource"
            yield f"-A {chain} {note}{seen} -j {leg}"
    # Of the n - i endpoints that are left, the next one is taken with probability 1/(n - i): 1/n for each in all.
    for left, (note, leg) in zip(range(len(legs), 0, -1), legs, strict=True):
        chance = f"-m statistic --mode random --probability {text.probability(left)} " if left > 1 else ""
        yield f"-A {chain} {note}{chance}-j {leg}"
